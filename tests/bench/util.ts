/** What the measuring programs share: checks, small statistics, and the memory of processes. */

/** A block of bulk data. */
export const BLOCK_BYTES: number = 1 << 20;

/** An item that nobody receives. */
export const UNREAD_BYTES: number = 64 * 1024;

/** Throws unless what was moved is what was expected. */
export function expect(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}

/** Checks a block: whole, and marked with its number at both ends. */
export function expectBlock(block: unknown, index: number, bytes: number = BLOCK_BYTES): void {
  if (
    !(block instanceof Uint8Array) || block.length !== bytes || block[0] !== index % 16 ||
    block[bytes - 1] !== 255 - index % 16
  ) {
    throw new Error(`block ${index} is not what was sent`);
  }
}

/** Marks a block with its number. */
export function markBlock(block: Uint8Array, index: number): void {
  block[0] = index % 16;
  block[block.length - 1] = 255 - index % 16;
}

/** The middle value; of an even number of them, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[at]! : (sorted[at - 1]! + sorted[at]!) / 2;
}

/** Does work number 0 to `size - 1`, `lanes` of them at any time. */
export async function inLanes(
  lanes: number,
  size: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < size) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, size) }, lane));
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resident memory of a process, in MiB. */
export function rssOf(pid: number): number {
  return memoryOf(pid, /^VmRSS:\s+(\d+) kB$/m);
}

/** The most that it has been since {@linkcode resetPeakRss}, in MiB. */
export function peakRssOf(pid: number): number {
  return memoryOf(pid, /^VmHWM:\s+(\d+) kB$/m);
}

/** Has the peak count from now on; see proc(5), clear_refs. */
export function resetPeakRss(pid: number): void {
  Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5");
}

function memoryOf(pid: number, line: RegExp): number {
  const match = Deno.readTextFileSync(`/proc/${pid}/status`).match(line);
  if (match === null) throw new Error(`process ${pid} has no resident memory`);
  return Number(match[1]) / 1024;
}

/** Resident memory of a process and of all that it started, in MiB. Memory that they share is counted for each. */
export function rssOfTree(pid: number): number {
  let total = rssOf(pid);
  for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/children`).trim();
    for (const child of children.split(" ")) if (child !== "") total += rssOfTree(Number(child));
  }
  return total;
}
