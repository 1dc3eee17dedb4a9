/** Random numbers that come again: every failure names the seed that shows it. */

/** A small generator of random numbers (mulberry32), the same for the same seed. */
export class Random {
  #state: number;

  /** Makes a generator. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** An integer in [0, end). */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** An integer in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True in `share` of all cases. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  /** One of the elements. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** Random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}

/** Runs `body` once per seed; `EXECNET_TEST_SEED` names another one to run alone. A failure says its seed. */
export async function forSeeds(
  seeds: readonly number[],
  body: (random: Random, seed: number) => unknown,
): Promise<void> {
  const given = Deno.env.get("EXECNET_TEST_SEED");
  for (const seed of given === undefined ? seeds : [Number(given)]) {
    try {
      await body(new Random(seed), seed);
    } catch (error) {
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new Error(`with EXECNET_TEST_SEED=${seed}: ${text}`, { cause: error });
    }
  }
}

/** `count` seeds from `first` on. */
export function seeds(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
