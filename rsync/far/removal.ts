/** Removes what the source does not have, but for what the source's filter leaves out. */

import { ProtocolError } from "../../channel/errors.ts";
import { ENTRY_KINDS, entryKind, MODE_BITS, WantKind } from "../common/messages.ts";
import type { EntryKind, Setup } from "../common/messages.ts";
import { ByteWriter } from "../common/wire.ts";
import { makeUsable } from "./folders.ts";
import type { Report } from "./report.ts";

/** A folder in which something is to go. */
interface Place {
  /** Where it is. */
  readonly path: string;
  /** The same below the target. */
  readonly name: string;
}

/** Removes entries, and asks before if that is wanted. */
export class Removal {
  readonly #setup: Setup;
  readonly #report: Report;
  readonly #asked = new Map<number, PromiseWithResolvers<Uint8Array>>();
  #questions = 0;
  #failure: { error: unknown } | undefined;

  /** Removes nothing yet. */
  constructor(setup: Setup, report: Report) {
    this.#setup = setup;
    this.#report = report;
  }

  /** Removes entries of a folder with all that is in them. False when some had to stay. */
  async remove(place: Place, entries: ReadonlyMap<string, EntryKind>): Promise<boolean> {
    const names = [...entries.keys()];
    const verdict = this.#setup.asks ? await this.#ask(place, entries) : undefined;
    let all = true;
    for (const [i, name] of names.entries()) {
      const below = place.name === "" ? name : `${place.name}/${name}`;
      const inside = { path: `${place.path}/${name}`, name: below };
      const may = verdict === undefined || verdict[i] === 1;
      if (!may || !await this.#one(inside, entries.get(name)!)) all = false;
    }
    return all;
  }

  /** The source has answered. */
  answer(question: number, verdict: Uint8Array): void {
    const asked = this.#asked.get(question);
    if (asked === undefined) {
      throw new ProtocolError(`Cannot take an answer: there was no question ${question}`);
    }
    this.#asked.delete(question);
    asked.resolve(verdict.slice());
  }

  /** Nothing will be answered any more. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const asked of this.#asked.values()) asked.reject(error);
    this.#asked.clear();
  }

  async #one(place: Place, kind: EntryKind): Promise<boolean> {
    try {
      // What stays keeps the folder that it is in.
      if (kind === "folder" && !await this.#empty(place)) return false;
      if (!this.#setup.dryRun) Deno.removeSync(place.path);
      this.#report.removed(1);
      return true;
    } catch (error) {
      if (this.#failure !== undefined) throw error;
      this.#report.problem(place.name, error);
      return false;
    }
  }

  /** Removes what is in a folder. False when some had to stay: then it keeps its mode, too. */
  async #empty(place: Place): Promise<boolean> {
    const { path } = place;
    const info = Deno.lstatSync(path);
    // Other programs may have put something else there, which goes as it is.
    if (!info.isDirectory) return true;
    const mode = (info.mode ?? 0) & MODE_BITS;
    const opened = !this.#setup.dryRun && makeUsable(path, mode);
    const entries = new Map<string, EntryKind>();
    for (const entry of Deno.readDirSync(path)) entries.set(entry.name, entryKind(entry));
    if (entries.size === 0 || await this.remove(place, entries)) return true;
    if (opened) Deno.chmodSync(path, mode);
    return false;
  }

  async #ask({ name }: Place, entries: ReadonlyMap<string, EntryKind>): Promise<Uint8Array> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const question = this.#questions++;
    const asked = Promise.withResolvers<Uint8Array>();
    this.#asked.set(question, asked);
    const writer = new ByteWriter();
    writer.byte(WantKind.ASK).number(question).text(name.toWellFormed()).number(entries.size);
    for (const [entry, kind] of entries) writer.text(entry.toWellFormed()).byte(ENTRY_KINDS.indexOf(kind));
    await this.#setup.data.send(writer.take());
    const verdict = await asked.promise;
    if (verdict.length !== entries.size) {
      throw new ProtocolError("Cannot take an answer: it is for other names");
    }
    return verdict;
  }
}
