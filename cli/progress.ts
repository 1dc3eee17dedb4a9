/** Lines at the bottom of a terminal that show how far something is, and go when it is done. */

import { barLine, type Row } from "./bar.ts";

/** Milliseconds between two drawings. */
const INTERVAL_MS = 100;

/** So many lines are shown; of more only how many they are. */
const MOST_LINES = 12;

/** Where progress is drawn. */
export interface Screen {
  write(text: string): void;
  /** How wide it is now. */
  columns(): number;
}

/** Standard error as a screen. */
export const ERROR_SCREEN: Screen = {
  write(text): void {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
    } catch {
      // Nobody sees it.
    }
  },
  columns(): number {
    try {
      return Deno.consoleSize().columns || 80;
    } catch {
      return 80;
    }
  },
};

/** Shows rows, at most ten times a second. Disposing of it takes them from the screen, whatever has happened. */
export class Progress implements Disposable {
  #screen: Screen | undefined;
  readonly #rows: () => readonly Row[];
  #timer: ReturnType<typeof setInterval> | undefined;
  #drawn = 0;

  /**
   * Shows what `rows` gives, as often as it may change.
   *
   * @param screen where to; without one nothing is shown
   */
  constructor(screen: Screen | undefined, rows: () => readonly Row[]) {
    this.#screen = screen;
    this.#rows = rows;
    if (screen === undefined) return;
    this.#timer = setInterval(() => this.draw(), INTERVAL_MS);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** Draws the rows anew, in place of what was drawn. */
  draw(): void {
    if (this.#screen === undefined) return;
    // One column is left, so that no terminal begins a new line by itself.
    const columns = Math.max(10, this.#screen.columns() - 1);
    const rows = this.#rows();
    const lines = rows.slice(0, MOST_LINES).map((row) => barLine(row, columns));
    if (rows.length > MOST_LINES) lines.push(`and ${rows.length - MOST_LINES} more`);
    this.#screen.write(this.#erasure() + lines.map((line) => `${line}\n`).join(""));
    this.#drawn = lines.length;
  }

  /** Takes the rows from the screen until they are drawn again, so that something else can be written there. */
  hide(): void {
    if (this.#drawn > 0) this.#screen!.write(this.#erasure());
    this.#drawn = 0;
  }

  /** To the beginning of the first line that was drawn, and everything from there is erased. */
  #erasure(): string {
    return this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r\x1b[J`;
  }

  /** Takes the rows from the screen for good. */
  end(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    this.#timer = undefined;
    this.hide();
    this.#screen = undefined;
  }

  /** The same. */
  [Symbol.dispose](): void {
    this.end();
  }
}
