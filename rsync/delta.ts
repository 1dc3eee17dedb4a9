/**
 * Finds what of a file the other side has already: the algorithm of A. Tridgell, "Efficient Algorithms for Sorting and
 * Synchronization", PhD thesis, Australian National University 1999, chapter 3. Pure, and a hot path; see tests/bench.
 *
 * The other side sends the hashes of the blocks of its old file. Here a window of one block moves over the new file:
 * where it holds what a block held, the block's number stands for it, and the window jumps behind it; else it moves by
 * one byte. After a match the block that followed in the old file is looked for first, so that all that was not changed
 * costs one strong hash a block, wherever it lies now, and the window is rolled over what was changed only.
 */

import { ProtocolError } from "../channel/errors.ts";
import { BlockHash } from "./common/block_hash.ts";
import type { HashKey } from "./common/block_hash.ts";
import { blockBytes, MAX_DELTA_BYTES, SUM_BYTES } from "./common/blocks.ts";

/** An odd number whose bits are no pattern: the golden ratio. */
const SPREAD = 0x9e3779b1 | 0;
/** The filter has 2^5 bits for each bucket, of which there are four or more for each block. */
const FILTER_BITS = 5;
/** Blocks of a bucket, which mostly has one or none: more is no accident, and would only be looked through in vain. */
const MOST_IN_BUCKET = 8;
/**
 * For each byte of the new file so many are hashed in vain at the most, because a window has the weak hash of a block and
 * not the strong one. By accident it is one for every 4 GiB of the old file; more than these only where the other side
 * chose the hashes for it, which would make the search quadratic.
 */
const MOST_IN_VAIN = 64;
/** What no match is found for is given when it is so long, */
const LITERAL_BYTES = 256 * 1024;
/** and blocks that follow one another when they are so many. */
const RUN_BYTES = 8 * 1024 * 1024;

/** The hashes of an old file's blocks, as they came. */
export class Signature {
  /** Bytes of the old file. */
  readonly size: number;
  /** Bytes of every block but the last. */
  readonly block: number;
  /** How many blocks there are. */
  readonly count: number;
  readonly #weak: Int32Array;
  readonly #strong: Int32Array;
  readonly #next: Int32Array;
  /** The first block of each bucket, or -1. A bucket is the highest bits of a weak hash times {@linkcode SPREAD}. */
  readonly #buckets: Int32Array;
  /** A bit for every value of some more of those bits, so that most windows that match nothing cost one look here. */
  readonly filter: Int32Array;
  /** How far that product is shifted to give the bit's number. */
  readonly shift: number;
  #filled = 0;

  /**
   * Prepares for the hashes of an old file. What it takes in memory is bounded, whatever the other side claims.
   *
   * @throws {ProtocolError} when no file of this size is divided
   */
  constructor(size: number) {
    if (size === 0 || size > MAX_DELTA_BYTES) {
      throw new ProtocolError(`Cannot take the hashes of an old file of ${size} bytes`);
    }
    this.size = size;
    this.block = blockBytes(size);
    this.count = Math.ceil(size / this.block);
    this.#weak = new Int32Array(this.count);
    this.#strong = new Int32Array(2 * this.count);
    this.#next = new Int32Array(this.count).fill(-1);
    const bits = Math.max(8, Math.ceil(Math.log2(this.count * 4)));
    this.#buckets = new Int32Array(2 ** bits).fill(-1);
    this.filter = new Int32Array(2 ** (bits + FILTER_BITS - 5));
    this.shift = 32 - bits - FILTER_BITS;
  }

  /** How many blocks have hashes that have come. */
  get known(): number {
    return this.#filled;
  }

  /** Whether all hashes have come. */
  get complete(): boolean {
    return this.#filled === this.count;
  }

  /**
   * Takes the next hashes.
   *
   * @throws {ProtocolError} when there are too many
   */
  add(sums: Uint8Array): void {
    const count = sums.length / SUM_BYTES;
    if (!Number.isInteger(count) || count === 0 || this.#filled + count > this.count) {
      throw new ProtocolError("Cannot take the hashes of an old file: there are too many");
    }
    const view = new DataView(sums.buffer, sums.byteOffset, sums.byteLength);
    for (let at = 0; at < sums.length; at += SUM_BYTES) {
      const i = this.#filled++;
      this.#weak[i] = view.getInt32(at);
      this.#strong[2 * i] = view.getInt32(at + 4);
      this.#strong[2 * i + 1] = view.getInt32(at + 8);
      // The last block may be shorter; it is looked for in its place only.
      if (this.lengthOf(i) === this.block) this.#insert(i);
    }
  }

