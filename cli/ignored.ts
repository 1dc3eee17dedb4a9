/** Signals that whoever started this process has told it to ignore, as `nohup` does: those stay ignored. */

/** The signals that a process ignores, by their numbers, as Linux tells in `/proc/<pid>/status`. */
export function ignoredSignals(status: string): ReadonlySet<number> {
  const mask = BigInt(`0x${/^SigIgn:\s*([\da-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const numbers = Array.from({ length: 64 }, (_, i) => i + 1);
  return new Set(numbers.filter((number) => (mask >> BigInt(number - 1)) & 1n));
}

/** Those of this process; none where that cannot be found out. */
export function ignoredHere(): ReadonlySet<number> {
  if (Deno.build.os !== "linux") return new Set();
  try {
    return ignoredSignals(Deno.readTextFileSync("/proc/self/status"));
  } catch {
    return new Set();
  }
}
