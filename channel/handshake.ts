/** How two sides meet: a magic, a protocol version and a few facts, each way, whatever noise came before. Pure. */

import { Decoder } from "./decode.ts";
import { Encoder } from "./encode.ts";
import { ProtocolError } from "./errors.ts";
import { PROTOCOL_VERSION, readUint32, writeUint32 } from "./frame.ts";

/** No text holds these bytes, so a login banner cannot be taken for it. */
const MAGIC: Uint8Array = new Uint8Array([0x00, 0xff, 0x65, 0x78, 0x65, 0x63, 0x6e, 0x65, 0x74, 0x0a]);

/** Magic, version (16 bits), length of the facts (32 bits). */
const HEAD_BYTES: number = MAGIC.length + 6;

/** Noise before the magic that is skipped. */
const MAX_NOISE_BYTES = 64 * 1024;

/** Facts are few. */
const MAX_FACTS_BYTES = 1024 * 1024;

/** What one side says of itself. Every field is untrusted on arrival. */
export type Facts = Record<string, unknown>;

/** A fact that has to be a number, if the other side said one. */
export function numberFact(facts: Facts, name: string): number | undefined {
  const fact = facts[name];
  return typeof fact === "number" ? fact : undefined;
}

/** The greeting that says `facts`. */
export function encodeHello(facts: Facts): Uint8Array<ArrayBuffer> {
  const item = new Encoder().encode(facts);
  const hello = new Uint8Array(HEAD_BYTES + item.length);
  hello.set(MAGIC);
  hello[MAGIC.length] = PROTOCOL_VERSION >> 8;
  hello[MAGIC.length + 1] = PROTOCOL_VERSION & 0xff;
  writeUint32(hello, MAGIC.length + 2, item.length);
  hello.set(item, HEAD_BYTES);
  return hello;
}

/** A greeting that has arrived. */
export interface Hello {
  /** The version that the other side speaks. */
  version: number;
  /** What it says of itself. */
  facts: Facts;
  /** What came behind the greeting: the first frames. */
  rest: Uint8Array;
}

/** Waits for a greeting in bytes that come cut anywhere. */
export class HelloReader {
  #buffer: Uint8Array = new Uint8Array(1024);
  #length = 0;
  /** Where the magic begins, or may begin. */
  #start = 0;
  #found = false;

  /** What came before the magic, or all that came where there is none. */
  get noise(): Uint8Array {
    return this.#buffer.slice(0, this.#found ? this.#start : this.#length);
  }

  /**
   * Takes further bytes.
   *
   * @returns the greeting when it is there
   * @throws {ProtocolError} when there is more noise than a banner can be, or the greeting is malformed
   */
  push(chunk: Uint8Array): Hello | undefined {
    this.#append(chunk);
    if (!this.#found && !this.#find()) return undefined;
    const all = this.#buffer.subarray(this.#start, this.#length);
    if (all.length < HEAD_BYTES) return undefined;
    const version = all[MAGIC.length]! * 256 + all[MAGIC.length + 1]!;
    const length = readUint32(all, MAGIC.length + 2);
    if (length > MAX_FACTS_BYTES) throw new ProtocolError(`Cannot read a greeting of ${length} bytes`);
    if (all.length < HEAD_BYTES + length) return undefined;
    const facts = readFacts(all.subarray(HEAD_BYTES, HEAD_BYTES + length));
    return { version, facts, rest: all.slice(HEAD_BYTES + length) };
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }

  /** Looks for the magic from where it may begin; each byte is looked at once or twice. */
  #find(): boolean {
    const bytes = this.#buffer;
    const last = this.#length - MAGIC.length;
    while (this.#start <= last) {
      let same = 0;
      while (same < MAGIC.length && bytes[this.#start + same] === MAGIC[same]) same++;
      if (same === MAGIC.length) return this.#found = true;
      this.#start++;
    }
    if (this.#length > MAX_NOISE_BYTES) {
      throw new ProtocolError(`No greeting in ${this.#length} bytes of other output`);
    }
    return false;
  }
}

function readFacts(bytes: Uint8Array): Facts {
  let facts: unknown;
  try {
    const decoder = new Decoder();
    decoder.reset(bytes);
    facts = decoder.next();
  } catch (error) {
    throw new ProtocolError("Cannot read a greeting", { cause: error });
  }
  if (typeof facts !== "object" || facts === null || Object.getPrototypeOf(facts) !== Object.prototype) {
    throw new ProtocolError("Cannot read a greeting without facts");
  }
  return facts as Facts;
}
