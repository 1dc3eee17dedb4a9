/** Works out where the time of a measurement goes: what each kind of thread took, for each item. */

import { TICK_MS } from "./proc.ts";
import type { StepsOf } from "./entry.ts";
import type { Steps } from "./steps.ts";
import type { Cost, Process, Snapshot, Thread } from "./proc.ts";

/** What is counted, of one kind of thread. Times are milliseconds. */
export interface Usage {
  /** Which processes: the caller, or the name of a program, with an arrow for each step below the caller. */
  process: string;
  /** Which of their threads. */
  thread: "main" | "Workers" | "others" | "ended threads" | "ended";
  time: number;
  faults: number;
  /** How the time is divided, in ticks of the clock; for an item, its share of the time, or null of a few ticks. */
  user: number | null;
  system: number | null;
  /** These three are not known of what has ended. */
  waited: number | null;
  sleeps: number | null;
  preempted: number | null;
}

/** What is measured of it. */
type Measured = Omit<Usage, "process" | "thread">;

/** What a round took, or several. */
export interface Profile {
  /** How many items were moved, calls made, gateways started. */
  items: number;
  /** Milliseconds from the order to the answer. */
  wall: number;
  /** The most that one of the threads has taken that were there at the end. */
  busiest: { name: string; time: number };
  usages: Usage[];
}

/** The profile of a measurement: what each took for an item. */
export interface EntryProfile {
  /** The row of the table, without what tells its figures apart. */
  row: string;
  /** What the figures are for. */
  item: string;
  /** Processors that it might use. */
  cores: number;
  /** Ours first. */
  sides: { name: string; profile: Profile }[];
  /** Whose start is to be told step by step, if anybody's. */
  stepsOf: StepsOf | undefined;
  /** A start, step by step, once it has been traced. */
  steps?: Steps | undefined;
}

/** What has ended: processes, of which only the sum is known. */
const ENDED_PROCESSES = "processes that ended";

/** What two snapshots differ by: what happened between them. */
export function profileOf(before: Snapshot, after: Snapshot, wall: number, items: number): Profile {
  const usages = new Map<string, Usage>();
  const add = (process: string, thread: Usage["thread"], more: Measured): void => {
    const key = `${process} ${thread}`;
    const one = usages.get(key);
    usages.set(key, one === undefined ? { process, thread, ...more } : sum(one, more));
  };
  const busiest = { name: "", time: 0 };
  const dead = { user: 0, system: 0, faults: 0 };
  for (const [pid, now] of after) {
    const then = sameAs(before.get(pid), now);
    const name = nameOf(now);
    const live = { user: 0, system: 0, faults: 0 };
    let liveTime = 0;
    for (const [id, thread] of now.threads) {
      const more = threadDifference(then?.threads.get(id), thread);
      const kind = id === pid ? "main" : /^worker-\d+$/.test(thread.name) ? "Workers" : "others";
      add(name, kind, more);
      addCost(live, more);
      liveTime += more.time;
      if (more.time > busiest.time) Object.assign(busiest, { name: `${name}, ${kind}`, time: more.time });
    }
    const all = difference(then?.own, now.own);
    add(name, "ended threads", ended(all.user + all.system - liveTime, difference(live, all)));
    addCost(dead, difference(then?.ended, now.ended));
  }
  // Whoever waits for a process gets the time of its whole life, what it took before included.
  for (const [pid, then] of before) {
    if (sameAs(after.get(pid), then) !== undefined || !isAwaited(then, before, after)) continue;
    for (const cost of [then.own, then.ended]) {
      addCost(dead, difference(cost, { user: 0, system: 0, faults: 0 }));
    }
  }
  add(ENDED_PROCESSES, "ended", ended(dead.user + dead.system, dead));
  return { items, wall, busiest, usages: [...usages.values()] };
}

/** Several rounds as one. */
export function sumOfProfiles(profiles: readonly Profile[]): Profile | undefined {
  const [first, ...rest] = profiles;
  if (first === undefined) return undefined;
  const total: Profile = {
    ...first,
    busiest: { ...first.busiest },
    usages: first.usages.map((one) => ({ ...one })),
  };
  for (const { items, wall, busiest, usages } of rest) {
    total.items += items;
    total.wall += wall;
    // The same kind of thread is the busiest in every round, but for chance.
    total.busiest.time += busiest.time;
    for (const usage of usages) {
      const at = total.usages.findIndex(({ process, thread }) =>
        process === usage.process && thread === usage.thread
      );
      if (at < 0) total.usages.push({ ...usage });
      else total.usages[at] = sum(total.usages[at]!, usage);
    }
  }
  return total;
}

