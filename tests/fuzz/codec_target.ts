/**
 * Fuzzes the codec: bytes are an item or a LoadError, and nothing else. What is an item can be sent again and is the same
 * then; it takes no more than a multiple of its bytes, and nothing gets to a prototype.
 *
 * An input is the bytes of an item, or of some that lie one behind the other.
 */

import { Decoder } from "../../channel/decode.ts";
import { dumps, loads } from "../../channel/codec.ts";
import { LoadError } from "../../channel/errors.ts";
import { EXT, MAX_DEPTH } from "../../channel/item.ts";
import { GOLDEN_ITEMS } from "../helpers/golden_items.ts";
import { randomValue } from "../helpers/random_value.ts";
import { assertSame } from "../helpers/same_value.ts";
import type { Random } from "../helpers/seeded.ts";
import { bigEndian } from "./bytes.ts";
import { blurred, hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

/** What a channel is made of here. */
class Met {
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
}

/** Items that are read of one input. */
const MOST_ITEMS = 32;

function run(input: Uint8Array): Outcome {
  const items = readAll(input);
  const kept = input.slice();
  let value: unknown;
  try {
    value = loads(input);
  } catch (error) {
    hold(error instanceof LoadError, `No LoadError but ${error}`);
    const message = blurred(error.message);
    return { kind: "LoadError", feature: `${message} after ${items}` };
  }
  hold(Object.keys(Object.prototype).length === 0, "Something got to the prototype of all objects");
  const bytes = dumps(value);
  const again = loads(bytes);
  assertSame(again, value);
  const third = dumps(again);
  hold(
    third.length === bytes.length && third.every((byte, i) => byte === bytes[i]),
    "Other bytes for the same",
  );
  hold(kept.every((byte, i) => byte === input[i]), "The input was changed");
  return { kind: "item", feature: `item ${shape(value, 0)}` };
}

/** Reads as a channel does, one item after the other; says what they were. */
function readAll(input: Uint8Array): string {
  const decoder = new Decoder({
    channel: (id) => {
      hold(Number.isSafeInteger(id) && id >= 0, `Channel ${id}`);
      if (id % 7 === 6) throw new LoadError("Cannot read a channel: there is none");
      return new Met(id);
    },
  });
  decoder.reset(input);
  const shapes: string[] = [];
  for (let i = 0; i < MOST_ITEMS && decoder.offset < input.length; i++) {
    const before = decoder.offset;
    try {
      const item = decoder.next();
      if (i < 4) shapes.push(shape(item, 2));
    } catch (error) {
      hold(error instanceof LoadError, `No LoadError but ${error}`);
      break;
    }
    hold(decoder.offset > before && decoder.offset <= input.length, `It stands at ${decoder.offset}`);
  }
  return shapes.join(" ");
}

/** Of what an item is made, to some depth. */
function shape(value: unknown, depth: number): string {
  if (value === null || typeof value !== "object") return typeof value;
  const tag = value instanceof Met ? "channel" : Object.prototype.toString.call(value).slice(8, -1);
  if (depth > 2) return tag;
  const inner = Array.isArray(value)
    ? value.slice(0, 3)
    : value instanceof Map
    ? [...value].slice(0, 2).flat()
    : value instanceof Set
    ? [...value].slice(0, 2)
    : ArrayBuffer.isView(value) || value instanceof ArrayBuffer
    ? []
    : Object.keys(value).slice(0, 3).map((key) => (value as Record<string, unknown>)[key]);
  return inner.length === 0 ? tag : `${tag}<${inner.map((one) => shape(one, depth + 1)).join(",")}>`;
}

function seeds(random: Random): Uint8Array[] {
  const golden = GOLDEN_ITEMS.map(([hex]) => Uint8Array.fromHex(hex));
  const others: Uint8Array[] = [];
  while (others.length < 200) {
    const bytes = dumps(randomValue(() => random.next(), 0));
    if (bytes.length < 300) others.push(bytes);
  }
  let deep: unknown = 1;
  for (let i = 0; i < MAX_DEPTH - 1; i++) deep = [deep];
  return [...golden, ...others, dumps(deep), new Uint8Array([0xd4, EXT.CHANNEL, 5])];
}

/** Heads of items whose lengths lie, and what every kind of item begins with. */
function tokens(): Uint8Array[] {
  const lengths = [0, 1, 2, 15, 16, 31, 32, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  const heads: Uint8Array[] = [];
  for (let lead = 0; lead < 256; lead += lead >= 0xc0 && lead < 0xe0 ? 1 : 16) {
    heads.push(new Uint8Array([lead]));
  }
  for (const [leads, width] of [["c4c7d9", 1], ["c5c8dadcde", 2], ["c6c9dbdddf", 4]] as const) {
    for (const lead of Uint8Array.fromHex(leads)) {
      for (const length of lengths) {
        if (length < 256 ** width) heads.push(new Uint8Array([lead, ...bigEndian(length, width)]));
      }
    }
  }
  const kinds = Object.values(EXT).flatMap((type) =>
    [0xd4, 0xd5, 0xd6, 0xd7, 0xd8].map((lead) => new Uint8Array([lead, type & 0xff]))
  );
  const texts = [
    "__proto__",
    "constructor",
    "name",
    "message",
    "stack",
    "cause",
    "errors",
    "toString",
    "4294967294",
  ];
  return [...heads, ...kinds, ...texts.map((text) => dumps(text)), new Uint8Array([0xc1, 1])];
}

/** The codec. */
export const CODEC: Target = {
  name: "codec",
  share: 32,
  short: 8_000,
  maxBytes: 2_000,
  isAsync: false,
  memory: { base: 6 * 2 ** 20, factor: 2_000 },
  tokens: tokens(),
  seeds,
  run,
};
