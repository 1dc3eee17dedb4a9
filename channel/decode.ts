/** Turns bytes back into items. What comes in is hostile: a count is believed only as far as the input can fill it. */

import { ascii } from "./ascii.ts";
import { LoadError } from "./errors.ts";
import { bigint, binary, decodeUtf8, error, invalid, sparse, tooDeep, truncated, utf16 } from "./_revive.ts";
import { CONSTANT, EXT, MAX_DEPTH } from "./item.ts";

/** What the decoder asks of whoever knows channels. */
export interface DecodeHooks {
  /**
   * Makes or looks up the Channel with that id.
   *
   * @param id A safe integer of at least 0, chosen by the other side.
   * @returns The Channel.
   * @throws {LoadError} When no such channel can be had.
   */
  channel(id: number): unknown;
}

/** So many elements of an array are set aside at once; it grows as more of them prove to be there. */
const PREALLOCATED_ELEMENTS = 1024;
/** From this many elements on it pays to make a view of the input for the numbers in an array. */
const LONG_ARRAY_ELEMENTS = 16;
/** Up to this many bytes a loop beats TextDecoder, whose call alone costs as much as the loop. */
const SHORT_STRING_BYTES = 48;
/** The longest key that is remembered. */
const CACHED_KEY_BYTES = 32;
/** How many keys are remembered, a power of two. */
const CACHED_KEYS = 256;

// A part of it is an empty array that the engine knows to hold floats, which then need no boxes.
const HOLES = [0.5];
HOLES.length = PREALLOCATED_ELEMENTS + 1;
const bytesPrototype = Uint8Array.prototype;
// Aliases to put a float together; little-endian, as every platform of Deno is and as binary data in the format is.
const f64 = new Float64Array(1);
const f32 = new Float32Array(f64.buffer);
const i64 = new BigInt64Array(f64.buffer);
const u64 = new BigUint64Array(f64.buffer);
const u32 = new Uint32Array(f64.buffer);

/** Turns bytes back into items, one after the other. */
export class Decoder {
  /** Where the next item begins. */
  offset = 0;
  #hooks: DecodeHooks | undefined;
  readonly #keyed: boolean;
  #buf: Uint8Array = new Uint8Array(0);
  /** Where the input, or the payload of the extension being read, ends. */
  #end = 0;
  /** Short ASCII keys by their hash, and their bytes, which are compared before a key is believed. */
  #keys: (string | undefined)[] = new Array(CACHED_KEYS).fill(undefined);
  #keyBytes: Uint8Array = new Uint8Array(CACHED_KEYS * CACHED_KEY_BYTES);

  /**
   * Makes a decoder; without `hooks` a Channel is a {@linkcode LoadError}. Without `keyed`, so are a Map and a Set: the
   * engine keeps numbers in them by a hash that anybody can compute, and some ten thousand that were chosen for that take
   * seconds. No choice is left where an item is what somebody has asked for.
   */
  constructor(hooks?: DecodeHooks, keyed: boolean = true) {
    this.#hooks = hooks;
    this.#keyed = keyed;
  }

