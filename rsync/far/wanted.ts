/** Files that were asked for and are not done yet. */

import { ProtocolError } from "../../channel/errors.ts";
import type { EntryKind } from "../common/messages.ts";

/** What is in the place of a file that is wanted. */
export type InPlace = "nothing" | EntryKind;

/** A file that was asked for. */
export interface Wanted {
  /** Its number in the list. */
  readonly index: number;
  /** Its path. */
  readonly path: string;
  /** The folder it is in. */
  readonly folder: string;
  /** What is there. */
  readonly inPlace: InPlace;
  /** Bytes of the old copy whose hashes are sent, 0 without one. */
  basis: number;
}

/** More than so many are not asked for ahead. */
const MOST_AHEAD = 4096;

/** Knows which files are under way. */
export class WantedFiles {
  readonly #files = new Map<number, Wanted>();
  readonly #redo: Wanted[] = [];
  #changed = Promise.withResolvers<void>();
  #failure: { error: unknown } | undefined;

  /** Adds a file that is asked for. */
  add(wanted: Wanted): void {
    this.#files.set(wanted.index, wanted);
  }

  /**
   * A file that comes.
   *
   * @throws {ProtocolError} when nobody asked for it
   */
  get(index: number): Wanted {
    const wanted = this.#files.get(index);
    if (wanted === undefined) throw new ProtocolError(`Cannot take file ${index}: nobody asked for it`);
    return wanted;
  }

  /** A file is done, one way or the other. */
  over(index: number): void {
    this.#files.delete(index);
    this.#wake();
  }

  /** A file did not come right; it is to be asked for again, whole. */
  again(wanted: Wanted): void {
    const whole = { ...wanted, basis: 0 };
    this.#files.set(wanted.index, whole);
    this.#redo.push(whole);
    this.#wake();
  }

  /** Nothing will come any more. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Resolves when it is time to ask for more. Rejects with what `fail` was given. */
  async room(): Promise<void> {
    // Those that are to be asked for again wait for the end of the list.
    while (this.#files.size - this.#redo.length >= MOST_AHEAD || this.#failure !== undefined) {
      await this.#change();
    }
  }

  /** A file to be asked for again, or undefined when all are done. */
  async nextAgain(): Promise<Wanted | undefined> {
    while (this.#redo.length === 0) {
      if (this.#files.size === 0 && this.#failure === undefined) return undefined;
      await this.#change();
    }
    return this.#redo.shift();
  }

  async #change(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#changed.promise;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
