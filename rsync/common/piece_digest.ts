/** Tells whether a file is what it should be: a chain of SHA-256 (FIPS 180-4) over its pieces, made on other threads. */

/** Bytes of every piece but the last. */
const PIECE_BYTES = 1024 * 1024;
/** Pieces whose digests are made at the same time. */
const MOST_UNDER_WAY = 2;

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

/** Takes the content of a file from its first byte to its last. What it holds does not grow with the file. */
export class PieceDigest {
  readonly #piece: Uint8Array<ArrayBuffer> = new Uint8Array(PIECE_BYTES);
  #filled = 0;
  /** The digest of all pieces up to those that are under way, and room for that of the next. */
  readonly #chain: Uint8Array<ArrayBuffer> = new Uint8Array(2 * DIGEST_BYTES);
  readonly #underWay: Promise<ArrayBuffer>[] = [];

  /** Takes what comes next. `bytes` may change as soon as this has resolved. */
  async update(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(bytes.length - at, PIECE_BYTES - this.#filled);
      if (length === PIECE_BYTES) {
        // A whole piece needs no copy of its own.
        this.#begin(bytes.subarray(at, at + length));
      } else {
        this.#piece.set(bytes.subarray(at, at + length), this.#filled);
        this.#filled += length;
        if (this.#filled === PIECE_BYTES) this.#flush();
      }
      at += length;
      while (this.#underWay.length > MOST_UNDER_WAY) await this.#fold();
    }
  }

  /** The digest of all. */
  async end(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#filled > 0) this.#flush();
    while (this.#underWay.length > 0) await this.#fold();
    return this.#chain.slice(0, DIGEST_BYTES);
  }

  #flush(): void {
    this.#begin(this.#piece.subarray(0, this.#filled));
    this.#filled = 0;
  }

  /** `digest` copies what it is given before it returns. */
  #begin(bytes: Uint8Array<ArrayBuffer>): void {
    const digest = crypto.subtle.digest("SHA-256", bytes);
    // Whoever folds it in hears of it; until then nobody does.
    digest.catch(() => {});
    this.#underWay.push(digest);
  }

  async #fold(): Promise<void> {
    this.#chain.set(new Uint8Array(await this.#underWay.shift()!), DIGEST_BYTES);
    this.#chain.set(new Uint8Array(await crypto.subtle.digest("SHA-256", this.#chain)));
  }
}

/** Whether two digests are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
