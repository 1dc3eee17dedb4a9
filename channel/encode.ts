/** Turns items into bytes. The hot path tracks neither paths nor cycles: a second, slow walk explains a failure. */

import { BINARY_KINDS, CONSTANT, EXT, MAX_DEPTH, MAX_ITEM_BYTES } from "./item.ts";
import { constant, countHeader, endString, extHeader, number, put32, sized, stringHeader } from "./_put.ts";
import { explain, inCycle, Refusal, tooDeep, TooLong, unknownObject } from "./_explain.ts";

/** What the encoder asks of whoever knows channels. */
export interface EncodeHooks {
  /**
   * Names a Channel.
   *
   * @param value An object that is nothing else the format knows.
   * @returns The channel's id, a safe integer of at least 0, or undefined when `value` is not a Channel.
   * @throws {Error} When the Channel cannot be sent; its message goes into the `DumpError`.
   */
  channel(value: unknown): number | undefined;
}

/** Free bytes that the start of every value finds: more than any number or header needs. */
const SLACK_BYTES = 16;
const INITIAL_BYTES = 4096;
/** A buffer beyond this is let go before the next item, so that one huge item is not paid for ever after. */
const RETAIN_BYTES = 4 * 1024 * 1024;
/** Up to so many units a loop beats `encodeInto`, whose call alone costs as much as the loop. */
const SHORT_STRING_UNITS = 64;

const { getPrototypeOf, hasOwn, keys } = Object;
const { isArray } = Array;
const objectPrototype = Object.prototype;
const arrayPrototype = Array.prototype;
const bytesPrototype = Uint8Array.prototype;
const utf8 = new TextEncoder();
const kindOf = new Map<unknown, number>(BINARY_KINDS.map((type, kind) => [type?.prototype, kind]));

/** Turns items into bytes, one at a time, in a buffer that it keeps. */
export class Encoder {
  #hooks: EncodeHooks | undefined;
  #buf: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  /** The same memory; for numbers of several bytes it is twice as fast. */
  #view: DataView = new DataView(this.#buf.buffer);
  /** The last position at which a value may start without a look at the room left. */
  #safe = INITIAL_BYTES - SLACK_BYTES;
  #busy = false;
  /** The errors being written: what they hold is left out where it cannot be sent, so depth alone ends no cycle. */
  #errors: Set<unknown> = new Set();

