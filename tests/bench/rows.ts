/** What is measured, with how much work, against whom, and what it should come to. */

import type { Goal, Unit } from "./table.ts";

/** A measuring program: see ours.ts, execnet_peer.py, raw.ts and capnweb.ts. */
export type PlayerName = "ours" | "execnet" | "raw" | "capnweb";

/** A task of a measuring program. */
export interface Part {
  player: PlayerName;
  task: string;
  kind: string;
  size: number;
}

/** Someone to compare with. */
export interface Peer extends Part {
  name: string;
  /** For our figure divided by the peer's. */
  goal?: Goal | undefined;
}

/** A figure that a task gives. */
export interface Figure {
  /** Its name among the task's figures. */
  key: string;
  /** How the table calls it, behind the variant. */
  label: string;
  unit: Unit;
  /** For our figure itself. */
  goal?: Goal | undefined;
}

/** A measurement. Goals of peers are for its first figure. */
export interface Entry {
  id: string;
  /** What tells it from others with the same id. */
  variant: string;
  /** Whether it is measured idle and pinned to one core, as latencies are. */
  latency: boolean;
  /** Whether each round takes new programs, as growth of memory has to. */
  fresh: boolean;
  /** Whether its result cannot differ from round to round. */
  once: boolean;
  figures: Figure[];
  ours: Part;
  peers: Peer[];
}

const atMost = (value: number): Goal => ({ sign: "≤", value });
const atLeast = (value: number): Goal => ({ sign: "≥", value });

const execnet = (task: string, size: number, goal?: Goal, kind = ""): Peer => ({
  name: "execnet",
  player: "execnet",
  task,
  kind,
  size,
  goal,
});

const raw = (name: string, task: string, kind: string, size: number, goal?: Goal): Peer => ({
  name,
  player: "raw",
  task,
  kind,
  size,
  goal,
});

const capnweb = (task: string, size: number): Peer => ({
  name: "Cap'n Web on stdio",
  player: "capnweb",
  task,
  kind: "",
  size,
});

interface Details extends Partial<Omit<Entry, "ours">> {
  task?: string;
  kind?: string;
  size: number;
  unit: Unit;
  goal?: Goal;
}

function entry(id: string, details: Details): Entry {
  const { task = id, kind = "", size, unit, goal, ...rest } = details;
  return {
    id,
    variant: "",
    latency: false,
    fresh: false,
    once: false,
    figures: [{ key: "value", label: "", unit, goal }],
    peers: [],
    ...rest,
    ours: { player: "ours", task, kind, size },
  };
}

/** The same in the default model, which has the goals, and with `execmodel=main`, for comparison. */
function inBothModels(id: string, details: Details): Entry[] {
  return [
    entry(id, { ...details, kind: "worker", variant: "worker" }),
    entry(id, {
      ...details,
      kind: "main",
      variant: "main",
      peers: (details.peers ?? []).map((peer) => ({ ...peer, goal: undefined })),
    }),
  ];
}

const blocks = (direction: string): Entry[] =>
  inBothModels(`bulk-${direction}`, {
    size: 1000,
    unit: "MiB/s",
    peers: [
      execnet(`bulk-${direction}`, 300, atLeast(3)),
      raw("raw socket", `bulk-${direction}`, "socket", 1000, atLeast(0.8)),
      raw("raw pipe", `bulk-${direction}`, "pipe", 300),
    ],
  });

