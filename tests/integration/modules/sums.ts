/** Functions for calls and maps, with an import of their own. See callable_test.ts. */

import { Doubler } from "./lib/doubler.ts";

export default function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

export function doubled(n: number): unknown {
  return new Doubler(2).apply(n);
}

export function fails(): never {
  throw new RangeError("not today");
}
