/** Lines at the bottom of a terminal that show how far something is, and go when it is done. */

import { barLine, type Row } from "./bar.ts";
import { Redrawn, type Screen } from "./screen.ts";

/** Milliseconds between two drawings. */
const INTERVAL_MS = 100;

/** So many lines are shown; of more only how many they are. */
const MOST_LINES = 12;

/** Shows rows, at most ten times a second. Disposing of it takes them from the screen, whatever has happened. */
export class Progress implements Disposable {
  #screen: Screen | undefined;
  readonly #drawn: Redrawn | undefined;
  readonly #rows: () => readonly Row[];
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Shows what `rows` gives, as often as it may change.
   *
   * @param screen where to; without one nothing is shown
   */
  constructor(screen: Screen | undefined, rows: () => readonly Row[]) {
    this.#screen = screen;
    this.#rows = rows;
    if (screen === undefined) return;
    this.#drawn = new Redrawn(screen);
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
    this.#drawn?.draw(lines);
  }

  /** Takes the rows from the screen until they are drawn again, so that something else can be written there. */
  hide(): void {
    this.#drawn?.hide();
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
