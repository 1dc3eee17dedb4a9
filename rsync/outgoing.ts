/** Sends the data to one target: what files are made of, many small ones in one message. */

import type { Channel } from "../channel/channel.ts";
import { DataKind, Packing, writeMeta } from "./common/messages.ts";
import { LinkRate, Packer } from "./packing.ts";
import type { SmallFile, Snapshot } from "./source.ts";
import { ByteWriter } from "./common/wire.ts";

/** Bytes of a record at the most. */
const LITERAL_BYTES = 256 * 1024;
/** From here on a message is sent. With one more record it stays below what a message may be. */
const FULL_BYTES = 128 * 1024;

/** What sending takes. */
export interface OutgoingOptions {
  /** Where to. */
  readonly channel: Channel;
  /** Ends waiting for the target. */
  readonly signal: AbortSignal;
  /** Whether messages are compressed; where that is faster if it is not said. */
  readonly compress: boolean | undefined;
  /** Is told how much was sent. */
  readonly sent: (bytes: number) => void;
  /** Nothing is sent; what would be is counted. */
  readonly dryRun: boolean;
}

/** Collects records, and sends them. */
export class Outgoing {
  readonly #options: OutgoingOptions;
  readonly #writer = new ByteWriter();
  readonly #rate = new LinkRate();
  readonly #packer: Packer;
  /** Whether a file has the messages for itself. */
  #own = false;

  /** Sends nothing yet. */
  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.#packer = new Packer(options.compress, this.#rate);
  }

  /** A small file. */
  async file(index: number, file: SmallFile): Promise<void> {
    this.#begin(DataKind.FILE).number(index);
    writeMeta(this.#writer, file);
    this.#writer.bytes(file.content);
    await this.#flushFull();
  }

  /** A file in parts. */
  async open(index: number, file: Snapshot): Promise<void> {
    await this.flush();
    this.#own = true;
    this.#packer.newFile();
    this.#begin(DataKind.OPEN).number(index);
    writeMeta(this.#writer, file);
    this.#writer.number(file.size);
  }

  /** The next bytes of it. */
  async literal(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += LITERAL_BYTES) {
      this.#begin(DataKind.LITERAL).bytes(bytes.subarray(at, at + LITERAL_BYTES));
      await this.#flushFull();
    }
  }

  /** The next blocks of it, from the old copy. */
  async copy(first: number, count: number): Promise<void> {
    this.#begin(DataKind.COPY).number(first).number(count);
    await this.#flushFull();
  }

  /** Its end. */
  async close(digest: Uint8Array): Promise<void> {
    this.#begin(DataKind.CLOSE).bytes(digest);
    await this.flush();
    this.#own = false;
  }

  /** It begins anew, or does not come. */
  async again(): Promise<void> {
    this.#begin(DataKind.AGAIN);
    await this.flush();
    this.#own = false;
  }

  /** A file that does not come. */
  async gone(index: number): Promise<void> {
    this.#begin(DataKind.GONE).number(index);
    await this.#flushFull();
  }

  /** An answer. */
  async verdict(question: number, verdict: Uint8Array): Promise<void> {
    await this.flush();
    const { channel, signal, sent } = this.#options;
    const message = new ByteWriter().byte(Packing.PLAIN).byte(DataKind.VERDICT).number(question).bytes(
      verdict,
    );
    sent(message.length);
    // It is needed in a dry run, too.
    await channel.send(message.take(), { signal });
  }

  /** Sends what was collected. */
  async flush(): Promise<void> {
    if (this.#writer.length === 0) return;
    const { channel, signal, sent, dryRun } = this.#options;
    const message = await this.#packer.pack(this.#writer.view, this.#own);
    this.#writer.clear();
    sent(message.length);
    if (dryRun) return;
    const began = performance.now();
    // Sending copies at once, so that the message may be a view of what was collected.
    await channel.send(message, { signal });
    this.#rate.sent(message.length, performance.now() - began);
  }

  #begin(kind: number): ByteWriter {
    if (this.#writer.length === 0) this.#writer.byte(Packing.PLAIN);
    return this.#writer.byte(kind);
  }

  async #flushFull(): Promise<void> {
    if (this.#writer.length >= FULL_BYTES) await this.flush();
  }
}
