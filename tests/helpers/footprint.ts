/** What this process takes of its machine, read in /proc: descriptors, threads, memory, time, and what is under it. */

/** How the threads of Workers are called. */
const WORKER_THREAD = /^worker-\d+$/;

/** The clock ticks of /proc are these milliseconds, on every Linux that Deno runs on. */
const TICK_MS = 10;

/** Open descriptors of a process. */
export function descriptorCount(pid: number = Deno.pid): number {
  // One of its own reads the folder.
  return entries(`/proc/${pid}/fd`).length - (pid === Deno.pid ? 1 : 0);
}

/** Threads that are Workers. */
export function workerThreads(): number {
  return [...Deno.readDirSync("/proc/self/task")]
    .filter(({ name }) => WORKER_THREAD.test(read(`/proc/self/task/${name}/comm`).trim())).length;
}

/** Pieces of address space, of which the system allows a process so many (`vm.max_map_count`). */
export function mapCount(): number {
  return read("/proc/self/maps").split("\n").length - 1;
}

/** The processes that a process has started and these in turn, as far as their parents live. */
export function processesUnder(pid: number = Deno.pid): number[] {
  const tasks = entries(`/proc/${pid}/task`);
  const children = tasks.flatMap((task) => read(`/proc/${pid}/task/${task}/children`).trim().split(" "))
    .filter((text) => text !== "").map(Number);
  return children.flatMap((child) => [child, ...processesUnder(child)]);
}

/** Memory that only a process has, in bytes: what its end would give back. */
export function privateMemory(pid: number): number {
  const lines = read(`/proc/${pid}/smaps_rollup`).matchAll(/^Private_\w+:\s+(\d+) kB$/gm);
  return lines.reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1024, 0);
}

/** Milliseconds of processor time that a process has taken, its children that have ended included. */
export function processTime(pid: number = Deno.pid): number {
  return ticks(`/proc/${pid}/stat`, 4) * TICK_MS;
}

/** Milliseconds of processor time that the thread has taken in which the program runs. */
export function mainThreadTime(): number {
  return ticks(`/proc/self/task/${Deno.pid}/stat`, 2) * TICK_MS;
}

/** The sum of so many of the fields that begin with the time in user mode. */
function ticks(path: string, count: number): number {
  const text = read(path);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 11 + count).reduce((sum, field) => sum + Number(field), 0);
}

/** The text of a file; none when what it is about has ended. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function entries(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}
