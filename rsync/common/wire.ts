/** Messages as bytes: numbers as they need it, texts and bytes with their length. What is read is hostile. */

import { ascii } from "../../channel/ascii.ts";
import { ProtocolError } from "../../channel/errors.ts";

const FIRST_ROOM_BYTES = 1024;
/** A text in UTF-8 has at most so many bytes for each of its code units. */
const UTF8_PER_UNIT = 3;
/** Numbers are integers that doubles can hold. */
const MAX_VARINT_BYTES = 8;

/** The engine's decoder takes a microsecond for any text; shorter ones that are ASCII take less without it. */
const SHORT_BYTES = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Collects values as bytes. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_ROOM_BYTES);
  #length = 0;

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** What was collected: a view that is valid until more is written. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was collected. */
  clear(): void {
    this.#length = 0;
  }

  /** Takes what was collected, and begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.view.slice();
    this.clear();
    return bytes;
  }

  /** One byte. */
  byte(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, the lowest first. */
  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot write ${value}: no whole number`);
    }
    this.#room(MAX_VARINT_BYTES);
    while (value >= 0x80) {
      this.#bytes[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** A whole number that may be negative. */
  signed(value: number): this {
    return this.byte(value < 0 ? 1 : 0).number(Math.abs(value));
  }

  /** A text, in UTF-8. */
  text(value: string): this {
    this.#room(MAX_VARINT_BYTES + value.length * UTF8_PER_UNIT);
    // Most texts are short, so that one byte holds their length: they are encoded where they belong.
    const at = this.#length + 1;
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(at));
    if (written < 0x80) {
      this.#bytes[at - 1] = written;
      this.#length = at + written;
      return this;
    }
    const bytes = this.#bytes.slice(at, at + written);
    return this.bytes(bytes);
  }

  /** Bytes with their length. */
  bytes(value: Uint8Array): this {
    return this.number(value.length).raw(value);
  }

  /** Bytes as they are: the reader knows how many. */
  raw(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  #room(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads what a {@linkcode ByteWriter} wrote. Every method throws {@linkcode ProtocolError} at what cannot be read. */
export class ByteReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #offset = 0;

  /** Begins at the first byte of an item that was received. */
  constructor(item: unknown) {
    if (!(item instanceof Uint8Array)) throw new ProtocolError("Cannot read a message: it is not bytes");
    this.#bytes = item as Uint8Array<ArrayBuffer>;
  }

  /** Whether everything has been read. */
  get done(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** One byte. */
  byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** A whole number. */
  number(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new ProtocolError("Cannot read a message: a number is too large");
  }

  /** A whole number that may be negative. */
  signed(): number {
    return this.byte() === 1 ? -this.number() : this.number();
  }

  /** A text. */
  text(): string {
    const bytes = this.bytes();
    const text = bytes.length <= SHORT_BYTES ? ascii(bytes, 0, bytes.length) : undefined;
    if (text !== undefined) return text;
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new ProtocolError("Cannot read a message: a text is not UTF-8", { cause });
    }
  }

  /** Bytes with their length: a view of the message. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.raw(this.number());
  }

  /** So many bytes: a view of the message. */
  raw(length: number): Uint8Array<ArrayBuffer> {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** All that is left: a view of the message. */
  rest(): Uint8Array<ArrayBuffer> {
    return this.raw(this.#bytes.length - this.#offset);
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) {
      throw new ProtocolError("Cannot read a message: it is cut short");
    }
    this.#offset = start + length;
    return start;
  }
}
