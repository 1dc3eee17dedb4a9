/** Turns items into bytes. The hot path tracks neither paths nor cycles: a second, slow walk explains a failure. */

import { DumpError } from "./errors.ts";
import { BINARY_KINDS, CONSTANT, EXT, MAX_DEPTH, MAX_ITEM_BYTES } from "./item.ts";

/** What the encoder asks of whoever knows channels. */
export interface EncodeHooks {
  /**
   * Names a Channel.
   *
   * @param value An object that is nothing else the format knows.
   * @returns The channel's id, a safe integer of at least 0, or undefined when `value` is not a Channel.
   * @throws {Error} When the Channel cannot be sent; its message goes into the {@linkcode DumpError}.
   */
  channel(value: unknown): number | undefined;
}

/** Why a value cannot be sent; never leaves this file. */
class Refusal extends Error {}

/** The one refusal that has no culprit. */
class TooLong extends Refusal {}

/** Free bytes that the start of every value finds: more than any scalar or header needs. */
const SLACK_BYTES = 16;
const INITIAL_BYTES = 4096;
/** A buffer beyond this is let go before the next item, so that one huge item is not paid for ever after. */
const RETAIN_BYTES = 4 * 1024 * 1024;
/** Below this many units a loop beats `encodeInto`, whose call alone costs as much as the loop. */
const SHORT_STRING_UNITS = 64;

const { getPrototypeOf, hasOwn, keys } = Object;
const { isArray } = Array;
const objectPrototype = Object.prototype;
const arrayPrototype = Array.prototype;
const bytesPrototype = Uint8Array.prototype;
const utf8 = new TextEncoder();
const kindOf = new Map<unknown, number>(BINARY_KINDS.map((type, kind) => [type?.prototype, kind]));
// Aliases to take a float apart; little-endian, as every platform of Deno is and as binary data in the format is.
const f64 = new Float64Array(1);
const f32 = new Float32Array(f64.buffer);
const i64 = new BigInt64Array(f64.buffer);
const u32 = new Uint32Array(f64.buffer);

/** Turns items into bytes, one at a time, in a buffer that it keeps. */
export class Encoder {
  #hooks: EncodeHooks | undefined;
  #buf: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  /** The last position at which a value may start without a look at the room left. */
  #safe = INITIAL_BYTES - SLACK_BYTES;
  #busy = false;
  /** The errors being written: what they hold is dropped where it cannot be sent, so depth alone ends no cycle. */
  #errors: Set<unknown> = new Set();

  /** Makes an encoder; without `hooks` a Channel is a {@linkcode DumpError}. */
  constructor(hooks?: EncodeHooks) {
    this.#hooks = hooks;
  }

