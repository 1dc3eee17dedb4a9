/** Times and rates for people. Pure. */

/** Milliseconds, in microseconds where they are few. */
export function milliseconds(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Bytes a second. */
export function bytesPerSecond(bytes: number): string {
  if (bytes < 1024 * 1024) return `${Math.max(1, Math.round(bytes / 1024))} KiB/s`;
  const mib = bytes / 1024 / 1024;
  return `${mib < 10 ? mib.toFixed(1) : Math.round(mib)} MiB/s`;
}
