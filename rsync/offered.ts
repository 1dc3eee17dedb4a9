/** The parts of the list that a target knows, as long as it may want a file of them. */

import { ProtocolError } from "../channel/errors.ts";
import type { Batch, SourceFile } from "./walk.ts";

/** What a target has been told. It deals with the files in their order. */
export class Offered {
  readonly #batches: Batch[] = [];
  /** The number of the first file that has not been dealt with, */
  #next = 0;
  /** and of the first one that was not offered. */
  #end = 0;

  /** Adds the next part. */
  add(batch: Batch): void {
    this.#end += batch.files.length;
    if (batch.files.length > 0) this.#batches.push(batch);
  }

  /**
   * The target passes over so many files.
   *
   * @throws {ProtocolError} when there are not so many
   */
  passOver(files: number): void {
    this.#next += files;
    if (this.#next > this.#end) {
      throw new ProtocolError(`Cannot pass over ${files} files: they were not offered`);
    }
    while (this.#batches.length > 0 && this.#batches[0]!.files.at(-1)!.index < this.#next) {
      this.#batches.shift();
    }
  }

  /**
   * The target wants a file: the next one, or none ever.
   *
   * @throws {ProtocolError} when it is another one
   */
  take(index: number): SourceFile {
    if (index !== this.#next || index >= this.#end) {
      throw new ProtocolError(`Cannot give file ${index}: file ${this.#next} of ${this.#end} is the next`);
    }
    const { files } = this.#batches[0]!;
    const file = files[index - files[0]!.index]!;
    this.passOver(1);
    return file;
  }
}
