/** Finds processes that a test has left behind. Linux only: it reads /proc. */

import { until } from "./wait.ts";

/** A process as /proc shows it. */
export interface ProcessState {
  pid: number;
  parent: number;
  group: number;
  state: string;
  command: string;
}

/** What gateways whose code may start programs put into the environment. */
const GATEWAY = "EXECNET_GATEWAY_";

/** Processes that are no children of this thread's, and whose descendants are still those of its tests. */
const FAMILIES = new Set<number>();

/** Counts all that descends from a process among what tests start. */
export function watchFamily(pid: number): void {
  FAMILIES.add(pid);
}

/**
 * Every process that descends from this program has this in its environment, so that it is found when its parent has
 * gone. The value is the same for all test files of a run, which share a process.
 */
const MARK = "EXECNET_TEST_RUN";
Deno.env.set(MARK, String(Deno.pid));

/** How long what was told to end may take to be gone. */
const GONE_TIMEOUT_MS = 4_000;

/** Between making such a folder and starting its process, or between the end of that and of the folder. */
const FOLDER_TIMEOUT_MS = 1_500;

/** All processes that live; zombies do not. */
export function processes(): Map<number, ProcessState> {
  const found = new Map<number, ProcessState>();
  for (const pid of processIds()) {
    const one = processState(pid);
    if (one !== undefined) found.set(pid, one);
  }
  return found;
}

function processIds(): number[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).map(({ name }) =>
    Number(name)
  );
}

/** One process, undefined when it is gone or a zombie. */
export function processState(pid: number): ProcessState | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    const command = Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").slice(0, 120);
    return { pid, parent: Number(parent), group: Number(group), state: state!, command };
  } catch {
    return undefined;
  }
}

/** The processes of a process group. */
export function groupMembers(group: number): ProcessState[] {
  return [...processes().values()].filter((one) => one.group === group);
}

/** All that descends from the process `pid`, itself left out. */
export function descendants(pid: number): ProcessState[] {
  return below(processes(), [pid]);
}

/** The processes that carry the same gateway's mark in their environment as `pid`, wherever they went. */
export function sameMark(pid: number): ProcessState[] {
  const mark = markOf(pid);
  if (mark === undefined) return [];
  return [...processes().values()].filter((one) => markOf(one.pid) === mark);
}

function markOf(pid: number): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0").find((one) => one.startsWith(GATEWAY));
  } catch {
    return undefined;
  }
}

/** Resolves when the process is gone; fails after `ms`. */
export async function gone(pid: number, ms: number = GONE_TIMEOUT_MS): Promise<void> {
  await until(`process ${pid} is gone`, () => processState(pid) === undefined, ms);
}

/** Resolves when nothing of the process group is left; fails after `ms`. */
export async function groupGone(group: number, ms: number = GONE_TIMEOUT_MS): Promise<void> {
  await until(`process group ${group} is gone`, () => groupMembers(group).length === 0, ms);
}

/** The processes of the parts that tests run against: a part ends them, and with them all that is below. */
const ofParts = new Set<number>();

/** Tells that a process belongs to a part, so that neither it nor what descends from it is a test's leak. */
export function startedByPart(pid: number): void {
  ofParts.add(pid);
}

/** Takes that back when the process has ended: its number may be given to another one. */
export function endedByPart(pid: number): void {
  ofParts.delete(pid);
}

/** Where processes run that are not this program's children: a user of an sshd, a container, another host. */
export interface FarSide {
  /** What lives there apart from the part itself. Zombies do not live. */
  processes(): ProcessState[];
}

/** Resolves when nothing runs there any more that was not there before; fails after `ms` with what is left. */
export async function nothingLeft(
  place: FarSide,
  before: readonly ProcessState[] = [],
  ms: number = GONE_TIMEOUT_MS,
): Promise<void> {
  const known = new Set(before.map((one) => one.pid));
  let left: ProcessState[] = [];
  await until("nothing is left there", () => {
    left = place.processes().filter((one) => !known.has(one.pid));
    return left.length === 0;
  }, ms).catch(() => {
    throw new Error(`Left on the far side after ${ms} ms:\n${left.map(shown).join("\n")}`);
  });
}

