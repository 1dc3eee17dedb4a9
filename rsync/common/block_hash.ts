/**
 * The two hashes of a block: a weak one that can be rolled along, byte by byte, and a strong one that tells blocks with
 * the same weak hash apart. A hot path; see tests/bench.
 *
 * The weak hash is the polynomial of Karp and Rabin, "Efficient randomized pattern-matching algorithms", IBM Journal of
 * Research and Development 31 (1987), modulo 2^32. Both depend on a key that is drawn for each run, so that equal
 * hashes in one run mean nothing for the next. Neither is cryptographic: that a file is right is told by
 * {@linkcode PieceDigest}.
 */

/** Four random numbers of 32 bits. */
export type HashKey = readonly [number, number, number, number];

/** Draws a key. */
export function newHashKey(): HashKey {
  const [a, b, c, d] = crypto.getRandomValues(new Int32Array(4));
  return [a!, b!, c!, d!];
}

const MIX_1 = 0x9e3779b1 | 0;
const MIX_2 = 0x85ebca77 | 0;
const MIX_3 = 0xc2b2ae3d | 0;
const MIX_4 = 0x27d4eb2f | 0;
const LANES_BYTES = 16;

/** Hashes the blocks of one file. */
export class BlockHash {
  /** Bytes of every block but the last. */
  readonly block: number;
  /** What a step of the weak hash multiplies by. */
  readonly factor: number;
  /** What the first byte of a block weighs when it leaves. */
  readonly weight: number;
  /** The strong hash that was made last: its two halves. */
  readonly strong: Int32Array<ArrayBuffer> = new Int32Array(2);
  readonly #key: HashKey;
  /** Where blocks that begin at no multiple of four are copied to. */
  #aligned: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** Prepares for blocks of `block` bytes. */
  constructor(block: number, key: HashKey) {
    this.block = block;
    this.#key = key;
    // Odd, so that no bit is lost, and never near 1.
    this.factor = (key[0] << 3) | 5;
    let weight = 1;
    for (let left = block, square = this.factor; left > 0; left >>>= 1) {
      if (left & 1) weight = Math.imul(weight, square);
      square = Math.imul(square, square);
    }
    this.weight = weight;
  }

  /** The weak hash of `length` bytes: the sum of each byte times the factor to the power of what follows it. */
  weak(bytes: Uint8Array, start: number, length: number): number {
    const f1 = this.factor;
    const f2 = Math.imul(f1, f1);
    const f3 = Math.imul(f2, f1);
    const f4 = Math.imul(f2, f2);
    const f5 = Math.imul(f4, f1);
    const f6 = Math.imul(f4, f2);
    const f7 = Math.imul(f4, f3);
    const f8 = Math.imul(f4, f4);
    const end = start + length;
    let hash = 0;
    let at = start;
    // Eight bytes a step: their products wait neither for one another nor for the sum so far.
    for (const last = end - 7; at < last; at += 8) {
      const a = (Math.imul(bytes[at]!, f7) + Math.imul(bytes[at + 1]!, f6)) | 0;
      const b = (Math.imul(bytes[at + 2]!, f5) + Math.imul(bytes[at + 3]!, f4)) | 0;
      const c = (Math.imul(bytes[at + 4]!, f3) + Math.imul(bytes[at + 5]!, f2)) | 0;
      const d = (Math.imul(bytes[at + 6]!, f1) + bytes[at + 7]!) | 0;
      hash = (Math.imul(hash, f8) + (((a + b) | 0) + ((c + d) | 0))) | 0;
    }
    for (; at < end; at++) hash = (Math.imul(hash, f1) + bytes[at]!) | 0;
    return hash;
  }

  /** Makes the strong hash of `length` bytes, and leaves it in {@linkcode strong}. */
  hash(bytes: Uint8Array<ArrayBuffer>, start: number, length: number): void {
    let offset = bytes.byteOffset + start;
    let { buffer } = bytes;
    if (offset % 4 !== 0) {
      if (this.#aligned.length < length) this.#aligned = new Uint8Array(Math.max(this.block, length));
      this.#aligned.set(bytes.subarray(start, start + length));
      buffer = this.#aligned.buffer;
      offset = 0;
    }
    const words = new Int32Array(buffer, offset, length >>> 2);
    const lanes = length - length % LANES_BYTES;
    let [a, b, c, d] = this.#key as [number, number, number, number];
    // Each lane takes a word of its own, and a turn that depends on its neighbour keeps changes from cancelling out.
    for (let i = 0; i < lanes >>> 2; i += 4) {
      a = Math.imul(a ^ words[i]!, MIX_1);
      b = Math.imul(b ^ words[i + 1]!, MIX_2);
      c = Math.imul(c ^ words[i + 2]!, MIX_3);
      d = Math.imul(d ^ words[i + 3]!, MIX_4);
      a = ((a << 13) | (a >>> 19)) + d | 0;
      b = ((b << 15) | (b >>> 17)) + a | 0;
      c = ((c << 11) | (c >>> 21)) + b | 0;
      d = ((d << 17) | (d >>> 15)) + c | 0;
    }
    const rest = new Uint8Array(buffer, offset + lanes, length - lanes);
    for (let i = 0; i < rest.length; i++) {
      a = Math.imul(a ^ rest[i]!, MIX_1);
      a = ((a << 13) | (a >>> 19)) + d | 0;
      b = Math.imul(b ^ a, MIX_2);
      d = ((d << 15) | (d >>> 17)) + b | 0;
    }
    this.strong[0] = finish(finish(a ^ length) + Math.imul(b, MIX_4) ^ c);
    this.strong[1] = finish(finish(c ^ b) + Math.imul(d, MIX_3) ^ a);
  }
}

/** Makes every bit depend on every other (the finalizer of MurmurHash3, by A. Appleby). */
function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