  /**
   * Starts on a buffer that may hold several items, one behind the other.
   *
   * @param bytes The buffer, which is kept until the next reset and never written to.
   * @param offset Where the first item begins.
   * @throws {TypeError} When `bytes` is not a Uint8Array.
   * @throws {RangeError} When `offset` is negative or not a number.
   */
  reset(bytes: Uint8Array, offset = 0): void {
    if (bytes === null || bytes === undefined || Object.getPrototypeOf(bytes) !== bytesPrototype) {
      if (!(bytes instanceof Uint8Array)) throw new TypeError("Cannot load: the input is not a Uint8Array");
      // A subclass may cut without copying, as Node's Buffer does.
      bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    if (!(offset >= 0)) throw new RangeError(`Cannot load: offset ${offset} is negative`);
    this.resume(bytes, offset);
  }

  /** The same for a plain Uint8Array and an offset in it; looking at the prototype takes longer than a small item. */
  resume(bytes: Uint8Array, offset: number): void {
    this.#buf = bytes;
    this.offset = offset;
  }

  /**
   * Decodes the next item; `offset` is then just behind it.
   *
   * - The item shares no memory with the input, and takes at most a small multiple of the input's size.
   * - After an error the decoder has to be reset.
   *
   * @returns The item.
   * @throws {LoadError} When no valid item begins here, or the input ends before it does.
   */
  next(): unknown {
    this.#end = this.#buf.length;
    try {
      return this.#value(0);
    } catch (error) {
      if (error instanceof LoadError) throw error;
      throw new LoadError(`Cannot load: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }

  #value(depth: number): unknown {
    const buf = this.#buf;
    const end = this.#end;
    const pos = this.offset;
    if (pos >= end) throw truncated();
    const lead = buf[pos]!;
    this.offset = pos + 1;
    if (lead < 0x80) return lead;
    if (lead < 0x90) return this.#map(lead & 15, depth);
    if (lead < 0xa0) return this.#array(lead & 15, depth);
    if (lead < 0xc0) return this.#string(lead & 31);
    if (lead >= 0xe0) return lead - 0x100;
    if (lead === 0xcd) {
      if ((this.offset = pos + 3) > end) throw truncated();
      return buf[pos + 1]! << 8 | buf[pos + 2]!;
    }
    if (lead === 0xcb) return this.#float64();
    if (lead === 0xce) return this.#uint32();
    return this.#rare(lead, depth);
  }

  #float64(): number {
    this.#uint64();
    return f64[0]!;
  }

  /** Reads what is too seldom for {@linkcode #value}, which is kept small enough to be inlined. */
  #rare(lead: number, depth: number): unknown {
    switch (lead) {
      case 0xcc:
        return this.#uint8();
      case 0xca:
        u32[0] = this.#uint32();
        return f32[0];
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xd0:
        return this.#uint8() << 24 >> 24;
      case 0xd1:
        return this.#uint16() << 16 >> 16;
      case 0xd2:
        return this.#uint32() | 0;
      case 0xcf:
        this.#uint64();
        return u64[0];
      case 0xd3:
        this.#uint64();
        return i64[0];
      case 0xdc:
        return this.#array(this.#uint16(), depth);
      case 0xdd:
        return this.#array(this.#uint32(), depth);
      case 0xde:
        return this.#map(this.#uint16(), depth);
      case 0xdf:
        return this.#map(this.#uint32(), depth);
      case 0xc1:
        throw new LoadError("Cannot load: byte 0xc1 begins no item");
    }
    if (lead >= 0xd9) return this.#string(this.#length(lead - 0xd9));
    if (lead >= 0xd4) return this.#ext(1 << lead - 0xd4, depth);
    if (lead >= 0xc7) return this.#ext(this.#length(lead - 0xc7), depth);
    return this.#bytes(this.#length(lead - 0xc4));
  }

  /** Passes over `length` bytes that must be there, and returns where they begin. */
  #take(length: number): number {
    const pos = this.offset;
    if (length > this.#end - pos) throw truncated();
    this.offset = pos + length;
    return pos;
  }

  #uint8(): number {
    return this.#buf[this.#take(1)]!;
  }

  #uint16(): number {
    const pos = this.#take(2);
    return this.#buf[pos]! << 8 | this.#buf[pos + 1]!;
  }

  #uint32(): number {
    const buf = this.#buf;
    const pos = this.#take(4);
    return (buf[pos]! << 24 | buf[pos + 1]! << 16 | buf[pos + 2]! << 8 | buf[pos + 3]!) >>> 0;
  }

  /** Reads eight bytes into the aliases. */
  #uint64(): void {
    u32[1] = this.#uint32();
    u32[0] = this.#uint32();
  }

  /** Reads a length whose width is 1, 2 or 4 bytes for a `size` of 0, 1 or 2. */
  #length(size: number): number {
    return size === 0 ? this.#uint8() : size === 1 ? this.#uint16() : this.#uint32();
  }

  #bytes(length: number): Uint8Array<ArrayBuffer> {
    const pos = this.#take(length);
    return this.#buf.slice(pos, pos + length) as Uint8Array<ArrayBuffer>;
  }

  #string(length: number): string {
    const buf = this.#buf;
    const pos = this.#take(length);
    const end = pos + length;
    const text = length > SHORT_STRING_BYTES ? undefined : ascii(buf, pos, end);
    return text ?? decodeUtf8(buf.subarray(pos, end));
  }

  #array(length: number, depth: number): unknown[] {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const end = this.#end;
    if (length > end - this.offset) throw truncated();
    const buf = this.#buf;
    const first = Math.min(length, PREALLOCATED_ELEMENTS);
    const isLong = length >= LONG_ARRAY_ELEMENTS;
    const array: unknown[] = isLong && (buf[this.offset]! | 1) === 0xcb
      ? HOLES.slice(1, first + 1)
      : new Array(first);
    for (let i = isLong ? this.#numbers(array, length) : 0; i < length; i++) {
      const pos = this.offset;
      const lead = buf[pos]!;
      if (lead < 0x80 && pos < end) {
        this.offset = pos + 1;
        array[i] = lead;
      } else if (lead === 0xcb && pos < end) {
        this.offset = pos + 1;
        array[i] = this.#float64();
      } else if (
        lead === 0xd4 && end - pos > 2 && buf[pos + 1] === EXT.CONSTANT && buf[pos + 2] === CONSTANT.HOLE
      ) {
        this.offset = pos + 3;
      } else {
        array[i] = this.#value(depth + 1);
      }
    }
    if (array.length !== length) array.length = length;
    return array;
  }

  /** Reads the numbers with which an array begins, and returns how many they were. */
  #numbers(array: unknown[], length: number): number {
    const { buffer, byteOffset } = this.#buf;
    const end = this.#end;
    const view = new DataView(buffer, byteOffset, end);
    let pos = this.offset;
    let i = 0;
    try {
      for (; i < length && pos < end; i++) {
        const lead = view.getUint8(pos++);
        if (lead < 0x80) array[i] = lead;
        else if (lead >= 0xe0) array[i] = lead - 0x100;
        else if (lead === 0xcb) {
          array[i] = view.getFloat64(pos);
          pos += 8;
        } else if (lead === 0xca) {
          array[i] = view.getFloat32(pos);
          pos += 4;
        } else if (lead === 0xce) {
          array[i] = view.getUint32(pos);
          pos += 4;
        } else if (lead === 0xd2) {
          array[i] = view.getInt32(pos);
          pos += 4;
        } else if (lead === 0xcd) {
          array[i] = view.getUint16(pos);
          pos += 2;
        } else if (lead === 0xd1) {
          array[i] = view.getInt16(pos);
          pos += 2;
        } else if (lead === 0xcc) array[i] = view.getUint8(pos++);
        else if (lead === 0xd0) array[i] = view.getInt8(pos++);
        else {
          pos--;
          break;
        }
      }
    } catch {
      // Only the view throws, at its end.
      throw truncated();
    }
    this.offset = pos;
    return i;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    if (depth >= MAX_DEPTH) throw tooDeep();
    if (2 * length > this.#end - this.offset) throw truncated();
    const map: Record<string, unknown> = {};
    let isSparse = false;
    for (let i = 0; i < length; i++) {
      const known = this.#knownKey();
      if (known !== undefined) {
        map[known] = this.#value(depth + 1);
        continue;
      }
      const key = this.#key(depth);
      const value = this.#value(depth + 1);
      if (key === "__proto__") {
        Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
      } else {
        if (!isSparse && Number(key) > 16 + 4 * i) {
          sparse(map);
          isSparse = true;
        }
        map[key] = value;
      }
    }
    return map;
  }

  /** Where a key that begins at `start` is remembered. */
  #slot(start: number, length: number): number {
    const buf = this.#buf;
    return (buf[start]! * 31 + buf[start + (length >> 1)]! * 7 + buf[start + length - 1]! + length * 13) &
      CACHED_KEYS - 1;
  }

  /** Reads a map's key if it is one that has been read before, and otherwise nothing. */
  #knownKey(): string | undefined {
    const buf = this.#buf;
    const start = this.offset + 1;
    const length = buf[start - 1]! - 0xa0;
    if (!(length > 0 && length < 32 && start + length <= this.#end)) return undefined;
    const slot = this.#slot(start, length);
    const key = this.#keys[slot];
    if (key === undefined || key.length !== length) return undefined;
    const bytes = this.#keyBytes;
    const base = slot * CACHED_KEY_BYTES;
    for (let i = 0; i < length; i++) if (bytes[base + i] !== buf[start + i]) return undefined;
    this.offset = start + length;
    return key;
  }

  /** Reads a map's key, and remembers it if it is short, ASCII, and needs no special care. */
  #key(depth: number): string {
    const buf = this.#buf;
    const lead = buf[this.offset]!;
    const key = lead >= 0xa0 && lead < 0xdc ? this.#value(depth + 1) : undefined;
    if (typeof key !== "string") {
      if (this.offset >= this.#end) throw truncated();
      throw new LoadError("Cannot load: the key of a map is not a string");
    }
    const length = key.length;
    const start = this.offset - length;
    // After a header of one byte, as many units as bytes: ASCII.
    if (
      lead === (0xa0 | length) && length > 0 && length < 32 && !/^[0-9]/.test(key) && key !== "__proto__"
    ) {
      const slot = this.#slot(start, length);
      this.#keyBytes.set(buf.subarray(start, this.offset), slot * CACHED_KEY_BYTES);
      // Object.keys gives the engine's own copy of the name, which is found faster than an equal string.
      this.#keys[slot] = Object.keys({ [key]: 0 })[0];
    }
    return key;
  }

  #ext(length: number, depth: number): unknown {
    const type = this.#uint8() << 24 >> 24;
    const start = this.#take(length);
    const stop = this.offset;
    if (type === EXT.CONSTANT) {
      const constant = length === 1 ? this.#buf[start] : -1;
      if (constant === CONSTANT.UNDEFINED) return undefined;
      if (constant === CONSTANT.INVALID_DATE) return new Date(NaN);
      throw invalid("constant");
    }
    const payload = this.#buf.subarray(start, stop);
    switch (type) {
      case EXT.UTF16:
        return utf16(payload);
      case EXT.BIGINT:
        return bigint(payload);
      case EXT.BINARY:
        return binary(payload);
      case EXT.URL:
        return new URL(decodeUtf8(payload));
      case EXT.CHANNEL:
        return this.#channel(payload);
    }
    // What holds items is read with the payload as the whole input.
    const end = this.#end;
    this.#end = stop;
    this.offset = start;
    const value = this.#nested(type, depth);
    if (this.offset !== stop) throw new LoadError("Cannot load: bytes follow the content of an extension");
    this.#end = end;
    return value;
  }

  #nested(type: number, depth: number): unknown {
    if ((type === EXT.SET || type === EXT.MAP) && !this.#keyed) {
      throw new LoadError("Cannot load: a Map or a Set has no meaning here");
    } else if (type === EXT.SET) {
      const elements = this.#value(depth);
      if (Array.isArray(elements)) return new Set(elements);
    } else if (type === EXT.MAP) {
      return this.#mapOfAny(depth);
    } else if (type === EXT.REGEXP) {
      const source = this.#value(depth);
      const flags = this.#value(depth);
      if (typeof source === "string" && typeof flags === "string") return new RegExp(source, flags);
    } else if (type === EXT.ERROR) {
      return error(this.#value(depth));
    } else if (type === EXT.TIMESTAMP) {
      return this.#date(this.#end - this.offset);
    }
    throw invalid(`extension type ${type}`);
  }

  #mapOfAny(depth: number): Map<unknown, unknown> {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const lead = this.#uint8();
    if (lead >> 4 !== 8 && lead !== 0xde && lead !== 0xdf) throw invalid("Map");
    const length = lead < 0x90 ? lead & 15 : this.#length(lead - 0xdd);
    if (2 * length > this.#end - this.offset) throw truncated();
    const map = new Map();
    for (let i = 0; i < length; i++) {
      const key = this.#value(depth + 1);
      map.set(key, this.#value(depth + 1));
    }
    return map;
  }

  #channel(payload: Uint8Array): unknown {
    const id = payload.reduce((id, byte) => id * 256 + byte, 0);
    if (payload.length === 0 || !Number.isSafeInteger(id)) throw invalid("channel");
    if (this.#hooks === undefined) throw new LoadError(`Cannot load: channel ${id} has no meaning here`);
    return this.#hooks.channel(id);
  }

  #date(length: number): Date {
    let nanos = 0;
    let high = 0;
    if (length === 8) {
      const packed = this.#uint32();
      nanos = packed >>> 2;
      high = packed & 3;
    } else if (length === 12) {
      nanos = this.#uint32();
      high = this.#uint32() | 0;
    } else if (length !== 4) throw invalid("date");
    const seconds = high * 2 ** 32 + this.#uint32();
    const date = new Date(seconds * 1000 + Math.floor(nanos / 1e6));
    if (nanos > 999_999_999 || Number.isNaN(date.getTime())) throw invalid("date");
    return date;
  }
}