/** The processes with `NAME=value` in their environment at start, as far as this user may look at it. */
export function processesWithEnv(entry: string): ProcessState[] {
  return processesWhere((pid) => Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0").includes(entry));
}

/** The processes of a user. */
export function processesOfUser(uid: number): ProcessState[] {
  return processesWhere((pid) => Deno.statSync(`/proc/${pid}`).uid === uid);
}

/** The processes in a control group: those whose group's path holds `part`. */
export function processesInCgroup(part: string): ProcessState[] {
  return processesWhere((pid) => Deno.readTextFileSync(`/proc/${pid}/cgroup`).includes(part));
}

/** The processes in the network namespace that a file such as `/run/netns/name` stands for. */
export function processesInNetwork(file: string): ProcessState[] {
  const { ino } = Deno.statSync(file);
  return processesWhere((pid) => Deno.statSync(`/proc/${pid}/ns/net`).ino === ino);
}

function processesWhere(condition: (pid: number) => boolean): ProcessState[] {
  return [...processes().values()].filter((one) => {
    try {
      return condition(one.pid);
    } catch {
      return false; // It has ended, or is another user's.
    }
  });
}

/** The folders that connecting makes in the temporary directory. */
export function meetingFolders(): Set<string> {
  const folder = Deno.env.get("TMPDIR") ?? "/tmp";
  return new Set(
    [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => /^execnet-/.test(name)),
  );
}

/**
 * Takes note of what there is; {@linkcode LeakCheck.done} fails when there is more after a while. It tells the children
 * of this thread from those of other test files, which run in other threads of this process.
 */
export class LeakCheck {
  readonly #before: Set<number> = new Set(processIds());
  readonly #folders: Set<string> = meetingFolders();

  /** Fails when a process or a folder is left. */
  async done(): Promise<void> {
    let left: ProcessState[] = [];
    await until("no process is left", () => {
      left = oursAmong(processIds().filter((pid) => !this.#before.has(pid)));
      return left.length === 0;
    }, GONE_TIMEOUT_MS).catch(() => {});
    // Other test files come and go; what is here now and still is after a while, is left behind.
    let folders = [...meetingFolders()].filter((name) => !this.#folders.has(name));
    await until("no folder is left", () => {
      if (folders.length === 0) return true;
      const there = meetingFolders();
      const used = commandLines();
      folders = folders.filter((name) => there.has(name) && !used.some((line) => line.includes(name)));
      return folders.length === 0;
    }, FOLDER_TIMEOUT_MS).catch(() => {});
    if (left.length + folders.length === 0) return;
    const lines = left.map(shown);
    throw new Error(`The test leaves behind:\n${[...lines, ...folders].join("\n")}`);
  }
}

function shown(one: ProcessState): string {
  return `process ${one.pid} (${one.state}, parent ${one.parent}): ${one.command}`;
}

/** The whole command lines of all processes: the guard of a process names the folder that goes with it. */
function commandLines(): string[] {
  return processIds().map(commandLine);
}

/** The whole command line of a process; empty when it has ended. */
export function commandLine(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return "";
  }
}

/** Those that this thread has started, or what it has started; and those of this program that have lost their parents. */
function oursAmong(pids: readonly number[]): ProcessState[] {
  if (pids.length === 0) return [];
  const roots = new Set(
    Deno.readTextFileSync("/proc/thread-self/children").split(" ").filter((id) => id !== "").map(Number)
      .filter((pid) => !ofParts.has(pid)),
  );
  return pids.map(processState).filter((one) => one !== undefined).filter((one) => {
    for (let up: ProcessState | undefined = one; up !== undefined; up = processState(up.parent)) {
      if (FAMILIES.has(up.parent)) return true;
      if (up.parent === Deno.pid) return roots.has(up.pid);
    }
    return isOrphan(one.pid);
  });
}

function below(all: Map<number, ProcessState>, roots: number[]): ProcessState[] {
  const family = new Set(roots);
  const found: ProcessState[] = [];
  for (let size = -1; size !== family.size;) {
    size = family.size;
    for (const one of all.values()) {
      if (!family.has(one.parent) || family.has(one.pid)) continue;
      family.add(one.pid);
      found.push(one);
    }
  }
  return found;
}

/**
 * Whether a process comes from this program, whatever became of its parents. What runs on a node of Slurm's is looked
 * for by the fixture of that Slurm: another test file may have started it.
 */
function isOrphan(pid: number): boolean {
  try {
    const variables = Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0");
    return variables.includes(`${MARK}=${Deno.pid}`) &&
      !variables.some((one) => one.startsWith("SLURM_JOB_ID="));
  } catch {
    return false;
  }
}
