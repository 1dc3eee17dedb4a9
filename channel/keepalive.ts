/** Notices a far side that is gone without a word. Pure but for its timer. */

/** How many silent intervals mean that the far side is dead. */
const SILENT_INTERVALS = 3;

/** What a keep-alive works with. */
export interface KeepaliveOptions {
  /** Milliseconds between two looks; 0 turns it off. */
  interval: number;
  /** Asks the far side for a sign of life. */
  ping: () => void;
  /** There was none for three intervals. */
  dead: (reason: Error) => void;
  /** Keeps the timer from keeping the program alive. */
  unrefTimer?: ((timer: ReturnType<typeof setInterval>) => void) | undefined;
}

/** Watches one connection. */
export class Keepalive {
  #silent = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Starts to watch. */
  constructor(options: KeepaliveOptions) {
    const { interval, ping, dead, unrefTimer } = options;
    if (interval === 0) return;
    this.#timer = setInterval(() => {
      if (this.#silent++ < SILENT_INTERVALS) return ping();
      this.stop();
      dead(new Error(`The far side gave no sign of life for ${SILENT_INTERVALS * interval} ms`));
    }, interval);
    unrefTimer?.(this.#timer);
  }

  /** Something has come from the far side. */
  alive(): void {
    this.#silent = 0;
  }

  /** Ends watching. */
  stop(): void {
    // Even clearing no timer would load Node's timers: 5 ms and some memory of every Worker that never needs them.
    if (this.#timer !== undefined) clearInterval(this.#timer);
  }
}
