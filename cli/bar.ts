/** What a progress bar looks like. Pure: numbers in, a line of text out. */

/** How far something is. */
export interface Row {
  /** What it is, in front of the line. */
  readonly label: string;
  readonly done: number;
  /** All that there is; undefined while that is not known. */
  readonly total?: number | undefined;
  readonly unit: "bytes" | "items";
  /** Said at the end of the line. */
  readonly note?: string | undefined;
  /** Milliseconds since it began. */
  readonly elapsed: number;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

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

/** A number of bytes or of items, short. */
export function amount(count: number, unit: Row["unit"]): string {
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

/** East Asian letters and pictures take two columns. (The library that knows it exactly brings tables of 10 kB.) */
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6])/u;

const LETTERS = new Intl.Segmenter();

function lettersOf(text: string): [letter: string, columns: number][] {
  return Array.from(LETTERS.segment(text), ({ segment }) => [segment, WIDE.test(segment) ? 2 : 1]);
}

/** How many columns of a terminal a text takes. */
function columnsOf(text: string): number {
  return lettersOf(text).reduce((sum, [, columns]) => sum + columns, 0);
}

/** As much of a text as fits into so many columns. */
export function clip(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let clipped = "";
  let width = 0;
  for (const [letter, wide] of lettersOf(text)) {
    width += wide;
    if (width > columns - 1) break;
    clipped += letter;
  }
  return `${clipped}…`;
}
