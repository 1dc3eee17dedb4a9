/** Something a job imports. See module_test.ts. */

/** How it works. */
interface Options {
  readonly factor: number;
}

/** Multiplies. */
export class Doubler {
  readonly #options: Options;

  /** By 2 to the power of `times`. */
  constructor(times: number) {
    this.#options = { factor: 2 ** times };
  }

  /** Throws for what is no number. */
  apply(value: number): number {
    if (typeof value !== "number") throw new TypeError(`No number: ${value}`);
    return value * this.#options.factor;
  }
}