  /**
   * Encodes one item.
   *
   * - The result is a view into the encoder's own buffer, valid until the next call.
   * - After an error the encoder is as good as new.
   *
   * @param value The item.
   * @returns Its encoding.
   * @throws {DumpError} When something in the item cannot be sent; its `path` leads there: `.name` or `["any name"]`
   * for a property, `[3]` for an element of an array or a Set, `.get("key")` for a value of a Map, `.keys()[3]` and
   * `.values()[3]` for the key and the value of a Map's entry whose key is an object.
   */
  encode(value: unknown): Uint8Array<ArrayBuffer> {
    // A getter or a hook may come back here, while this buffer is half full.
    if (this.#busy) return new Encoder(this.#hooks).encode(value);
    if (this.#buf.length > RETAIN_BYTES) this.#resize(INITIAL_BYTES, 0);
    this.#busy = true;
    try {
      const end = this.#write(value, 0, 0);
      if (end > MAX_ITEM_BYTES) throw tooLong();
      return this.#buf.subarray(0, end);
    } catch (error) {
      if (!(error instanceof TooLong)) this.#explain(value, "$", 0, []);
      // Otherwise only what changes while it is read can fail once and not twice.
      throw refuse("$", error);
    } finally {
      this.#busy = false;
    }
  }

  #resize(length: number, used: number): void {
    const buf = new Uint8Array(length);
    buf.set(this.#buf.subarray(0, used));
    this.#buf = buf;
    this.#safe = length - SLACK_BYTES;
  }

  /** Makes room for everything below `end` and the next value's header; what is below `used` stays. */
  #room(used: number, end: number): Uint8Array<ArrayBuffer> {
    if (end > this.#safe) {
      // The room asked for may be a little more than is then used, so the exact check comes at the item's end.
      if (end > MAX_ITEM_BYTES + 256) throw tooLong();
      this.#resize(Math.max(end, Math.min(used * 2, MAX_ITEM_BYTES)) + 2 * SLACK_BYTES, used);
    }
    return this.#buf;
  }

  /** Writes one value at `pos`, inside `depth` containers, and returns the position behind it. */
  #write(value: unknown, pos: number, depth: number): number {
    if (pos > this.#safe) this.#room(pos, pos + SLACK_BYTES);
    if (typeof value === "string") return this.#string(value, pos);
    if (typeof value === "number") return this.#number(value, pos);
    const buf = this.#buf;
    if (typeof value === "object") {
      if (value !== null) return this.#object(value, pos, depth);
      buf[pos] = 0xc0;
      return pos + 1;
    }
    if (typeof value === "boolean") {
      buf[pos] = value ? 0xc3 : 0xc2;
      return pos + 1;
    }
    if (value === undefined) return this.#constant(CONSTANT.UNDEFINED, pos);
    if (typeof value === "bigint") return this.#bigint(value, pos);
    throw new Refusal(`it is a ${typeof value}`);
  }

  #number(value: number, pos: number): number {
    const buf = this.#buf;
    const int = value | 0;
    if (int === value && (int !== 0 || 1 / value > 0)) {
      if (int >= 0) {
        if (int < 0x80) {
          buf[pos] = int;
          return pos + 1;
        }
        if (int < 0x100) {
          buf[pos] = 0xcc;
          buf[pos + 1] = int;
          return pos + 2;
        }
        if (int < 0x10000) return write16(buf, pos, 0xcd, int);
        return write32(buf, pos, 0xce, int);
      }
      if (int >= -0x20) {
        buf[pos] = int;
        return pos + 1;
      }
      if (int >= -0x80) {
        buf[pos] = 0xd0;
        buf[pos + 1] = int;
        return pos + 2;
      }
      if (int >= -0x8000) return write16(buf, pos, 0xd1, int);
      return write32(buf, pos, 0xd2, int);
    }
    if (value >>> 0 === value && value !== 0) return write32(buf, pos, 0xce, value);
    if (value !== value) {
      buf[pos] = 0xca;
      return put32(buf, pos + 1, 0x7fc00000);
    }
    if (Math.fround(value) === value) {
      buf[pos] = 0xca;
      f32[0] = value;
      return put32(buf, pos + 1, u32[0]!);
    }
    buf[pos] = 0xcb;
    f64[0] = value;
    return put32(buf, put32(buf, pos + 1, u32[1]!), u32[0]!);
  }