  #insert(i: number): void {
    const bit = Math.imul(this.#weak[i]!, SPREAD) >>> this.shift;
    const bucket = bit >>> FILTER_BITS;
    let others = 0;
    for (let j = this.#buckets[bucket]!; j >= 0; j = this.#next[j]!) {
      if (++others >= MOST_IN_BUCKET || (this.#weak[j] === this.#weak[i] && this.#same(i, j))) return;
    }
    this.filter[bit >>> 5]! |= 1 << bit;
    this.#next[i] = this.#buckets[bucket]!;
    this.#buckets[bucket] = i;
  }

  #same(i: number, j: number): boolean {
    return this.#strong[2 * i] === this.#strong[2 * j] && this.#strong[2 * i + 1] === this.#strong[2 * j + 1];
  }

  /** Bytes of a block. */
  lengthOf(i: number): number {
    return i < this.count - 1 ? this.block : this.size - i * this.block;
  }

  /** Whether a block has this strong hash. */
  is(i: number, strong: Int32Array): boolean {
    return this.#strong[2 * i] === strong[0] && this.#strong[2 * i + 1] === strong[1];
  }

  #first(weak: number): number {
    return this.#buckets[Math.imul(weak, SPREAD) >>> this.shift >>> FILTER_BITS]!;
  }

