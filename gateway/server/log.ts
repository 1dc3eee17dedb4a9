/** The server's log: a line for each event. Nobody has to read it: writing it holds up nothing. */

import { within } from "../../channel/wait.ts";

/** Takes a line. */
export type Log = (line: string) => void;

/** Lines that wait to be written; more are counted and left out. */
const MAX_WAITING = 1_000;

/** Lines with their time, on stderr. */
export class StderrLog {
  readonly #waiting: string[] = [];
  #left = 0;
  #written: Promise<void> | undefined;

  /** Takes a line. */
  readonly line: Log = (line) => {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#left++;
      return;
    }
    this.#waiting.push(`${new Date().toISOString()} ${line}\n`);
    this.#written ??= this.#write();
  };

  /** Waits until all is written, for so many milliseconds at the most. */
  async end(ms: number): Promise<void> {
    if (this.#written !== undefined) await within(this.#written, ms);
  }

  async #write(): Promise<void> {
    try {
      for (let line = this.#next(); line !== undefined; line = this.#next()) {
        let rest: Uint8Array = new TextEncoder().encode(line);
        while (rest.length > 0) rest = rest.subarray(await Deno.stderr.write(rest));
      }
    } catch {
      // There is nowhere to say so.
      this.#waiting.length = 0;
    }
    this.#written = undefined;
  }

  #next(): string | undefined {
    const line = this.#waiting.shift();
    if (line !== undefined || this.#left === 0) return line;
    const left = this.#left;
    this.#left = 0;
    return `${new Date().toISOString()} left out ${left} lines: nobody read the log\n`;
  }
}
