/**
 * The item format: limits, extension types, and the two functions that turn a value into bytes and back.
 *
 * Format version 1 is bare MessagePack, always in its smallest form, with the extension types of {@linkcode EXT}.
 * A first byte of `0xc1`, which MessagePack never uses, announces another version by the byte after it: `c1 01` is
 * version 1 again, and any other version is refused by name.
 *
 * - Integers in [-2^31, 2^32) are MessagePack integers. Every other number is a float32 where that is exact, else a
 *   float64; so the 64-bit integers are free to stand for `bigint`, and for nothing else.
 * - An extension that holds items holds them as MessagePack in its payload: a Map a map (of any keys), a Set an array,
 *   an Error a map of its fields, a RegExp its source and its flags.
 * - Other payloads: a Channel its id and a bigint its magnitude, both big-endian, the latter after a sign byte; a URL
 *   its text; a string with lone surrogates its UTF-16LE units; binary data a kind byte and its little-endian bytes.
 *
 * @module
 */

import { Decoder } from "./decode.ts";
import { Encoder } from "./encode.ts";
import { LoadError } from "./errors.ts";
import { FORMAT_VERSION } from "./item.ts";

export { CONSTANT, EXT, FORMAT_VERSION, MAX_DEPTH, MAX_ITEM_BYTES } from "./item.ts";

// Scratch space only: nothing of one call can be seen by another, and both guard themselves against re-entry.
const encoder = new Encoder();
const decoder = new Decoder();
const NOTHING = new Uint8Array(0);

/**
 * Turns an item into bytes of its own.
 *
 * @param value The item; a Channel cannot be in it, having no meaning outside of its gateway.
 * @returns A new array of exactly the encoding's size.
 * @throws {DumpError} When something in the item cannot be sent; its `path` leads there.
 *
 * @example
 * ```ts
 * import { dumps, loads } from "./codec.ts";
 *
 * loads(dumps(new Map([["a", 1n]]))); // Map { "a" => 1n }
 * ```
 */
export function dumps(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encoder.encode(value));
}

/**
 * Turns the bytes of exactly one item back into it.
 *
 * @param bytes What {@linkcode dumps} has made, or any MessagePack whose maps have string keys.
 * @returns The item. It shares no memory with `bytes`.
 * @throws {LoadError} When the bytes are anything but one whole, valid item.
 * @throws {TypeError} When `bytes` is not a Uint8Array.
 *
 * @example
 * ```ts
 * import { dumps, loads } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * const bytes = dumps({ at: new Date(0), big: 2n ** 70n });
 * assertEquals(loads(bytes), { at: new Date(0), big: 2n ** 70n });
 * ```
 */
export function loads(bytes: Uint8Array): unknown {
  let start = 0;
  if (bytes?.[0] === 0xc1 && bytes.length > 1) {
    if (bytes[1] !== FORMAT_VERSION) {
      throw new LoadError(`Cannot load: format version ${bytes[1]} is not known, only ${FORMAT_VERSION} is`);
    }
    start = 2;
  }
  decoder.reset(bytes, start);
  try {
    const value = decoder.next();
    if (decoder.offset !== bytes.length) {
      throw new LoadError(`Cannot load: ${bytes.length - decoder.offset} bytes follow the item`);
    }
    return value;
  } finally {
    decoder.reset(NOTHING);
  }
}
