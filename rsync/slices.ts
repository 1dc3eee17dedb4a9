/** Work in slices, so that the rest of the program goes on meanwhile. */

/** So long work goes on before others get a turn, in milliseconds. */
const SLICE_MS = 8;

/** Tells when a slice is over. */
export class Slices {
  #began = performance.now();

  /** Whether it is time to rest. */
  get over(): boolean {
    return performance.now() - this.#began >= SLICE_MS;
  }

  /** Lets others have a turn. A timer: what comes by way of a message lets next to nothing be read or written. */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    this.#began = performance.now();
  }
}