  /** Whether a block that is not shorter than others has this weak hash. */
  hasWeak(weak: number): boolean {
    for (let i = this.#first(weak); i >= 0; i = this.#next[i]!) {
      if (this.#weak[i] === weak) return true;
    }
    return false;
  }

  /** The block with these hashes, or -1. */
  find(weak: number, strong: Int32Array): number {
    for (let i = this.#first(weak); i >= 0; i = this.#next[i]!) {
      if (this.#weak[i] === weak && this.is(i, strong)) return i;
    }
    return -1;
  }
}

/** What a new file is made of, in order. */
export type DeltaPart =
  /** These bytes, which are valid until the next call. */
  | { readonly kind: "literal"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** So many blocks of the old file, from `first` on. */
  | { readonly kind: "copy"; readonly first: number; readonly count: number };

/** A window that rolls: where it is, and its weak hash. */
interface Rolling {
  at: number;
  weak: number;
}

/**
 * Moves a window on until its weak hash may be that of a block, or until it is at `last`: false. The innermost loop of
 * all, which knows nothing but numbers.
 */
function roll(
  rolling: Rolling,
  buffer: Uint8Array,
  last: number,
  { block, filter, shift }: Signature,
  { factor, weight }: BlockHash,
): boolean {
  let { at, weak } = rolling;
  let found = false;
  while (at < last && !found) {
    weak = (Math.imul(weak, factor) - Math.imul(buffer[at]!, weight) + buffer[at + block]!) | 0;
    at++;
    const bit = Math.imul(weak, SPREAD) >>> shift;
    found = (filter[bit >>> 5]! & (1 << bit)) !== 0;
  }
  rolling.at = at;
  rolling.weak = weak;
  return found;
}

/** The window that moves over the new file. */
export class Matcher {
  readonly #signature: Signature;
  readonly #hash: BlockHash;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  /** Bytes of the file before the buffer. */
  #before = 0;
  /** In the buffer: what has no match yet begins at `start`, the window at `at`, and what has come ends at `end`. */
  #start = 0;
  #at = 0;
  #end = 0;
  /** Blocks that follow one another and have not been given yet. */
  #run = { first: 0, count: 0 };
  /** The block that comes next, if the old file goes on here as it did. */
  #expected = 0;
  /** The weak hash of the window, while it is rolled. */
  #weak: number | undefined;
  /** Bytes of windows that had the weak hash of a block, and not the strong one. */
  #inVain = 0;
  #waits = false;
  #parts: DeltaPart[] = [];

  /** Begins at the first byte of the new file. `key` is that of the signature. */
  constructor(signature: Signature, key: HashKey) {
    this.#signature = signature;
    this.#hash = new BlockHash(signature.block, key);
    this.#buffer = new Uint8Array(2 * (LITERAL_BYTES + signature.block));
  }

  /** Where the next bytes of the new file are to be put, as many as there are; {@linkcode filled} is to be told. */
  room(): Uint8Array<ArrayBuffer> {
    if (this.#buffer.length - this.#end < LITERAL_BYTES) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#before += this.#start;
      this.#at -= this.#start;
      this.#end -= this.#start;
      this.#start = 0;
    }
    return this.#buffer.subarray(this.#end);
  }

  /** Whether more of the signature must come before more can be told; then {@linkcode filled} is to be called again. */
  get waits(): boolean {
    return this.#waits;
  }

  /** So many bytes have been put into the room. Gives what they are made of, as far as that can be told yet. */
  filled(length: number): DeltaPart[] {
    this.#end += length;
    this.#waits = false;
    const { block, complete } = this.#signature;
    while (this.#end - this.#at >= block) {
      if (this.#weak === undefined) {
        if (this.#goesOn()) continue;
        // While the old file goes on here as it did, the source needs no more hashes than the target has made.
        if (!complete) {
          this.#waits = true;
          break;
        }
        this.#weak = this.#hash.weak(this.#buffer, this.#at, block);
      }
      if (!this.#roll(this.#weak)) break;
    }
    if (this.#at - this.#start >= LITERAL_BYTES) this.#literal(this.#at);
    // The target has something to do.
    if (this.#run.count * block >= RUN_BYTES) this.#flushRun();
    return this.#taken();
  }

  /** The file has ended, and the signature is complete. Gives the rest of what it is made of. */
  finish(): DeltaPart[] {
    const last = this.#signature.count - 1;
    const length = this.#signature.lengthOf(last);
    const at = this.#end - length;
    // What is shorter than a block can only be the old file's last one.
    if (length < this.#signature.block && at >= this.#start && this.#is(last, at, length)) {
      this.#at = at;
      this.#match(last, length);
    }
    this.#literal(this.#end);
    this.#flushRun();
    return this.#taken();
  }

  #taken(): DeltaPart[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  #is(i: number, at: number, length: number): boolean {
    this.#hash.hash(this.#buffer, at, length);
    return this.#signature.is(i, this.#hash.strong);
  }

  /** Whether the window holds the block that is expected, or the one that was at this place of the old file. */
  #goesOn(): boolean {
    const { block, known } = this.#signature;
    const place = (this.#before + this.#at) / block;
    let hashed = 0;
    for (const i of this.#expected === place ? [place] : [this.#expected, place]) {
      if (i >= known || !Number.isInteger(i)) continue;
      const length = this.#signature.lengthOf(i);
      if (length !== hashed) this.#hash.hash(this.#buffer, this.#at, length);
      hashed = length;
      if (!this.#signature.is(i, this.#hash.strong)) continue;
      this.#match(i, length);
      return true;
    }
    return false;
  }

  /** Moves the window, whose weak hash is given, until it holds a block. False when it has come to the end. */
  #roll(weak: number): boolean {
    const { block } = this.#signature;
    const rolling: Rolling = { at: this.#at, weak };
    let found = this.#lookUp(rolling);
    while (found < 0 && roll(rolling, this.#buffer, this.#end - block, this.#signature, this.#hash)) {
      found = this.#lookUp(rolling);
    }
    this.#at = rolling.at;
    this.#weak = rolling.weak;
    if (found >= 0) this.#match(found, block);
    return found >= 0;
  }

  #lookUp({ at, weak }: Rolling): number {
    if (!this.#signature.hasWeak(weak) || this.#inVain > MOST_IN_VAIN * (this.#before + at)) return -1;
    const { block } = this.#signature;
    this.#hash.hash(this.#buffer, at, block);
    const found = this.#signature.find(weak, this.#hash.strong);
    if (found < 0) this.#inVain += block;
    return found;
  }

  /** The window holds a block. */
  #match(i: number, length: number): void {
    this.#literal(this.#at);
    if (this.#run.count > 0 && this.#run.first + this.#run.count === i) {
      this.#run.count++;
    } else {
      this.#flushRun();
      this.#run = { first: i, count: 1 };
    }
    this.#at += length;
    this.#start = this.#at;
    this.#expected = i + 1;
    this.#weak = undefined;
  }

  #flushRun(): void {
    if (this.#run.count > 0) this.#parts.push({ kind: "copy", ...this.#run });
    this.#run = { first: 0, count: 0 };
  }

  /** Gives what has no match up to there. */
  #literal(end: number): void {
    if (end <= this.#start) return;
    this.#flushRun();
    this.#parts.push({ kind: "literal", bytes: this.#buffer.subarray(this.#start, end) });
    this.#start = end;
  }
}