  #bigint(value: bigint, pos: number): number {
    const buf = this.#buf;
    const signed = BigInt.asIntN(64, value) === value;
    if (signed || BigInt.asUintN(64, value) === value) {
      buf[pos] = signed ? 0xd3 : 0xcf;
      i64[0] = value;
      return put32(buf, put32(buf, pos + 1, u32[1]!), u32[0]!);
    }
    let hex = (value < 0n ? -value : value).toString(16);
    if (hex.length & 1) hex = "0" + hex;
    const length = hex.length / 2 + 1;
    pos = this.#extHeader(EXT.BIGINT, length, pos);
    const room = this.#room(pos, pos + length);
    room[pos++] = value < 0n ? 1 : 0;
    for (let i = 0; i < hex.length; i += 2) room[pos++] = parseInt(hex.slice(i, i + 2), 16);
    return pos;
  }

  #string(value: string, pos: number): number {
    const length = value.length;
    if (length > SHORT_STRING_UNITS) return this.#longString(value, pos);
    const buf = this.#room(pos, pos + SHORT_STRING_UNITS + 2);
    let at = pos;
    if (length < 32) {
      buf[at++] = 0xa0 | length;
    } else {
      buf[at++] = 0xd9;
      buf[at++] = length;
    }
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return this.#longString(value, pos);
      buf[at++] = unit;
    }
    return at;
  }

  #longString(value: string, pos: number): number {
    if (!value.isWellFormed()) return this.#utf16(value, pos);
    const length = value.length;
    // The header has the width that suits ASCII; where the bytes turn out to need a wider one they are moved.
    const guess = headerWidth(length);
    let at = pos + guess;
    let read = 0;
    while (read < length) {
      const buf = this.#room(at, at + length - read + SLACK_BYTES);
      const done = utf8.encodeInto(read === 0 ? value : value.slice(read), buf.subarray(at));
      read += done.read;
      at += done.written;
    }
    const bytes = at - pos - guess;
    const width = headerWidth(bytes);
    const buf = this.#room(at, at + SLACK_BYTES);
    if (width !== guess) buf.copyWithin(pos + width, pos + guess, at);
    if (width === 1) buf[pos] = 0xa0 | bytes;
    else if (width === 2) {
      buf[pos] = 0xd9;
      buf[pos + 1] = bytes;
    } else if (width === 3) write16(buf, pos, 0xda, bytes);
    else write32(buf, pos, 0xdb, bytes);
    return pos + width + bytes;
  }

  #utf16(value: string, pos: number): number {
    const length = value.length;
    pos = this.#extHeader(EXT.UTF16, 2 * length, pos);
    const buf = this.#room(pos, pos + 2 * length);
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      buf[pos++] = unit;
      buf[pos++] = unit >> 8;
    }
    return pos;
  }

  #constant(constant: number, pos: number): number {
    pos = this.#extHeader(EXT.CONSTANT, 1, pos);
    this.#buf[pos] = constant;
    return pos + 1;
  }

  #extHeader(type: number, length: number, pos: number): number {
    const buf = this.#room(pos, pos + SLACK_BYTES);
    const fixed = length === 1
      ? 0xd4
      : length === 2
      ? 0xd5
      : length === 4
      ? 0xd6
      : length === 8
      ? 0xd7
      : 0xd8;
    if (fixed !== 0xd8 || length === 16) buf[pos++] = fixed;
    else if (length < 0x100) {
      buf[pos++] = 0xc7;
      buf[pos++] = length;
    } else if (length < 0x10000) pos = write16(buf, pos, 0xc8, length);
    else pos = write32(buf, pos, 0xc9, length);
    buf[pos] = type;
    return pos + 1;
  }

  /** Puts the header before the payload between `pos` + 3 and `end`, which moves where the header is not 3 wide. */
  #extAround(type: number, pos: number, end: number): number {
    const start = pos + 3;
    const length = end - start;
    const width = length === 1 || length === 2 || length === 4 || length === 8 || length === 16
      ? 2
      : length < 0x100
      ? 3
      : length < 0x10000
      ? 4
      : 6;
    const buf = this.#room(end, end + SLACK_BYTES);
    if (width !== 3) buf.copyWithin(pos + width, start, end);
    this.#extHeader(type, length, pos);
    return pos + width + length;
  }

  #object(value: object, pos: number, depth: number): number {
    const prototype = getPrototypeOf(value);
    if (prototype === objectPrototype) return this.#plain(value as Record<string, unknown>, pos, depth);
    if (isArray(value)) {
      if (prototype !== arrayPrototype) throw new Refusal(nameOf(value));
      return this.#array(value, pos, depth);
    }
    if (prototype === bytesPrototype) return this.#bytes(value as Uint8Array, pos);
    if (prototype === null) return this.#plain(value as Record<string, unknown>, pos, depth);
    return this.#special(value, prototype, pos, depth);
  }

  #plain(value: Record<string, unknown>, pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    let length = 0;
    for (const name in value) if (hasOwn(value, name)) length++;
    pos = countHeader(this.#buf, pos, length, 0x80, 0xde);
    for (const name in value) {
      if (hasOwn(value, name)) {
        pos = this.#string(name, pos);
        pos = this.#write(value[name], pos, depth + 1);
      }
    }
    return pos;
  }

  #array(value: unknown[], pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const length = value.length;
    if (length > MAX_ITEM_BYTES) throw tooLong();
    pos = countHeader(this.#buf, pos, length, 0x90, 0xdc);
    for (let i = 0; i < length; i++) {
      const element = value[i];
      if (element === undefined && !hasOwn(value, i)) pos = this.#constant(CONSTANT.HOLE, pos);
      else pos = this.#write(element, pos, depth + 1);
    }
    return pos;
  }

  #bytes(value: Uint8Array, pos: number): number {
    const length = value.length;
    const buf = this.#room(pos, pos + SLACK_BYTES + length);
    if (length < 0x100) {
      buf[pos++] = 0xc4;
      buf[pos++] = length;
    } else if (length < 0x10000) pos = write16(buf, pos, 0xc5, length);
    else pos = write32(buf, pos, 0xc6, length);
    buf.set(value, pos);
    return pos + length;
  }

  /** Writes what is rarer than plain objects, arrays and bytes. */
  #special(value: object, prototype: object, pos: number, depth: number): number {
    if (value instanceof Error) return this.#error(value, pos, depth);
    if (value instanceof Uint8Array) return this.#bytes(value, pos);
    if (prototype === Map.prototype || prototype === Set.prototype) {
      return this.#collection(value as Map<unknown, unknown> | Set<unknown>, pos, depth);
    }
    if (prototype === Date.prototype) return this.#date((value as Date).getTime(), pos);
    if (prototype === ArrayBuffer.prototype) {
      return this.#binary(0, new Uint8Array(value as ArrayBuffer), pos);
    }
    const kind = kindOf.get(prototype);
    if (kind !== undefined) {
      const { buffer, byteOffset, byteLength } = value as ArrayBufferView;
      return this.#binary(kind, new Uint8Array(buffer, byteOffset, byteLength), pos);
    }
    if (prototype === RegExp.prototype) {
      const { source, flags } = value as RegExp;
      const end = this.#write(flags, this.#write(source, pos + 3, depth), depth);
      return this.#extAround(EXT.REGEXP, pos, end);
    }
    if (prototype === URL.prototype) {
      const text = utf8.encode((value as URL).href);
      pos = this.#extHeader(EXT.URL, text.length, pos);
      this.#room(pos, pos + text.length).set(text, pos);
      return pos + text.length;
    }
    const id = this.#hooks?.channel(value);
    if (id === undefined) throw new Refusal(nameOf(value));
    const digits: number[] = [];
    for (let rest = id; digits.length === 0 || rest > 0; rest = Math.floor(rest / 256)) {
      digits.push(rest % 256);
    }
    pos = this.#extHeader(EXT.CHANNEL, digits.length, pos);
    while (digits.length > 0) this.#buf[pos++] = digits.pop()!;
    return pos;
  }

  #collection(value: Map<unknown, unknown> | Set<unknown>, pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    // A getter inside may add or remove entries while they are read, which the count in front would not show.
    const size = value.size;
    let left = size;
    let at: number;
    if (value instanceof Map) {
      at = countHeader(this.#buf, pos + 3, size, 0x80, 0xde);
      for (const entry of value) {
        at = this.#write(entry[1], this.#write(entry[0], at, depth + 1), depth + 1);
        left--;
      }
    } else {
      at = countHeader(this.#buf, pos + 3, size, 0x90, 0xdc);
      for (const element of value) {
        at = this.#write(element, at, depth + 1);
        left--;
      }
    }
    if (left !== 0) throw new Refusal("it changed while it was read");
    return this.#extAround(value instanceof Map ? EXT.MAP : EXT.SET, pos, at);
  }

  #date(time: number, pos: number): number {
    if (time !== time) return this.#constant(CONSTANT.INVALID_DATE, pos);
    const seconds = Math.floor(time / 1000);
    const nanos = (time - seconds * 1000) * 1e6;
    const high = Math.floor(seconds / 2 ** 32);
    if (high === 0 && nanos === 0) {
      pos = this.#extHeader(EXT.TIMESTAMP, 4, pos);
    } else if (high >= 0 && high < 4) {
      pos = this.#extHeader(EXT.TIMESTAMP, 8, pos);
      pos = put32(this.#buf, pos, nanos * 4 + high);
    } else {
      pos = this.#extHeader(EXT.TIMESTAMP, 12, pos);
      pos = put32(this.#buf, pos, nanos);
      pos = put32(this.#buf, pos, high);
    }
    return put32(this.#buf, pos, seconds);
  }

  #binary(kind: number, bytes: Uint8Array, pos: number): number {
    const length = bytes.length;
    pos = this.#extHeader(EXT.BINARY, length + 1, pos);
    const buf = this.#room(pos, pos + length + 1);
    buf[pos] = kind;
    buf.set(bytes, pos + 1);
    return pos + length + 1;
  }

  /** Writes an error; what it carries beyond its texts is left out where it cannot be sent. */
  #error(value: Error, pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    if (this.#errors.has(value)) throw new Refusal("it is in a cycle");
    this.#errors.add(value);
    try {
      const names = new Set(["name", "message", "stack", "cause", "errors", ...keys(value)]);
      const start = pos + 4;
      let at = start;
      let count = 0;
      for (const name of names) {
        const isText = name === "name" || name === "message";
        try {
          let field = (value as unknown as Record<string, unknown>)[name];
          if (isText) field = String(field);
          else if (name === "stack" ? typeof field !== "string" : !hasOwn(value, name)) continue;
          at = this.#write(field, this.#write(name, at, depth), depth + 1);
          count++;
        } catch (error) {
          if (isText) throw error;
        }
      }
      const buf = this.#room(at, at + SLACK_BYTES);
      const header = count < 16 ? 1 : count < 0x10000 ? 3 : 5;
      if (header !== 1) buf.copyWithin(pos + 3 + header, start, at);
      countHeader(buf, pos + 3, count, 0x80, 0xde);
      return this.#extAround(EXT.ERROR, pos, at + header - 1);
    } finally {
      this.#errors.delete(value);
    }
  }

  /** Finds the first value that cannot be sent, in the order of writing, and throws the error that names it. */
  #explain(value: unknown, path: string, depth: number, ancestors: unknown[]): void {
    try {
      if (!isContainer(value)) return void this.#write(value, 0, depth);
      if (ancestors.includes(value)) throw new Refusal("it refers back to what holds it, a cycle");
      if (depth >= MAX_DEPTH) throw tooDeep();
    } catch (error) {
      throw refuse(path, error);
    }
    const inside = [...ancestors, value];
    for (const [step, read] of children(value)) {
      let child: unknown;
      try {
        child = read();
      } catch (error) {
        throw refuse(path + step, error);
      }
      this.#explain(child, path + step, depth + 1, inside);
    }
  }
}

