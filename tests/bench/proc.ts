/** What /proc tells of the processes that take part in a measurement: time, switches and page faults, by thread. */

/** The clock ticks of /proc are these milliseconds, on every Linux that Deno runs on. */
export const TICK_MS = 10;

/** Children inherit this variable, so that those whose parent has ended, as that of a daemon has, are found. */
export const PLAYER_MARK = "BENCH_PLAYER";

/** The fields of `/proc/PID/stat` that count here; times in milliseconds. */
export interface Stat {
  name: string;
  parent: number;
  /** Since it started: tells it from a later process with the same id. */
  born: number;
  own: Cost;
  /** Children that have ended and were waited for, with theirs. */
  ended: Cost;
}

/** Processor time in milliseconds, and page faults that needed no disk. */
export interface Cost {
  user: number;
  system: number;
  faults: number;
}

/** A thread, from its beginning to now. Times in milliseconds. */
export interface Thread {
  name: string;
  /** On a processor: exact, where {@linkcode Cost} counts ticks. */
  time: number;
  /** Ready to run, while something else did. */
  waited: number;
  /** How the ticks of its time are divided. */
  user: number;
  system: number;
  faults: number;
  /** Switches that it asked for: it had nothing to do. */
  sleeps: number;
  /** Switches that it did not ask for. */
  preempted: number;
}

/** A process, from its beginning to now. */
export interface Process extends Stat {
  threads: Map<number, Thread>;
  /** How far below the measuring program it is, which is at 0; what is marked and has no parent any more is at 1. */
  depth: number;
}

/** All processes that take part, by id. */
export type Snapshot = Map<number, Process>;

/** Reads `/proc/PID/stat`; a name may hold anything. */
export function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  const cost = (time: number, faults: number): Cost => ({
    user: fields[time]! * TICK_MS,
    system: fields[time + 1]! * TICK_MS,
    faults: fields[faults]!,
  });
  return {
    name: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")),
    parent: fields[1]!,
    born: fields[19]!,
    own: cost(11, 7),
    ended: cost(13, 8),
  };
}

/** Reads the files `stat`, `schedstat` and `status` of a thread. */
export function parseThread(stat: string, schedstat: string, status: string): Thread {
  const { name, own } = parseStat(stat);
  const [time, waited] = schedstat.split(" ").map((field) => Number(field) / 1e6);
  const count = (line: RegExp): number => Number(line.exec(status)?.[1]);
  return {
    name,
    time: time!,
    waited: waited!,
    ...own,
    sleeps: count(/^voluntary_ctxt_switches:\s+(\d+)$/m),
    preempted: count(/^nonvoluntary_ctxt_switches:\s+(\d+)$/m),
  };
}

/**
 * Looks at a measuring program, at all that it has started, and at `others`, e.g. a server that it uses, with what is
 * under them. What ends meanwhile is left out.
 *
 * @param mark The value of the variable {@linkcode PLAYER_MARK} in the program's environment.
 */
export function takeSnapshot(player: number, mark: string, others: readonly number[] = []): Snapshot {
  const stats = new Map<number, Stat>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    if (stat !== undefined) stats.set(Number(name), parseStat(stat));
  }
  const depths = new Map<number, number | undefined>([
    [player, 0],
    ...others.map((pid) => [pid, 1] as const),
  ]);
  const marked = `${PLAYER_MARK}=${mark}`;
  const depthOf = (pid: number): number | undefined => {
    if (depths.has(pid)) return depths.get(pid);
    const stat = stats.get(pid);
    if (stat === undefined) return undefined;
    const above = depthOf(stat.parent);
    const depth = above !== undefined
      ? above + 1
      : read(`/proc/${pid}/environ`)?.split("\0").includes(marked)
      ? 1
      : undefined;
    depths.set(pid, depth);
    return depth;
  };
  const snapshot: Snapshot = new Map();
  for (const [pid, stat] of stats) {
    const depth = depthOf(pid);
    if (depth !== undefined) snapshot.set(pid, { ...stat, depth, threads: threadsOf(pid) });
  }
  return snapshot;
}

function threadsOf(pid: number): Map<number, Thread> {
  const threads = new Map<number, Thread>();
  let ids: string[] = [];
  try {
    ids = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => name);
  } catch {
    // It has just ended.
  }
  for (const id of ids) {
    const folder = `/proc/${pid}/task/${id}`;
    const [stat, schedstat, status] = ["stat", "schedstat", "status"].map((file) =>
      read(`${folder}/${file}`)
    );
    if (stat === undefined || schedstat === undefined || status === undefined) continue;
    threads.set(Number(id), parseThread(stat, schedstat, status));
  }
  return threads;
}

/** The text of a file; undefined when what it is about has ended, or is somebody else's. */
function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
