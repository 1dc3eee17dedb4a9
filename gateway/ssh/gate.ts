/** Lets a few through at a time. Pure. */

import { Waiter } from "../../channel/wait.ts";

/** Whoever waits gets through in the order of coming. */
export class Gate {
  #free: number;
  #waiting: Waiter<void>[] = [];

  /** `width` is how many may be inside. */
  constructor(width: number) {
    this.#free = width;
  }

  /** Enters; the caller calls what it gets, once, when it is out. Rejects with the reason of the signal. */
  async enter(signal?: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next.resolve();
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const waiter = new Waiter<void>(signal === undefined ? undefined : { signal }, () => "", (one) => {
      this.#waiting = this.#waiting.filter((other) => other !== one);
    });
    if (!waiter.settled) this.#waiting.push(waiter);
    return waiter.promise;
  }

  /** Runs something inside. */
  async run<T>(action: () => Promise<T>): Promise<T> {
    const leave = await this.enter();
    try {
      return await action();
    } finally {
      leave();
    }
  }
}
