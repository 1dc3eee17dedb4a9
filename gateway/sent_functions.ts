/** What the far side of one service knows by number: the oldest texts are forgotten, here and there. */

import type { CalledFunction, SentFunction } from "./process/job.ts";
import type { Shipment } from "./shipping/shipping.ts";

/** So many texts are remembered at the most. */
const MAX_TEXTS = 512;

/** And so many characters of them, but for the last one. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** The name under which a function that is no export is known. */
const ITSELF = "";

/** What is known of one text: the numbers of its functions, by their names as exports. */
interface Known {
  readonly length: number;
  readonly numbers: Map<string, number>;
}

/** The functions that one service was sent. */
export class SentFunctions {
  /** By {@linkcode keyOf}; the oldest first. */
  readonly #known = new Map<string, Known>();
  #characters = 0;
  #next = 1;
  /** Numbers that are free, which the far side does not know yet. */
  #free: number[] = [];

  /** What is sent for a function: its number, or all of it. It is known when {@linkcode sent} is told so. */
  find({ text, name, module }: Shipment): CalledFunction {
    const known = this.#known.get(keyOf(text, module));
    const number = known?.numbers.get(module?.export ?? ITSELF);
    if (number !== undefined) return number;
    const fn: SentFunction = { id: this.#next++, name };
    if (module !== undefined) fn.module = module;
    if (known === undefined) fn.source = text;
    else fn.of = known.numbers.values().next().value!;
    const free = known === undefined ? [...this.#free, ...this.#crowdedOut(text.length)] : this.#free;
    if (free.length > 0) fn.forget = free;
    return fn;
  }

  /** The far side gets what {@linkcode find} gave. */
  sent({ id, forget }: SentFunction, { text, module }: Shipment): void {
    this.#free = [];
    if (forget !== undefined) this.#forget(new Set(forget));
    const key = keyOf(text, module);
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { length: text.length, numbers: new Map() };
      this.#known.set(key, known);
      this.#characters += text.length;
    }
    known.numbers.set(module?.export ?? ITSELF, id);
  }

  /** The module behind a number has failed there: the next call sends it again. */
  lost({ text, module }: Shipment, number: number): void {
    const key = keyOf(text, module);
    const known = this.#known.get(key);
    if (known?.numbers.get(module?.export ?? ITSELF) !== number) return;
    this.#drop(key, known);
    this.#free.push(...known.numbers.values());
  }

  #forget(numbers: ReadonlySet<number>): void {
    for (const [key, known] of this.#known) {
      if (known.numbers.values().some((number) => numbers.has(number))) this.#drop(key, known);
    }
  }

  /** The numbers of what has to go for a text of that length. */
  #crowdedOut(length: number): number[] {
    let texts = this.#known.size;
    let characters = this.#characters + length;
    const numbers: number[] = [];
    for (const known of this.#known.values()) {
      if (texts < MAX_TEXTS && characters <= MAX_CHARACTERS) break;
      texts--;
      characters -= known.length;
      numbers.push(...known.numbers.values());
    }
    return numbers;
  }

  #drop(key: string, { length }: Known): void {
    this.#known.delete(key);
    this.#characters -= length;
  }
}

/** No function's text begins like that of a module here. */
function keyOf(text: string, module: Shipment["module"]): string {
  return module === undefined ? text : `\0${module.typescript}\0${text}`;
}
