/** Changes of bytes whose meaning is not known: the mutators that every target shares. */

import type { Random } from "../helpers/seeded.ts";

/** Numbers at the edges of what fields can hold. */
const EDGES: readonly number[] = [
  0,
  1,
  2,
  0x7f,
  0x80,
  0xff,
  0x100,
  0x7fff,
  0x8000,
  0xffff,
  0x1_0000,
  0x3_ffff,
  0x4_0000,
  0x4_0001,
  0xf_ffff,
  0x10_0000,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  2 ** 48 - 1,
  2 ** 53 - 1,
];

/** A number at an edge, or next to one. */
export function edgeNumber(random: Random): number {
  return Math.max(0, random.pick(EDGES) + random.between(-1, 1));
}

/** Puts `piece` in the place of what is between two offsets. */
export function replaced(input: Uint8Array, from: number, to: number, piece: Uint8Array): Uint8Array {
  const all = new Uint8Array(from + piece.length + input.length - to);
  all.set(input.subarray(0, from));
  all.set(piece, from);
  all.set(input.subarray(to), from + piece.length);
  return all;
}

/** Bytes of a number, the highest first. */
export function bigEndian(value: number, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let i = width - 1; i >= 0; i--) {
    bytes[i] = value % 256;
    value = Math.floor(value / 256);
  }
  return bytes;
}

/** A range of an input: short ones more often than long ones. */
function range(input: Uint8Array, random: Random): [from: number, to: number] {
  const from = random.below(input.length + 1);
  const most = random.chance(0.7) ? 8 : input.length;
  return [from, Math.min(input.length, from + random.between(1, Math.max(1, most)))];
}

type Change = (
  input: Uint8Array,
  random: Random,
  other: () => Uint8Array,
  tokens: readonly Uint8Array[],
) => Uint8Array;

const onOne = (change: (byte: number, random: Random) => number): Change => (input, random) => {
  if (input.length === 0) return random.bytes(1);
  const at = random.below(input.length);
  const all = input.slice();
  all[at] = change(all[at]!, random);
  return all;
};

const flip: Change = onOne((byte, random) => byte ^ (1 << random.below(8)));
const set: Change = onOne((_, random) => random.below(256));
const step: Change = onOne((byte, random) => byte + random.pick([-2, -1, 1, 2, 16, -16]));

/** A lie about a length, or any other number: a field of some width gets another value. */
const lie: Change = (input, random) => {
  const width = random.pick([1, 1, 2, 3, 4, 6, 8]);
  if (input.length < width) return input;
  const at = random.below(input.length - width + 1);
  const all = input.slice();
  const value = random.chance(0.5)
    ? edgeNumber(random)
    : Math.max(0, input.length - at - width + random.between(-2, 2));
  all.set(bigEndian(value, width), at);
  return all;
};

const remove: Change = (input, random) => replaced(input, ...range(input, random), new Uint8Array(0));
const truncate: Change = (input, random) => input.slice(0, random.below(input.length + 1));
const insert: Change = (input, random) => {
  const at = random.below(input.length + 1);
  return replaced(input, at, at, random.bytes(random.between(1, 8)));
};
const duplicate: Change = (input, random) => {
  const [from, to] = range(input, random);
  const at = random.below(input.length + 1);
  return replaced(input, at, at, input.slice(from, to));
};
const repeat: Change = (input, random) => {
  const [from, to] = range(input, random);
  const piece = input.subarray(from, to);
  const run = new Uint8Array(piece.length * random.between(2, 40));
  for (let at = 0; at < run.length; at += piece.length) run.set(piece, at);
  return replaced(input, to, to, run);
};
const overwrite: Change = (input, random) => {
  const [from, to] = range(input, random);
  const all = input.slice();
  return all.copyWithin(random.below(input.length + 1), from, to);
};
const splice: Change = (input, random, other) => {
  const from = other();
  const [start, end] = range(from, random);
  return replaced(input, ...range(input, random), from.slice(start, end));
};
const cross: Change = (input, random, other) => {
  const tail = other();
  return replaced(
    input,
    random.below(input.length + 1),
    input.length,
    tail.slice(random.below(tail.length + 1)),
  );
};
const token: Change = (input, random, _, tokens) => {
  if (tokens.length === 0) return insert(input, random, () => input, tokens);
  const at = random.below(input.length + 1);
  const piece = random.pick(tokens);
  const to = random.chance(0.5) ? at : Math.min(input.length, at + piece.length);
  return replaced(input, at, to, piece);
};

const CHANGES: readonly Change[] = [
  flip,
  flip,
  set,
  step,
  lie,
  lie,
  remove,
  truncate,
  insert,
  duplicate,
  repeat,
  overwrite,
  splice,
  cross,
  token,
  token,
  token,
];

/** Changes an input at one place. */
export function changed(
  input: Uint8Array,
  random: Random,
  other: () => Uint8Array,
  tokens: readonly Uint8Array[] = [],
): Uint8Array {
  return random.pick(CHANGES)(input, random, other, tokens);
}
