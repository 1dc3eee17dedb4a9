/** Flushes a long file while it is still being written, so that little is left to be flushed at its end. */

/** So much is written between two flushes. */
const STEP_BYTES = 32 * 1024 * 1024;

/** The early flushes of one file. */
export class EarlyFlush {
  readonly #path: string;
  #bytes = 0;
  #busy = false;

  /** Flushes nothing yet. */
  constructor(path: string) {
    this.#path = path;
  }

  /** So much more has been written. */
  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < STEP_BYTES || this.#busy) return;
    this.#bytes = 0;
    void this.#flush();
  }

  /** By a descriptor of its own: on one and the same, writing would wait for it. */
  async #flush(): Promise<void> {
    this.#busy = true;
    try {
      using file = Deno.openSync(this.#path, { write: true });
      await file.syncData();
    } catch {
      // The flush at the end says what is wrong: each descriptor is told of what could not be written.
    }
    this.#busy = false;
  }
}
