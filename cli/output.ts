/** What becomes of the items that arrive: lines on standard output. */

import type { Given, Option } from "./command.ts";
import { Failure, UsageError } from "./failure.ts";
import { json } from "./json.ts";

/** How items are written. */
export type OutputForm = "json" | "text" | "bytes";

const FORMS: readonly OutputForm[] = ["json", "text", "bytes"];

/** Chooses the form. */
export const OUTPUT: Option = {
  name: "out",
  value: "FORM",
  tells: "how items are written: json (a line each, the default), text (strings as they are, a line each), " +
    "bytes (strings and bytes as they are, nothing between them)",
};

/** Text that waits for its predecessor to be written; more makes the sender wait. */
const MOST_WAITING_CHARS = 64 * 1024;

/**
 * The form that was chosen.
 *
 * @throws {UsageError} when there is no such form
 */
export function outputForm(given: Given, command: string, forms: readonly OutputForm[] = FORMS): OutputForm {
  const form = (given.text("out") ?? "json") as OutputForm;
  if (forms.includes(form)) return form;
  throw new UsageError(`The option --out takes one of ${forms.join(", ")}, not "${form}"`, command);
}

/** Where the bytes go. Both reject when nobody reads them. */
export interface Sink {
  write(text: string): Promise<void>;
  writeBytes(bytes: Uint8Array): Promise<void>;
}

/** Writes items, several at once when they come faster than they are taken. */
export class ItemWriter {
  readonly #form: OutputForm;
  readonly #sink: Sink;
  #waiting = "";
  #writing: Promise<void> | undefined;
  #error: { reason: unknown } | undefined;

  /** Writes to `sink`. */
  constructor(form: OutputForm, sink: Sink) {
    this.#form = form;
    this.#sink = sink;
  }

  /** Takes an item. Resolves when there is room for the next one; rejects when writing has failed. */
  async put(item: unknown): Promise<void> {
    if (this.#error !== undefined) throw this.#error.reason;
    if (this.#form === "bytes") return await this.#putBytes(item);
    this.#waiting += `${this.#form === "text" && typeof item === "string" ? item : json(item)}\n`;
    this.#writing ??= this.#write();
    if (this.#waiting.length > MOST_WAITING_CHARS) await this.done();
  }

  /** Resolves when all has been written. */
  async done(): Promise<void> {
    await this.#writing;
    if (this.#error !== undefined) throw this.#error.reason;
  }

  async #write(): Promise<void> {
    // What comes in the same turn leaves together.
    await Promise.resolve();
    try {
      while (this.#waiting !== "") {
        const text = this.#waiting;
        this.#waiting = "";
        await this.#sink.write(text);
      }
    } catch (reason) {
      this.#error = { reason };
    }
    this.#writing = undefined;
  }

  async #putBytes(item: unknown): Promise<void> {
    if (typeof item === "string") return await this.#sink.write(item);
    if (item instanceof ArrayBuffer) return await this.#sink.writeBytes(new Uint8Array(item));
    if (!ArrayBuffer.isView(item)) {
      throw new Failure(
        `Cannot write an item as bytes: it is ${json(item).slice(0, 80)}`,
        "Without --out bytes every item is a line of JSON",
      );
    }
    await this.#sink.writeBytes(new Uint8Array(item.buffer, item.byteOffset, item.byteLength));
  }
}