  /** Makes an encoder; without `hooks` a Channel is a `DumpError`. */
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
      if (end > MAX_ITEM_BYTES) throw new TooLong();
      return this.#buf.subarray(0, end);
    } catch (error) {
      throw explain(value, error, (value, depth) => this.#write(value, 0, depth));
    } finally {
      this.#busy = false;
    }
  }

  #resize(length: number, used: number): void {
    const buf = new Uint8Array(length);
    buf.set(this.#buf.subarray(0, used));
    this.#buf = buf;
    this.#view = new DataView(buf.buffer);
    this.#safe = length - SLACK_BYTES;
  }

  /** Makes room for everything below `end` and a header behind it; what is below `used` stays. */
  #room(used: number, end: number): Uint8Array<ArrayBuffer> {
    if (end > this.#safe) {
      // A little more is asked for than is then used, so the exact check comes at the item's end.
      if (end > MAX_ITEM_BYTES + 256) throw new TooLong();
      this.#resize(Math.max(end, Math.min(used * 2, MAX_ITEM_BYTES)) + 2 * SLACK_BYTES, used);
    }
    return this.#buf;
  }

  /** Writes one value at `pos`, inside `depth` containers, and returns the position behind it. */
  #write(value: unknown, pos: number, depth: number): number {
    if (typeof value === "string") return this.#string(value, pos);
    if (pos > this.#safe) this.#room(pos, pos);
    const buf = this.#buf;
    if (typeof value === "number") return number(buf, this.#view, value, pos);
    if (typeof value === "object") {
      if (value !== null) return this.#object(value, pos, depth);
      buf[pos] = 0xc0;
    } else if (typeof value === "boolean") {
      buf[pos] = value ? 0xc3 : 0xc2;
    } else if (value === undefined) {
      return constant(buf, CONSTANT.UNDEFINED, pos);
    } else if (typeof value === "bigint") {
      return this.#bigint(value, pos);
    } else {
      throw new Refusal(`it is a ${typeof value}`);
    }
    return pos + 1;
  }

  #bigint(value: bigint, pos: number): number {
    const signed = BigInt.asIntN(64, value) === value;
    if (signed || BigInt.asUintN(64, value) === value) {
      this.#buf[pos] = signed ? 0xd3 : 0xcf;
      this.#view.setBigInt64(pos + 1, value);
      return pos + 9;
    }
    let hex = (value < 0n ? -value : value).toString(16);
    if (hex.length & 1) hex = "0" + hex;
    const bytes = new Uint8Array(hex.length / 2);
    for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    return this.#tagged(EXT.BIGINT, value < 0n ? 1 : 0, bytes, pos);
  }

  #string(value: string, pos: number): number {
    const length = value.length;
    if (length > SHORT_STRING_UNITS) return this.#longString(value, pos);
    const buf = this.#room(pos, pos + 3 * SHORT_STRING_UNITS);
    // The header has the width that suits ASCII; where the bytes turn out to need a wider one they are moved.
    const start = stringHeader(buf, pos, length);
    let at = start;
    for (let i = 0; i < length; i++) {
      let point = value.charCodeAt(i);
      if (point < 0x80) {
        buf[at++] = point;
        continue;
      }
      if (point < 0x800) {
        buf[at++] = 0xc0 | point >> 6;
      } else {
        if (point < 0xd800 || point > 0xdfff) {
          buf[at++] = 0xe0 | point >> 12;
        } else {
          point = value.codePointAt(i++)!;
          if (point < 0x10000) return this.#utf16(value, pos);
          buf[at++] = 0xf0 | point >> 18;
          buf[at++] = 0x80 | point >> 12 & 63;
        }
        buf[at++] = 0x80 | point >> 6 & 63;
      }
      buf[at++] = 0x80 | point & 63;
    }
    return at - start === length ? at : endString(buf, pos, start, at);
  }

  #longString(value: string, pos: number): number {
    if (!value.isWellFormed()) return this.#utf16(value, pos);
    const length = value.length;
    const start = stringHeader(this.#room(pos, pos), pos, length);
    let at = start;
    let read = 0;
    while (read < length) {
      const buf = this.#room(at, at + length - read + SLACK_BYTES);
      const done = utf8.encodeInto(read === 0 ? value : value.slice(read), buf.subarray(at));
      read += done.read;
      at += done.written;
    }
    return endString(this.#room(at, at), pos, start, at);
  }

  #utf16(value: string, pos: number): number {
    const units = new Uint16Array(value.length);
    for (let i = 0; i < units.length; i++) units[i] = value.charCodeAt(i);
    return this.#ext(EXT.UTF16, new Uint8Array(units.buffer), pos);
  }

  /** Writes an extension. */
  #ext(type: number, payload: Uint8Array, pos: number): number {
    pos = extHeader(this.#room(pos, pos), type, payload.length, pos);
    this.#room(pos, pos + payload.length).set(payload, pos);
    return pos + payload.length;
  }

  /** Writes an extension whose payload begins with a byte of its own. */
  #tagged(type: number, tag: number, payload: Uint8Array, pos: number): number {
    pos = extHeader(this.#room(pos, pos), type, payload.length + 1, pos);
    const buf = this.#room(pos, pos + 1 + payload.length);
    buf[pos] = tag;
    buf.set(payload, pos + 1);
    return pos + 1 + payload.length;
  }

  /** Puts a header before the payload between `pos` + 3 and `end`, which moves where the header is not 3 wide. */
  #endExt(type: number, pos: number, end: number): number {
    const buf = this.#room(end, end);
    const length = end - pos - 3;
    const width = extHeader(buf, type, length, end) - end;
    if (width !== 3) buf.copyWithin(pos + width, pos + 3, end);
    return extHeader(buf, type, length, pos) + length;
  }

  #object(value: object, pos: number, depth: number): number {
    const prototype = getPrototypeOf(value);
    if (prototype === objectPrototype) return this.#plain(value as Record<string, unknown>, pos, depth);
    if (prototype === arrayPrototype && isArray(value)) return this.#array(value, pos, depth);
    if (prototype === bytesPrototype) return this.#bytes(value as Uint8Array, pos);
    return this.#special(value, prototype, pos, depth);
  }

  #plain(value: Record<string, unknown>, pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const names = keys(value);
    const length = names.length;
    pos = countHeader(this.#buf, pos, 0x80, length);
    for (let i = 0; i < length; i++) {
      const name = names[i]!;
      pos = this.#write(value[name], this.#string(name, pos), depth + 1);
    }
    return pos;
  }

  #array(value: unknown[], pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const length = value.length;
    if (length > MAX_ITEM_BYTES) throw new TooLong();
    pos = countHeader(this.#buf, pos, 0x90, length);
    for (let i = 0; i < length; i++) {
      const element = value[i];
      if (typeof element === "number" && pos <= this.#safe) {
        pos = number(this.#buf, this.#view, element, pos);
      } else if (element === undefined && !hasOwn(value, i)) {
        pos = constant(this.#room(pos, pos), CONSTANT.HOLE, pos);
      } else pos = this.#write(element, pos, depth + 1);
    }
    return pos;
  }

  #bytes(value: Uint8Array, pos: number): number {
    const length = value.length;
    const buf = this.#room(pos, pos + SLACK_BYTES + length);
    pos = sized(buf, pos, 0xc4, length);
    buf.set(value, pos);
    return pos + length;
  }

  /** Writes what is rarer than plain objects, arrays and bytes. */
  #special(value: object, prototype: object | null, pos: number, depth: number): number {
    if (prototype === null && !isArray(value)) {
      return this.#plain(value as Record<string, unknown>, pos, depth);
    }
    if (value instanceof Error) return this.#error(value, pos, depth);
    if (value instanceof Uint8Array) return this.#bytes(value, pos);
    if (prototype === Map.prototype || prototype === Set.prototype) {
      return this.#collection(value as Map<unknown, unknown> | Set<unknown>, pos, depth);
    }
    if (prototype === Date.prototype) return this.#date((value as Date).getTime(), pos);
    if (prototype === ArrayBuffer.prototype) {
      const buffer = value as ArrayBuffer;
      // To ask for the length also shows whether it is one.
      return this.#tagged(EXT.BINARY, 0, new Uint8Array(buffer, 0, buffer.byteLength), pos);
    }
    const kind = kindOf.get(prototype);
    if (kind !== undefined) {
      const { buffer, byteOffset, byteLength } = value as ArrayBufferView;
      return this.#tagged(EXT.BINARY, kind, new Uint8Array(buffer, byteOffset, byteLength), pos);
    }
    if (prototype === URL.prototype) return this.#ext(EXT.URL, utf8.encode((value as URL).href), pos);
    if (prototype === RegExp.prototype) {
      const { source, flags } = value as RegExp;
      return this.#endExt(EXT.REGEXP, pos, this.#string(flags, this.#string(source, pos + 3)));
    }
    const id = this.#hooks?.channel(value);
    if (id === undefined) throw unknownObject(value);
    const digits: number[] = [];
    for (let rest = id; rest > 0 || digits.length === 0; rest = Math.floor(rest / 256)) {
      digits.unshift(rest % 256);
    }
    return this.#ext(EXT.CHANNEL, new Uint8Array(digits), pos);
  }

  #collection(value: Map<unknown, unknown> | Set<unknown>, pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const isMap = value instanceof Map;
    const { size } = value;
    let left = size;
    let at = countHeader(this.#buf, pos + 3, isMap ? 0x80 : 0x90, size);
    value.forEach((element: unknown, key: unknown) => {
      if (isMap) at = this.#write(key, at, depth + 1);
      at = this.#write(element, at, depth + 1);
      left--;
    });
    // A getter inside can do that, and the count in front would be wrong.
    if (left !== 0) throw new Refusal("it changed while it was read");
    return this.#endExt(isMap ? EXT.MAP : EXT.SET, pos, at);
  }

  #date(time: number, pos: number): number {
    const buf = this.#buf;
    if (time !== time) return constant(buf, CONSTANT.INVALID_DATE, pos);
    const seconds = Math.floor(time / 1000);
    const nanos = (time - seconds * 1000) * 1e6;
    const high = Math.floor(seconds / 2 ** 32);
    const isSmall = high >= 0 && high < 4;
    pos = extHeader(buf, EXT.TIMESTAMP, high === 0 && nanos === 0 ? 4 : isSmall ? 8 : 12, pos);
    if (!isSmall) pos = put32(buf, put32(buf, pos, nanos), high);
    else if (high + nanos > 0) pos = put32(buf, pos, nanos * 4 + high);
    return put32(buf, pos, seconds);
  }

  /** Writes an error as the map of its fields; what cannot be sent of all but its texts is left out. */
  #error(value: Error, pos: number, depth: number): number {
    if (depth >= MAX_DEPTH) throw tooDeep();
    if (this.#errors.has(value)) throw inCycle();
    this.#errors.add(value);
    try {
      const start = pos + 4;
      let at = start;
      let count = 0;
      for (const name of new Set(["name", "message", "stack", "cause", "errors", ...keys(value)])) {
        const isText = name === "name" || name === "message";
        try {
          let field: unknown = value[name as "message"];
          if (isText) field = String(field);
          else if (name === "stack" ? typeof field !== "string" : !hasOwn(value, name)) continue;
          at = this.#write(field, this.#string(name, at), depth + 1);
          count++;
        } catch (error) {
          if (isText) throw error;
        }
      }
      const buf = this.#room(at, at);
      const width = countHeader(buf, at, 0x80, count) - at;
      if (width !== 1) buf.copyWithin(pos + 3 + width, start, at);
      countHeader(buf, pos + 3, 0x80, count);
      return this.#endExt(EXT.ERROR, pos, at + width - 1);
    } finally {
      this.#errors.delete(value);
    }
  }
}