/** Everything, in the order of the table. */
export const ENTRIES: readonly Entry[] = [
  entry("start", {
    latency: true,
    size: 5,
    unit: "ms",
    peers: [
      execnet("start", 5, atMost(1.0)),
      raw("bare deno run", "deno-run", "time", 5, atMost(2.0)),
    ],
  }),
  entry("ping", {
    kind: "worker",
    latency: true,
    size: 1500,
    unit: "µs",
    peers: [
      execnet("ping", 1500, atMost(0.8)),
      raw("raw socket+worker", "ping", "socket+worker", 1500, atMost(2.0)),
      raw("raw pipe+worker", "ping", "pipe+worker", 1500),
      capnweb("ping", 1500),
    ],
  }),
  entry("ping-main", {
    task: "ping",
    kind: "main",
    latency: true,
    size: 1500,
    unit: "µs",
    peers: [
      execnet("ping", 1500, atMost(0.5)),
      raw("raw socket", "ping", "socket", 1500, atMost(1.3)),
      raw("raw pipe", "ping", "pipe", 1500),
      capnweb("ping", 1500),
    ],
  }),
  ...inBothModels("ints-in", {
    size: 1_000_000,
    unit: "/s",
    peers: [execnet("ints-in", 100_000, atLeast(15))],
  }),
  ...inBothModels("ints-out", {
    size: 1_000_000,
    unit: "/s",
    peers: [execnet("ints-out", 100_000, atLeast(15))],
  }),
  ...inBothModels("dicts-in", {
    size: 200_000,
    unit: "/s",
    peers: [execnet("dicts-in", 20_000, atLeast(15))],
  }),
  ...blocks("in"),
  ...blocks("out"),
  entry("ping-under-bulk", {
    kind: "worker",
    latency: true,
    size: 300,
    unit: "µs",
    figures: [
      { key: "ping", label: "", unit: "µs" },
      { key: "bulk", label: "bulk meanwhile", unit: "MiB/s" },
    ],
    peers: [
      execnet("ping-under-bulk", 100, atMost(0.4)),
      {
        name: "own idle ping",
        player: "ours",
        task: "idle-ping",
        kind: "worker",
        size: 1500,
        goal: atMost(2),
      },
    ],
  }),
  entry("unread", {
    kind: "worker",
    fresh: true,
    size: 8000,
    unit: "MiB",
    figures: [
      { key: "both", label: "both sides", unit: "MiB", goal: atMost(8) },
      { key: "local", label: "local", unit: "MiB" },
      { key: "remote", label: "remote", unit: "MiB" },
    ],
    peers: [execnet("unread", 8000)],
  }),
  ...(["main", "worker", "process"] as const).map((model) =>
    entry("memory", {
      kind: model,
      variant: model === "main" ? "main" : `${model} (with its warm spare)`,
      fresh: true,
      size: 1,
      unit: "MiB",
      peers: [
        raw("bare idle deno run", "memory", "", 1, model === "main" ? atMost(1.15) : undefined),
        execnet("memory", 1),
      ],
    })
  ),
  entry("agent", { size: 1, once: true, unit: "KiB", goal: atMost(32) }),
  entry("exec-main", {
    task: "exec",
    kind: "main",
    size: 1000,
    unit: "/s",
    peers: [execnet("exec", 1000, atLeast(1.5))],
  }),
  entry("exec-worker", {
    task: "exec",
    kind: "worker",
    size: 60,
    unit: "/s",
    peers: [raw("bare new Worker", "worker", "", 60, atLeast(0.9))],
  }),
  entry("exec-worker", {
    variant: "first item",
    task: "first-item",
    kind: "worker",
    latency: true,
    size: 5,
    unit: "ms",
    goal: atMost(1),
  }),
  entry("exec-process", {
    task: "exec",
    kind: "process",
    size: 20,
    unit: "/s",
    peers: [raw("bare deno run", "deno-run", "rate", 20, atLeast(0.9))],
  }),
  entry("exec-process", {
    variant: "first item",
    task: "first-item",
    kind: "process",
    latency: true,
    size: 5,
    unit: "ms",
    goal: atMost(2),
  }),
  ...inBothModels("call", { size: 1500, unit: "/s", peers: [execnet("exec", 1000, atLeast(1.5))] }),
  ...inBothModels("calls-100", {
    size: 10_000,
    unit: "/s",
    peers: [execnet("execs-100", 2000, atLeast(3)), capnweb("calls-100", 10_000)],
  }),
  ...inBothModels("many", {
    size: 20,
    unit: "ms",
    peers: [
      execnet("many", 20, atMost(0.8)),
      raw("20 bare deno run", "deno-runs", "", 20, atMost(1.2)),
    ],
  }),
  entry("workers", {
    fresh: true,
    size: 20,
    unit: "ms",
    figures: [
      { key: "time", label: "", unit: "ms" },
      { key: "rss", label: "RSS each", unit: "MiB", goal: atMost(10) },
    ],
    peers: [
      execnet("workers", 20, atMost(0.5)),
      raw("20 bare new Worker", "workers", "", 20),
    ],
  }),
  ...inBothModels("channels", {
    fresh: true,
    size: 10_000,
    unit: "/s",
    figures: [
      { key: "rate", label: "", unit: "/s" },
      { key: "local", label: "RSS each, local", unit: "B" },
      { key: "remote", label: "RSS each, remote", unit: "B" },
    ],
    peers: [execnet("channels", 10_000, atLeast(2))],
  }),
];

/** What `--quick` makes of a size. */
export function quickSize(size: number): number {
  return Math.max(1, Math.min(size, Math.ceil(size / 50)));
}
