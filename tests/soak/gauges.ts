/** What a soak takes of its machine, looked at while nothing is under way, and whether that is flat. */

import { descriptorCount, privateMemory, processesUnder } from "../helpers/footprint.ts";
import { meetingFolders } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";

/** By the name of what is measured. */
export type Reading = ReadonlyMap<string, number>;

/** How much more of something may be there in the end than at the start. */
interface Limit {
  readonly unit: "MiB" | "";
  /** So many units. */
  readonly least: number;
  /** And at least this part of what was there. */
  readonly part: number;
  /** Whether it may rise until half time: what Workers have had, the allocator keeps for the next ones. */
  readonly late?: boolean;
}

const MIB = 2 ** 20;

/** What goes on after the end of what it is about: a process that is being reaped, a spare that is being made. */
const SETTLE_TIMEOUT_MS = 15_000;

/** What has been the same for so long is complete: the next spare is made sooner after the last one was taken. */
const COMPLETE_MS = 1_000;

/** How many descriptors Deno keeps for itself, e.g. of the event queue of a Worker that has ended. */
const KEPT_DESCRIPTORS = 4;

/** A heap's young generation, which grows to this with what is made at once; nobody can collect it from here. */
const YOUNG_MIB = 32;

/** The limits by the beginning of the name. */
const LIMITS: Readonly<Record<string, Limit>> = {
  "caller's heap": { unit: "MiB", least: 4, part: 0.1 },
  "caller's resident memory": { unit: "MiB", least: 64, part: 0.15, late: true },
  "descriptors": { unit: "", least: KEPT_DESCRIPTORS, part: 0 },
  "processes": { unit: "", least: 0, part: 0 },
  "folders": { unit: "", least: 0, part: 0 },
  "agent's memory": { unit: "MiB", least: YOUNG_MIB, part: 0.25 },
  "agent's descriptors": { unit: "", least: 2, part: 0 },
};

/** What is counted, and not weighed: it comes to rest a while after the work. */
function counts(): [string, number][] {
  return [
    ["descriptors", descriptorCount()],
    ["processes", processesUnder().length],
    ["folders", meetingFolders().size],
  ];
}

/** An agent whose memory is looked at. */
export interface Sample {
  readonly name: string;
  readonly pid: number;
}

/** Resolves when the counts change no more: what is still being made belongs to the start, too. */
async function complete(): Promise<void> {
  let last = "";
  let since = performance.now();
  await until("counts stay as they are", () => {
    const now = counts().join();
    if (now !== last) since = performance.now();
    last = now;
    return performance.now() - since >= COMPLETE_MS;
  }, SETTLE_TIMEOUT_MS).catch(() => {
    // The verdict says so.
  });
}

/**
 * Looks at this process and at some agents. Waits a while for counts to be those of `before`, or without that, to be the
 * same for a while.
 */
export async function readGauges(samples: readonly Sample[], before?: Reading): Promise<Reading> {
  if (before === undefined) await complete();
  const same = (): boolean => counts().every(([name, value]) => !exceeds(name, before?.get(name), value));
  await until("counts are as they were", same, SETTLE_TIMEOUT_MS).catch(() => {
    // The verdict says so.
  });
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error("Cannot weigh the heap: run it with --v8-flags=--expose-gc");
  for (let round = 0; round < 3; round++) {
    collect();
    // What the collector has found to be garbage is freed by others.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, rss } = Deno.memoryUsage();
  return new Map<string, number>([
    ["caller's heap", heapUsed / MIB],
    ["caller's resident memory", rss / MIB],
    ...counts(),
    ...samples.flatMap(({ name, pid }): [string, number][] => [
      [`agent's memory, ${name}`, privateMemory(pid) / MIB],
      [`agent's descriptors, ${name}`, descriptorCount(pid)],
    ]),
  ]);
}

function limitOf(name: string): Limit {
  return LIMITS[name.split(",")[0]!]!;
}

/** By how much something may grow from `start`. */
function allowed(name: string, start: number): number {
  const { least, part } = limitOf(name);
  return Math.max(least, part * start);
}

function exceeds(name: string, start: number | undefined, value: number): boolean {
  return start !== undefined && Math.abs(value - start) > allowed(name, start);
}

/** A reading with its time. */
export interface Point {
  readonly minutes: number;
  readonly reading: Reading;
}

/** What has become of one gauge. */
export interface Verdict {
  readonly name: string;
  readonly unit: "MiB" | "";
  readonly start: number;
  readonly end: number;
  readonly lowest: number;
  readonly highest: number;
  /** Of the straight line through all points, in a minute. */
  readonly slope: number;
  /** How much it may grow. */
  readonly limit: number;
  readonly flat: boolean;
}

/**
 * Whether each gauge is flat. What is counted has to be in the end what it was at the start; of what is weighed, the line
 * through all points has to rise by no more than the limit, and so has the end, so that neither a slow leak nor a late
 * one passes for noise; of this program's resident memory those of the second half.
 */
export function judge(points: readonly Point[]): Verdict[] {
  return [...points[0]!.reading.keys()].map((name) => {
    const { unit, late } = limitOf(name);
    const all = points.map(({ reading }) => reading.get(name)!);
    const judged = late ? points.slice(Math.floor(points.length / 2)) : points;
    const values = all.slice(points.length - judged.length);
    const [start, end] = [values[0]!, values.at(-1)!];
    const slope = slopeOf(judged.map(({ minutes }) => minutes), values);
    const limit = allowed(name, start);
    const risen = Math.max(slope * (judged.at(-1)!.minutes - judged[0]!.minutes), end - start);
    return {
      name,
      unit,
      start: all[0]!,
      end,
      lowest: Math.min(...all),
      highest: Math.max(...all),
      slope,
      limit,
      flat: unit === "MiB" ? risen <= limit : !exceeds(name, start, end),
    };
  });
}

/** The slope of the line with the least squares. */
function slopeOf(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(xs);
  const y = mean(ys);
  const spread = xs.reduce((sum, one) => sum + (one - x) ** 2, 0);
  return spread === 0 ? 0 : xs.reduce((sum, one, i) => sum + (one - x) * (ys[i]! - y), 0) / spread;
}
