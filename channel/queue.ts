/** First in, first out, at the same cost however much waits. */

/**
 * An array's own `shift` moves all that is behind, once that is more than some ten thousand: a queue of as many
 * channels would cost the square of their number.
 */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  /** Where the first one is. */
  #at = 0;

  /** How much waits. */
  get length(): number {
    return this.#items.length - this.#at;
  }

  /** The first one, which stays; undefined when there is none. */
  get first(): T | undefined {
    return this.#items[this.#at];
  }

  /** Puts one at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first one; undefined when there is none. */
  shift(): T | undefined {
    const item = this.#items[this.#at];
    if (this.length === 0) return undefined;
    this.#items[this.#at++] = undefined;
    // What is moved is at most as much as has been taken since it was last moved.
    if (this.#at * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    return item;
  }

  /** Takes those out that are wanted, in their order; the others stay in theirs. */
  withdraw(wanted: (item: T) => boolean): T[] {
    const taken: T[] = [];
    const left: T[] = [];
    for (let at = this.#at; at < this.#items.length; at++) {
      const item = this.#items[at]!;
      (wanted(item) ? taken : left).push(item);
    }
    this.#items = left;
    this.#at = 0;
    return taken;
  }
}
