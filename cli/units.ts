/** Amounts, times and rates for people. Pure. */

/** What is counted. */
export type Unit = "bytes" | "items";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes or of items, short. */
export function amount(count: number, unit: Unit): string {
  if (unit === "bytes") return bytes(count);
  return count >= 100 || Number.isInteger(count) ? String(Math.round(count)) : count.toFixed(1);
}

function bytes(count: number): string {
  const power = count < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(count) / 10));
  const scaled = count / 1024 ** power;
  return `${power === 0 ? Math.floor(scaled) : scaled.toFixed(scaled < 100 ? 1 : 0)} ${UNITS[power]}`;
}

/** Milliseconds as minutes and seconds, with hours where there are any. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (count: number): string => String(count).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** Milliseconds, in microseconds where they are few. */
export function milliseconds(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
