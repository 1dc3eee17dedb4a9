/** What a measurement is: its work, its peers, its goals; and how one is written down. */

import type { FarKind } from "./far_host.ts";
import type { ScenePlan } from "./scene.ts";
import type { Goal, Unit } from "./table.ts";

/** A measuring program: see ours.ts, execnet_peer.py, raw.ts, capnweb.ts and rsync_peer.ts. */
export type PlayerName = "ours" | "execnet" | "raw" | "capnweb" | "rsync";

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

/** What the profile of a measurement is told for: a round trip, a MiB, a gateway. */
export interface Unity {
  noun: string;
  /** How much of the size makes one; without it a round is one. */
  size: number | undefined;
}

/** Whose start is told step by step: a gateway's of that model. */
export type StepsOf = "worker" | "main";

/** A measurement. Goals of peers are for its first figure. */
export interface Entry {
  id: string;
  /** What tells it from others with the same id. */
  variant: string;
  /** Whether it is measured idle and pinned to one core, as latencies are. */
  latency: boolean;
  /** Whether each round takes new programs, as growth of memory has to. */
  fresh: boolean;
  /** The host that is reached by ssh, if it takes one. */
  far: FarKind | undefined;
  /** Whether its result cannot differ from round to round. */
  once: boolean;
  /** What is copied, where something is; made in the size of our part. */
  scene?: ScenePlan | undefined;
  /** What its profile is told for. */
  item: Unity;
  /** The start that its profile shows step by step, if any. */
  steps?: StepsOf | undefined;
  figures: Figure[];
  ours: Part;
  peers: Peer[];
}

export const atMost = (value: number, cause?: string): Goal => ({ sign: "≤", value, cause });
export const atLeast = (value: number, cause?: string): Goal => ({ sign: "≥", value, cause });

/** What a profile is told for. */
export const per = (noun: string, size?: number): Unity => ({ noun, size });

export const execnet = (task: string, size: number, goal?: Goal, kind = ""): Peer => ({
  name: "execnet",
  player: "execnet",
  task,
  kind,
  size,
  goal,
});

export const raw = (name: string, task: string, kind: string, size: number, goal?: Goal): Peer => ({
  name,
  player: "raw",
  task,
  kind,
  size,
  goal,
});

export const capnweb = (task: string, size: number): Peer => ({
  name: "Cap'n Web on stdio",
  player: "capnweb",
  task,
  kind: "",
  size,
});

export interface Details extends Partial<Omit<Entry, "ours">> {
  task?: string;
  kind?: string;
  size: number;
  unit: Unit;
  goal?: Goal;
}

export function entry(id: string, details: Details): Entry {
  const { task = id, kind = "", size, unit, goal, ...rest } = details;
  return {
    id,
    variant: "",
    latency: false,
    fresh: false,
    far: undefined,
    once: false,
    item: per("item", 1),
    figures: [{ key: "value", label: "", unit, goal }],
    peers: [],
    ...rest,
    ours: { player: "ours", task, kind, size },
  };
}

/** The same in the default model, which has the goals, and with `execmodel=main`, for comparison. */
export function inBothModels(id: string, details: Details): Entry[] {
  return [
    entry(id, { ...details, kind: "worker", variant: "worker" }),
    entry(id, {
      ...details,
      ...(details.steps === undefined ? {} : { steps: "main" as const }),
      kind: "main",
      variant: "main",
      peers: (details.peers ?? []).map((peer) => ({ ...peer, goal: undefined })),
    }),
  ];
}

/** What `--quick` makes of a size. */
export function quickSize(size: number): number {
  return Math.max(1, Math.min(size, Math.ceil(size / 50)));
}