/** The share of the processor time that is worth a line, or that of all times that a thread went to sleep. */
const WORTH = 0.01;
const WORTH_OF_WAKING = 0.05;

/** Fewer ticks than that say nothing. */
const ENOUGH_MS = 5 * TICK_MS;

/** What is a difference of ticks must be more. */
const WORTH_OF_TICKS = 0.05;

/**
 * The same for each item, without what is nothing: threads that hardly ran and hardly woke. The caller comes
 * first, and the greatest within its process.
 */
export function perItem({ items, wall, busiest, usages }: Profile): Profile {
  const total = usages.reduce((all, { time }) => all + Math.max(0, time), 0);
  const woken = usages.reduce((all, { sleeps }) => all + (sleeps ?? 0), 0);
  const each = (value: number | null): number | null => value === null ? null : value / items;
  const kept = usages.filter(({ thread, time, sleeps }) =>
    thread === "ended threads"
      ? time >= Math.max(ENOUGH_MS, total * WORTH_OF_TICKS)
      : time >= total * WORTH || (sleeps ?? 0) > woken * WORTH_OF_WAKING
  );
  // Steps below the caller; what ended comes last.
  const depth = ({ process, thread }: Usage): number =>
    thread === "ended" ? Infinity : process.split("› ").length;
  kept.sort((a, b) =>
    (depth(a) === depth(b) ? 0 : depth(a) - depth(b)) || a.process.localeCompare(b.process) || b.time - a.time
  );
  return {
    items: 1,
    wall: wall / items,
    busiest: { name: busiest.name, time: busiest.time / items },
    usages: kept.map((usage): Usage => ({
      ...usage,
      time: usage.time / items,
      ...divide(usage.time / items, usage.user, usage.system),
      faults: usage.faults / items,
      waited: each(usage.waited),
      sleeps: each(usage.sleeps),
      preempted: each(usage.preempted),
    })),
  };
}

/** Processor time of all that took part, and how much of it is that of threads and processes that have ended. */
export function processorTime({ usages }: Profile): { all: number; ended: number } {
  const sumOf = (some: readonly Usage[]): number => some.reduce((all, { time }) => all + time, 0);
  return { all: sumOf(usages), ended: sumOf(usages.filter(({ sleeps }) => sleeps === null)) };
}

function nameOf({ depth, name }: Process): string {
  return depth === 0 ? "caller" : `${"› ".repeat(depth)}${name}`;
}

function sameAs(one: Process | undefined, other: Process): Process | undefined {
  return one?.born === other.born ? one : undefined;
}

/** Whether a process that has ended had one above it that goes on. */
function isAwaited(process: Process, before: Snapshot, after: Snapshot): boolean {
  const parent = before.get(process.parent);
  if (parent === undefined) return false;
  return sameAs(after.get(process.parent), parent) !== undefined || isAwaited(parent, before, after);
}

function threadDifference(then: Thread | undefined, now: Thread): Measured & Cost {
  const of = (field: Exclude<keyof Thread, "name">): number => now[field] - (then?.[field] ?? 0);
  return {
    time: of("time"),
    user: of("user"),
    system: of("system"),
    waited: of("waited"),
    faults: of("faults"),
    sleeps: of("sleeps"),
    preempted: of("preempted"),
  };
}

function ended(time: number, { user, system, faults }: Cost): Measured {
  return { time, user, system, faults, waited: null, sleeps: null, preempted: null };
}

/** An exact time, divided as its ticks are. */
function divide(time: number, user: number | null, system: number | null): Pick<Usage, "user" | "system"> {
  const ticks = (user ?? 0) + (system ?? 0);
  if (ticks < ENOUGH_MS) return { user: null, system: null };
  const share = system! / ticks;
  return { user: time * (1 - share), system: time * share };
}

function difference(then: Cost | undefined, now: Cost): Cost {
  return {
    user: now.user - (then?.user ?? 0),
    system: now.system - (then?.system ?? 0),
    faults: now.faults - (then?.faults ?? 0),
  };
}

function addCost(total: Cost, more: Cost): void {
  total.user += more.user;
  total.system += more.system;
  total.faults += more.faults;
}

function sum(one: Usage, more: Measured): Usage {
  const plus = (a: number | null, b: number | null): number | null => a === null || b === null ? null : a + b;
  return {
    ...one,
    time: one.time + more.time,
    user: plus(one.user, more.user),
    system: plus(one.system, more.system),
    faults: one.faults + more.faults,
    waited: plus(one.waited, more.waited),
    sleeps: plus(one.sleeps, more.sleeps),
    preempted: plus(one.preempted, more.preempted),
  };
}
