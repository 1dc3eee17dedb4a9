/** Random items from a seed, for tests that compare two ways of doing the same. */

import { BINARY_KINDS } from "../../channel/item.ts";

/** A source of numbers in [0, 1): mulberry32, which gives the same series for the same seed. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Runs `test` with a new seed, which the error names if the test fails; `SEED` in the environment repeats one. */
export function withSeed(test: (random: () => number) => void): void {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 32));
  try {
    test(mulberry32(seed));
  } catch (error) {
    throw new Error(`Failed with SEED=${seed}`, { cause: error });
  }
}

type Make = (random: () => number, depth: number) => unknown;

const below = (random: () => number, limit: number): number => Math.floor(random() * limit);
const pick = <T>(random: () => number, from: readonly T[]): T => from[below(random, from.length)]!;
const list = <T>(random: () => number, limit: number, make: () => T): T[] =>
  Array.from({ length: below(random, limit) }, make);

const EDGES = [7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 32767, 32768, 65535, 65536];
const ALPHABETS = [
  ["a", "b", "Z", "0", " ", "_", "\0", "\x7f"],
  ["a", "é", "ß", "\x80", "\u07ff"],
  ["a", "日", "\u0800", "\uffff", "\ufeff", "\ufffd"],
  ["a", "😀", "\u{10000}", "\u{10ffff}", "é"],
];
const LONE = ["\ud800", "\udfff", "\udc00", "a", "😀"];

function text(random: () => number, alphabet: readonly string[]): string {
  const length = random() < 0.02 ? pick(random, EDGES) : below(random, 80);
  return Array.from({ length }, () => pick(random, alphabet)).join("");
}

const string: Make = (random) => text(random, pick(random, ALPHABETS));
const key = (random: () => number): string =>
  random() < 0.05
    ? pick(random, ["__proto__", "constructor", "toString", "", "0", "499", "4294967294", "a b"])
    : random() < 0.7
    ? text(random, ALPHABETS[0]!).slice(0, 9)
    : string(random, 0) as string;

const numbers: Make[] = [
  (random) => below(random, 256) - 64,
  (random) => pick(random, EDGES) * pick(random, [1, -1]),
  (random) => below(random, 2 ** 32),
  (random) => -below(random, 2 ** 31) - 1,
  (random) => random() * 1000,
  (random) => Math.fround(random() * 1e6),
  (random) => pick(random, [Infinity, -Infinity, 5e-324, Number.MAX_VALUE, 0.5, -1.5]),
];

const view = (random: () => number): Uint8Array =>
  Uint8Array.from(
    { length: random() < 0.02 ? pick(random, EDGES) : below(random, 40) },
    () => below(random, 256),
  );

const object = (element: Make): Make => (random, depth) => {
  const made = {};
  for (const name of list(random, random() < 0.05 ? 40 : 6, () => key(random))) {
    const value = element(random, depth + 1);
    Object.defineProperty(made, name, { value, writable: true, enumerable: true, configurable: true });
  }
  return made;
};
const array = (element: Make): Make => (random, depth) =>
  list(random, random() < 0.05 ? 40 : 6, () => element(random, depth + 1));

/** Makes a value of the types that MessagePack itself has. */
export const randomPlainValue: Make = (random, depth = 0) =>
  pick(random, [
    ...numbers,
    string,
    string,
    () => null,
    (random: () => number) => random() < 0.5,
    view,
    ...(depth < 5 ? [array(randomPlainValue), object(randomPlainValue), object(randomPlainValue)] : []),
  ])(random, depth);

function error(random: () => number, depth: number): Error {
  const Type = pick(random, [Error, TypeError, RangeError, SyntaxError]);
  const made = random() < 0.2
    ? new AggregateError(list(random, 3, () => randomValue(random, depth + 1)), "several")
    : new Type(string(random, 0) as string, random() < 0.3 ? { cause: randomValue(random, depth + 1) } : {});
  if (random() < 0.3) Object.assign(made, { code: randomValue(random, depth + 1) });
  return made;
}

const special: Make[] = [
  () => undefined,
  () => -0,
  () => NaN,
  (random) =>
    pick(random, [2 ** 32, 2 ** 53, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]),
  (random) => BigInt(below(random, 2 ** 32)) ** BigInt(below(random, 9)) * pick(random, [1n, -1n]),
  (random) => text(random, LONE) + "\ud800",
  (random) => new Date(pick(random, [NaN, 0, -1, 8.64e15, -8.64e15, 2 ** 32 * 1000, below(random, 2 ** 45)])),
  (random) => pick(random, [/a/, /\p{L}[^/]\//giu, /(?<year>\d{4})/dsy, new RegExp("\n/")]),
  (random) => new URL(`https://example.org/${encodeURIComponent(text(random, ALPHABETS[1]!))}?q=1#a`),
  (random) => {
    const bytes = new Uint8Array(8 * below(random, 5)).map(() => below(random, 256));
    return random() < 0.1 ? bytes.buffer : new (pick(random, BINARY_KINDS.slice(1))!)(bytes.buffer);
  },
];

const nested: Make[] = [
  (random, depth) =>
    new Map(list(random, 5, () => [randomValue(random, depth + 1), randomValue(random, depth + 1)])),
  (random, depth) => new Set(list(random, 5, () => randomValue(random, depth + 1))),
  (random, depth) => {
    const made: unknown[] = array(randomValue)(random, depth) as unknown[];
    if (made.length > 0) delete made[below(random, made.length)];
    if (random() < 0.3) made.length += below(random, 5);
    return made;
  },
  error,
];

/** Makes a value of any type that an item may be, Channels excepted. */
export const randomValue: Make = (random, depth = 0) =>
  pick(random, [
    ...numbers,
    ...special,
    string,
    string,
    view,
    () => null,
    (random: () => number) => random() < 0.5,
    ...(depth < 4 ? [...nested, array(randomValue), object(randomValue), object(randomValue)] : []),
  ])(random, depth);
