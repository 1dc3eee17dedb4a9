/** Tells the source what has become of what. */

import type { Channel } from "../../channel/channel.ts";
import { NewsKind, Trouble } from "../common/messages.ts";
import type { TroubleKind } from "../common/messages.ts";
import { ByteWriter } from "../common/wire.ts";

/** From here on news are not collected further. */
const FULL_BYTES = 4096;
const SHOWN_CHARS = 1000;

/** Collects news, and sends them in the order in which they came. */
export class Report {
  readonly #channel: Channel;
  readonly #writer = new ByteWriter();
  #sent: Promise<void> = Promise.resolve();

  /** Sends on `channel`. */
  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** A file is there. */
  done(index: number, transferred: boolean): void {
    this.#writer.byte(NewsKind.DONE).number(index).byte(transferred ? 1 : 0);
    if (this.#writer.length >= FULL_BYTES) this.flush();
  }

  /** A file is not there. */
  failed(index: number, error: unknown): void {
    this.#writer.byte(NewsKind.FAILED).number(index);
    this.#trouble(error);
  }

  /** Something else went wrong. */
  problem(path: string, error: unknown, kind?: TroubleKind): void {
    this.#writer.byte(NewsKind.PROBLEM).text(path.toWellFormed());
    this.#trouble(error, kind);
  }

  /** Entries were removed. */
  removed(count: number): void {
    this.#writer.byte(NewsKind.REMOVED).number(count);
    if (this.#writer.length >= FULL_BYTES) this.flush();
  }

  /** Nothing can be done. */
  fatal(error: unknown, kind?: TroubleKind): void {
    this.#writer.byte(NewsKind.FATAL);
    this.#trouble(error, kind);
  }

  /** Everything has been done. */
  end(): void {
    this.#writer.byte(NewsKind.END);
  }

  /** Sends what there is. Resolves when all news are within the channel's window. */
  flush(): Promise<void> {
    if (this.#writer.length === 0) return this.#sent;
    const bytes = this.#writer.take();
    // The source always reads news, so that what waits here stays little.
    const sent = this.#sent.then(() => this.#channel.send(bytes));
    // Whoever awaits the last one hears of it.
    sent.catch(() => {});
    return this.#sent = sent;
  }

  #trouble(error: unknown, kind: TroubleKind = Trouble.OTHER): void {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.#writer.byte(kind).text(text.slice(0, SHOWN_CHARS).toWellFormed());
    void this.flush();
  }
}