function tooLong(): TooLong {
  return new TooLong(`its encoding exceeds ${MAX_ITEM_BYTES} bytes`);
}

function tooDeep(): Refusal {
  return new Refusal(`it is nested deeper than ${MAX_DEPTH} containers`);
}

/** The error for a culprit: a refusal's reason is ours, any other error came out of a hook or out of the value. */
function refuse(path: string, reason: unknown): DumpError {
  const text = reason instanceof Error ? reason.message : String(reason);
  return new DumpError(
    `Cannot send ${path}: ${text}`,
    path,
    reason instanceof Refusal ? undefined : { cause: reason },
  );
}

/** What to call an object that cannot be sent. */
function nameOf(value: object): string {
  const name: unknown = getPrototypeOf(value)?.constructor?.name;
  return `it is an instance of ${name || "a class"}`;
}

function isContainer(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = getPrototypeOf(value);
  if (isArray(value)) return prototype === arrayPrototype;
  return prototype === null || prototype === objectPrototype || prototype === Map.prototype ||
    prototype === Set.prototype;
}

/** What a container holds, in the order of writing: how it is reached, and how it is read. */
function* children(value: object): Generator<[step: string, read: () => unknown]> {
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) yield [`[${i}]`, () => value[i]];
  } else if (value instanceof Map) {
    let i = 0;
    for (const [key, element] of value) {
      const step = key === null || typeof key !== "object" && typeof key !== "function"
        ? `.get(${typeof key === "string" ? JSON.stringify(key) : String(key)})`
        : `.values()[${i}]`;
      yield [`.keys()[${i++}]`, () => key];
      yield [step, () => element];
    }
  } else if (value instanceof Set) {
    let i = 0;
    for (const element of value) yield [`[${i++}]`, () => element];
  } else {
    for (const name of keys(value)) {
      const step = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)
        ? `.${name}`
        : `[${JSON.stringify(name)}]`;
      yield [step, () => (value as Record<string, unknown>)[name]];
    }
  }
}

/** How wide the header of a string of that many bytes is. */
function headerWidth(bytes: number): number {
  return bytes < 32 ? 1 : bytes < 0x100 ? 2 : bytes < 0x10000 ? 3 : 5;
}

function countHeader(buf: Uint8Array, pos: number, count: number, small: number, wide: number): number {
  if (count < 16) {
    buf[pos] = small | count;
    return pos + 1;
  }
  return count < 0x10000 ? write16(buf, pos, wide, count) : write32(buf, pos, wide + 1, count);
}

function write16(buf: Uint8Array, pos: number, lead: number, value: number): number {
  buf[pos] = lead;
  buf[pos + 1] = value >> 8;
  buf[pos + 2] = value;
  return pos + 3;
}

function write32(buf: Uint8Array, pos: number, lead: number, value: number): number {
  buf[pos] = lead;
  return put32(buf, pos + 1, value);
}

function put32(buf: Uint8Array, pos: number, value: number): number {
  buf[pos] = value >> 24;
  buf[pos + 1] = value >> 16;
  buf[pos + 2] = value >> 8;
  buf[pos + 3] = value;
  return pos + 4;
}
