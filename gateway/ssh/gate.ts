/** Lets a few through at a time. Pure. */

/** Whoever waits gets through in the order of coming. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** `width` is how many may be inside. */
  constructor(width: number) {
    this.#free = width;
  }

  /** Enters; the caller calls what it gets, once, when it is out. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
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
