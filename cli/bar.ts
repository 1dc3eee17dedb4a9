/** What a progress bar looks like. Pure: numbers in, a line of text out. */

import { clip, columnsOf } from "./columns.ts";
import { amount, clock, type Unit } from "./units.ts";

/** How far something is. */
export interface Row {
  /** What it is, in front of the line. */
  readonly label: string;
  readonly done: number;
  /** All that there is; undefined while that is not known. */
  readonly total?: number | undefined;
  readonly unit: Unit;
  /** Said at the end of the line. */
  readonly note?: string | undefined;
  /** Milliseconds since it began. */
  readonly elapsed: number;
}

const MOST_BAR_COLUMNS = 30;
const LEAST_BAR_COLUMNS = 8;

/** Too early to say how fast it goes. */
const RATE_AFTER_MS = 500;

/** The line for a row, in so many columns at the most. What does not fit is left out: first the bar, then the end. */
export function barLine(row: Row, columns: number): string {
  const { label, done, total, note, elapsed, unit } = row;
  const fraction = total === undefined || total === 0 ? undefined : Math.min(1, done / total);
  const facts: string[] = [];
  facts.push(total === undefined ? amount(done, unit) : `${amount(done, unit)} of ${amount(total, unit)}`);
  const rate = elapsed < RATE_AFTER_MS ? 0 : done / elapsed * 1000;
  if (rate > 0) facts.push(`${amount(rate, unit)}/s`);
  if (fraction === undefined) facts.push(clock(elapsed));
  else if (rate > 0 && fraction < 1) facts.push(`${clock((total! - done) / rate * 1000)} left`);
  if (note !== undefined && note !== "") facts.push(note);
  const percent = fraction === undefined ? "" : ` ${String(Math.floor(fraction * 100)).padStart(3)}%`;
  const text = `  ${facts.join("  ")}`;
  const room = columns - columnsOf(label + percent + text) - " []".length;
  const bar = fraction === undefined || room < LEAST_BAR_COLUMNS ? "" : ` ${bracket(fraction, room)}`;
  return clip(label + percent + bar + text, columns);
}

function bracket(fraction: number, room: number): string {
  const columns = Math.min(room, MOST_BAR_COLUMNS);
  const full = Math.floor(fraction * columns);
  const head = full < columns ? ">" : "";
  return `[${"=".repeat(full)}${head}${" ".repeat(columns - full - head.length)}]`;
}
