/** Compresses messages of data for slow ways, as long as that pays. */

import { Packing } from "./common/messages.ts";
import { ByteWriter } from "./common/wire.ts";

/** A way is slow below this rate: compressing would not be faster. Bytes per millisecond. */
const SLOW_RATE = 40 * 1024 * 1024 / 1000;
/** Less is not worth the trouble. */
const LEAST_BYTES = 512;
/** What is saved must be a tenth at least. */
const PAYS = 0.9;
/** After a message of many small files that did not pay, so many are sent as they are. */
const PAUSE_MESSAGES = 7;
/** The rate is that of so many bytes before now or up to twice as many, */
const MEASURED_BYTES = 4 * 1024 * 1024;
/** and means nothing before so many: the first ones go into a window that is open. */
const FIRST_BYTES = 2 * 1024 * 1024;
const FAST_LEVEL = 1;
const BETTER_LEVEL = 6;

type Deflate = (bytes: Uint8Array, options: { level: number }) => Promise<Uint8Array>;

let deflate: Promise<Deflate> | undefined;

/** Node's compression works on another thread and has levels; it is loaded when it is needed. */
function loadDeflate(): Promise<Deflate> {
  return deflate ??= (async () => {
    const [{ deflateRaw }, { promisify }] = await Promise.all([import("node:zlib"), import("node:util")]);
    return promisify(deflateRaw) as unknown as Deflate;
  })();
}

/** How fast a way takes what is sent. */
export class LinkRate {
  #bytes = 0;
  #ms = 0;

  /** So many bytes took so long to be accepted. */
  sent(bytes: number, ms: number): void {
    this.#bytes += bytes;
    this.#ms += ms;
    if (this.#bytes >= 2 * MEASURED_BYTES) {
      this.#bytes /= 2;
      this.#ms /= 2;
    }
  }

  /** Whether compressing would be faster. */
  get slow(): boolean {
    return this.#bytes >= FIRST_BYTES && this.#bytes / this.#ms < SLOW_RATE;
  }
}

/** Decides message by message. */
export class Packer {
  readonly #compress: boolean | undefined;
  readonly #rate: LinkRate;
  /** Whether the file that is under way is worth it; undefined before its first piece. */
  #pays: boolean | undefined;
  #pause = 0;

  /** @param compress always as far as it pays (true), never (false), or where the way is slow */
  constructor(compress: boolean | undefined, rate: LinkRate) {
    this.#compress = compress;
    this.#rate = rate;
  }

  /** A file begins that has messages of its own. */
  newFile(): void {
    this.#pays = undefined;
  }

  /** A message to be sent: compressed where that pays. `own`: it belongs to one file. */
  async pack(plain: Uint8Array<ArrayBuffer>, own: boolean): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#tries(plain.length - 1, own)) return plain;
    const level = this.#compress === true ? BETTER_LEVEL : FAST_LEVEL;
    const deflated = await (await loadDeflate())(plain.subarray(1), { level });
    const pays = deflated.length < PAYS * plain.length;
    if (own) this.#pays = pays;
    else if (!pays) this.#pause = PAUSE_MESSAGES;
    if (!pays) return plain;
    return new ByteWriter().byte(Packing.DEFLATED).number(plain.length - 1).raw(deflated).take();
  }

  #tries(length: number, own: boolean): boolean {
    if (this.#compress === false || length < LEAST_BYTES) return false;
    if (this.#compress === undefined && !this.#rate.slow) return false;
    return own ? this.#pays !== false : this.#pause-- <= 0;
  }
}
