/** Turns of the event loop. */

/**
 * Resolves after what the event loop has at hand, where a resolved promise would come before. By way of a message,
 * which takes microseconds where a timer takes milliseconds; the port is closed again, so that nothing stays open.
 */
export function turn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/**
 * The system's own: code that is loaded later may have a clock of its own in its place, for which nothing that is read
 * waits. Not `setTimeout`, because to look at that takes a Deno process 6 ms for the first time.
 */
const systemTimeout = AbortSignal.timeout.bind(AbortSignal);

/** Calls `action` in a turn of the event loop that is a timer's. */
export function inTimersTurn(action: () => void): void {
  systemTimeout(0).addEventListener("abort", action);
}

/** For so long, in milliseconds, something may find more to read each time before everybody else has a turn. */
const STINT_MS = 20;

/** What is there already has been read after fewer microtasks than this, a stream's included. */
const AT_ONCE_TICKS = 50;

/** So many reads in a row that need not wait are taken for an endless row. */
const IN_A_ROW = 4;

/**
 * Reading beside others. Deno reads what is there already without a turn of its event loop, so that a far side which always
 * sends more would keep everybody else waiting for as long as it likes. After 20 ms there is a pause, unless some read has
 * to wait by itself. The pause is a timer's: shorter ones are turns of the event loop, and of these Deno looks at other
 * connections only in each 61st.
 */
export class Stint {
  #began = performance.now();
  #atOnce = 0;

  /** Does what `read` does. Its promise is given as it is: what was read first must not be dealt with later than other things. */
  take<T>(read: () => Promise<T>): Promise<T> {
    if (performance.now() - this.#began < STINT_MS) return read();
    if (this.#atOnce >= IN_A_ROW) return this.#rest().then(read);
    const reading = read();
    void this.#watch(reading);
    return reading;
  }

  async #watch(reading: Promise<unknown>): Promise<void> {
    let there = false;
    const settled = reading.then(() => {}, () => {}).then(() => there = true);
    for (let tick = 0; tick < AT_ONCE_TICKS && !there; tick++) await undefined;
    if (there) {
      this.#atOnce++;
      return;
    }
    await settled;
    this.#begin();
  }

  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => inTimersTurn(resolve));
    this.#begin();
  }

  #begin(): void {
    this.#atOnce = 0;
    this.#began = performance.now();
  }
}

/** Reads into what it is given. Resolves with how many bytes there were, `null` at the end. */
export type Read = (into: Uint8Array) => Promise<number | null>;

/** Reads beside others: see {@linkcode Stint}. */
export function inTurns(read: Read): Read {
  const stint = new Stint();
  return (into) => stint.take(() => read(into));
}
