/** How cost grows with the number of channels and gateways, and what a gateway costs the program that makes it. */

import { atLeast, atMost, entry, execnet, per, raw } from "./entry.ts";
import type { Entry, Part, Peer } from "./entry.ts";
import type { Goal, Unit } from "./table.ts";

/** What is the same work for each should cost the same; this much is left to chance. */
const FLAT: Goal = atMost(1.2, "what is more for each at once, and for nobody alone: caches that are colder");
const FLAT_RATE: Goal = atLeast(
  0.83,
  "items of many channels share fewer frames and pieces than those of one",
);

const PING = "frames, codec and promises on both sides take as long again as the sockets and the event loops";

const MAIN = "popen//execmodel=main";

/** What our figure is compared with: the same for fewer. The ratio is the slope. */
function own(name: string, part: Omit<Part, "player">, goal?: Goal): Peer {
  return { name: `own, ${name}`, player: "ours", ...part, goal };
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Round trips on channels of one gateway in turn; the number of round trips is the same for all. */
function pingChannels(spec: string, variant: string): Entry[] {
  return [10, 100].map((count) =>
    entry("growth-ping", {
      task: "ping-channels",
      kind: `${count} ${spec}`,
      variant: `${plural(count, "channel")} ${variant}`,
      latency: true,
      size: 1000,
      item: per("round trip", 1),
      unit: "µs",
      peers: [
        own("1 channel", { task: "ping-channels", kind: `1 ${spec}`, size: 1000 }, FLAT),
        ...(count === 100 ? [execnet("ping-channels", 500, undefined, String(count))] : []),
      ],
    })
  );
}

/** The same on gateways in turn. An idle process wakes slower than a busy one, which the raw sockets show as well. */
function pingGateways(spec: string, variant: string): Entry[] {
  const limited = spec === MAIN;
  return [1, 10, 100].map((count) =>
    entry("growth-ping", {
      task: "ping-gateways",
      kind: `${count} ${spec}`,
      variant: `${plural(count, "gateway")} ${variant}`,
      latency: true,
      size: 1000,
      item: per("round trip", 1),
      unit: "µs",
      peers: [
        ...(count === 1 ? [] : [own("1 gateway", { task: "ping-gateways", kind: `1 ${spec}`, size: 1000 })]),
        ...(limited
          ? [raw(`raw sockets, ${count} in turn`, "ping-in-turn", String(count), 1000, atMost(2.0, PING))]
          : []),
      ],
    })
  );
}

function ints(spec: string, variant: string): Entry[] {
  return [10, 100].map((count) =>
    entry("growth-ints", {
      task: "ints-over",
      kind: `${count} ${spec}`,
      variant: `${plural(count, "channel")} ${variant}`,
      size: 500_000,
      item: per("1,000 items", 1000),
      unit: "/s",
      peers: [
        own("1 channel", { task: "ints-over", kind: `1 ${spec}`, size: 500_000 }, FLAT_RATE),
        ...(count === 100 ? [execnet("ints-over", 50_000, undefined, String(count))] : []),
      ],
    })
  );
}

const EACH: Entry["figures"] = [
  { key: "each", label: "each", unit: "ms" },
  { key: "start", label: "start each", unit: "ms" },
  { key: "end", label: "end each", unit: "ms" },
];

/** Gateways that start together. One alone leaves processors idle, so that ten are what a hundred are compared with. */
function many(spec: string, variant: string): Entry {
  return entry("growth-many", {
    task: "many-each",
    kind: spec,
    variant: `100 ${variant}`,
    figures: EACH,
    size: 100,
    item: per("gateway", 1),
    unit: "ms",
    peers: [
      own("10", { task: "many-each", kind: spec, size: 10 }, FLAT),
      own("1", { task: "many-each", kind: spec, size: 1 }, FLAT),
      ...(spec === MAIN ? [execnet("many-each", 20)] : []),
    ],
  });
}

function channels(size: number, fewer: number): Entry {
  return entry("growth-channels", {
    task: "channels-each",
    kind: "main",
    variant: `${size}`,
    fresh: true,
    size,
    item: per("channel", 1),
    unit: "µs",
    figures: [
      { key: "each", label: "each", unit: "µs" },
      { key: "local", label: "RSS each, local", unit: "B" },
      { key: "remote", label: "RSS each, remote", unit: "B" },
    ],
    peers: [own(`${fewer}`, { task: "channels-each", kind: "main", size: fewer }, FLAT)],
  });
}

/** What is predicted for many is what each of a few costs. */
const WORKERS: Entry = entry("growth-workers", {
  task: "workers-each",
  variant: "200",
  fresh: true,
  size: 200,
  item: per("gateway", 1),
  unit: "ms",
  figures: [
    { key: "start", label: "start each", unit: "ms" },
    { key: "end", label: "end each", unit: "ms" },
    { key: "rss", label: "RSS each", unit: "MiB" },
    { key: "heap", label: "heap each", unit: "KiB" },
    { key: "descriptors", label: "descriptors each", unit: "" },
    { key: "maps", label: "mappings each", unit: "" },
  ],
  peers: [own("20", { task: "workers-each", kind: "", size: 20 }, FLAT)],
});

type Cost = readonly [key: string, label: string, unit: Unit];

/** Figures that are no time and no memory are counts. */
const COSTS: readonly Cost[] = [
  ["descriptors", "descriptors", ""],
  ["heap", "heap", "KiB"],
  ["rss", "RSS", "KiB"],
  ["start", "start", "ms"],
  ["thread", "start, time of the caller's thread", "ms"],
  ["time", "start, processor time", "ms"],
];

const OF_WORKERS: readonly Cost[] = [
  ["workers", "threads", ""],
  ["maps", "mappings", ""],
];

const OF_PROCESSES: readonly Cost[] = [
  ["processes", "processes", ""],
  ["memory", "memory of these", "MiB"],
];

/** What a hop or a server pays for each. */
const OF_BASE: readonly Cost[] = [
  ["far", "processes over there", ""],
  ["memory", "memory of these", "MiB"],
  ["baseDescriptors", "descriptors over there", ""],
  ["baseMemory", "memory over there", "KiB"],
];

function costs(kind: string, more: readonly Cost[], ssh = false): Entry {
  return entry("gateway-costs", {
    kind,
    variant: `${kind}:`,
    fresh: true,
    far: ssh ? "near" : undefined,
    size: 20,
    item: per("gateway", 1),
    unit: "ms",
    figures: [...COSTS, ...more].map(([key, label, unit]) => ({ key, label, unit })),
  });
}

/** In the order of the table. */
export const GROWTH_ENTRIES: readonly Entry[] = [
  ...pingChannels("popen", "worker"),
  ...pingChannels(MAIN, "main"),
  ...pingGateways(MAIN, "main"),
  ...pingGateways("worker", "inside"),
  ...ints("popen", "worker"),
  ...ints(MAIN, "main"),
  many(MAIN, "main"),
  many("worker", "inside"),
  channels(10_000, 1_000),
  channels(100_000, 10_000),
  WORKERS,
  ...["popen", MAIN, "popen//execmodel=process"].map((kind) => costs(kind, OF_PROCESSES)),
  ...["worker", "worker//execmodel=main"].map((kind) => costs(kind, OF_WORKERS)),
  ...["ssh shared", "ssh own"].map((kind) => costs(kind, OF_PROCESSES, true)),
  ...["socket", "via"].map((kind) => costs(kind, OF_BASE)),
];
