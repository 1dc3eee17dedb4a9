/** The axes of the matrix of faults, and the cells that they make: what is tried, and why the rest is not. */

import type { ExecModel } from "../../mod.ts";
import type { Random } from "../helpers/seeded.ts";

/** What happens. */
export const FAULTS = [
  "kill",
  "stop",
  "nap",
  "memory",
  "disk",
  "stderr",
  "reader",
  "descriptors",
  "clock",
] as const;

/** Where: the program that has the gateway, its agent, or the processes of executions (`execmodel=process`). */
export const SIDES = ["near", "far", "execution"] as const;

/** When. */
export const STEPS = [
  "connecting",
  "idle",
  "source",
  "computing",
  "in",
  "out",
  "copy",
  "terminate",
] as const;

/** Ways of connecting, each with one model at least. */
export const KINDS = [
  "popen worker",
  "popen main",
  "popen process",
  "descriptor main",
  "command process",
  "ssh worker",
  "socket worker",
  "via worker",
  "inside worker",
] as const;

/** One of {@linkcode FAULTS}. */
export type Fault = typeof FAULTS[number];
/** One of {@linkcode SIDES}. */
export type Side = typeof SIDES[number];
/** One of {@linkcode STEPS}. */
export type Step = typeof STEPS[number];
/** One of {@linkcode KINDS}. */
export type Kind = typeof KINDS[number];

/** One fault, on one side, at one step, with one kind of gateway. */
export interface Cell {
  readonly fault: Fault;
  readonly side: Side;
  readonly step: Step;
  readonly kind: Kind;
}

/** The axes, by their names. */
export const AXES: Readonly<Record<keyof Cell, readonly string[]>> = {
  fault: FAULTS,
  side: SIDES,
  step: STEPS,
  kind: KINDS,
};

/** How a cell is called. */
export function nameOf({ fault, side, step, kind }: Cell): string {
  return `${fault} ${side} ${step} [${kind}]`;
}

/** Where the executions of a kind run. */
export function modelOf(kind: Kind): ExecModel {
  return kind.split(" ")[1] as ExecModel;
}

/** How a kind is reached. */
export function wayOf(kind: Kind): string {
  return kind.split(" ")[0]!;
}

/** Whether the way to a kind leads through a shell, whose beat goes by what is printed. */
export function hasBeat({ kind }: Cell): boolean {
  return ["command", "ssh"].includes(wayOf(kind));
}

/** Why a cell is no case of its own, in words. */
const EXCLUSIONS: readonly [reason: string, excludes: (cell: Cell) => boolean][] = [
  [
    "a worker gateway has no process of its own",
    ({ kind, side }) => wayOf(kind) === "inside" && side !== "near",
  ],
  [
    "only the process model has processes of executions",
    ({ kind, side }) => side === "execution" && modelOf(kind) !== "process",
  ],
  [
    "there is no execution before the greeting",
    ({ side, step }) => side === "execution" && step === "connecting",
  ],
  [
    "output is read on the near side, and by nobody before the greeting",
    ({ fault, side, step }) => fault === "reader" && (side !== "near" || step === "connecting"),
  ],
  [
    "what computes in main lets nothing else be executed",
    ({ fault, side, kind, step }) =>
      modelOf(kind) === "main" && step === "computing" && side !== "near" &&
      (fault === "memory" || fault === "stderr"),
  ],
  [
    "an execution has the clock and the disk of its agent",
    ({ fault, side }) => side === "execution" && (fault === "clock" || fault === "disk"),
  ],
  [
    "an agent of the process model runs no code that could take its memory or its stderr",
    ({ fault, side, kind, step }) =>
      side === "far" && modelOf(kind) === "process" && step !== "connecting" &&
      (fault === "memory" || fault === "stderr"),
  ],
  [
    "no code of users runs before the greeting",
    ({ fault, side, step }) => side === "far" && step === "connecting" && fault === "memory",
  ],
  [
    "nothing can be executed any more",
    ({ fault, side, step }) =>
      side !== "near" && step === "terminate" && (fault === "memory" || fault === "stderr"),
  ],
  [
    "a server starts its own Deno, in its own surroundings",
    ({ fault, side, kind, step }) =>
      side === "far" && wayOf(kind) === "socket" &&
      (fault === "clock" || step === "connecting" && ["descriptors", "stderr", "disk"].includes(fault)),
  ],
  [
    "over a connection of the user's own that goes on, nobody is left to look for what stands still behind a full pipe",
    ({ fault, side, kind, step }) =>
      side === "near" && (fault === "kill" || fault === "memory") && wayOf(kind) === "ssh" &&
      ["connecting", "source", "copy"].includes(step),
  ],
  [
    "Deno itself ends where it has no descriptor for a Worker of this program",
    ({ fault, kind }) => wayOf(kind) === "inside" && fault === "descriptors",
  ],
  [
    "code that computes in main gives no sign of life, and looks for none",
    ({ fault, side, kind, step }) =>
      modelOf(kind) === "main" && step === "computing" && side === "near" && fault === "stop",
  ],
];

/** Why a cell is left out; undefined for those that are tried. */
export function exclusionOf(cell: Cell): string | undefined {
  return EXCLUSIONS.find(([, excludes]) => excludes(cell))?.[0];
}

/** All combinations. */
export const COMBINATIONS: readonly Cell[] = FAULTS.flatMap((fault) =>
  SIDES.flatMap((side) => STEPS.flatMap((step) => KINDS.map((kind) => ({ fault, side, step, kind }))))
);

/** All that are tried. */
export const CELLS: readonly Cell[] = COMBINATIONS.filter((cell) => exclusionOf(cell) === undefined);

/**
 * Some of the cells, such that no value of an axis is chosen much more often than the others: each time one of those
 * whose values have been chosen least.
 */
export function choose(cells: readonly Cell[], count: number, random: Random): Cell[] {
  const left = [...cells];
  const times = new Map<string, number>();
  const used = (cell: Cell): number =>
    Object.keys(AXES).reduce((sum, axis) => {
      const size = AXES[axis as keyof typeof AXES].length;
      return sum + (times.get(`${axis} ${cell[axis as keyof Cell]}`) ?? 0) * size;
    }, 0);
  const chosen: Cell[] = [];
  while (chosen.length < count && left.length > 0) {
    const least = Math.min(...left.map(used));
    const cell = random.pick(left.filter((one) => used(one) === least));
    left.splice(left.indexOf(cell), 1);
    chosen.push(cell);
    for (const axis of Object.keys(AXES)) {
      const value = `${axis} ${cell[axis as keyof Cell]}`;
      times.set(value, (times.get(value) ?? 0) + 1);
    }
  }
  return chosen;
}
