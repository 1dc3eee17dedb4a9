/**
 * Puts written files into their places. What takes the place of something is flushed first, so that there is the old one
 * or the new one even when the machine loses its power; many are flushed at the same time, for a disk writes many as fast
 * as one. What is new takes the place of nothing: what a loss of power leaves of it is shorter than it should be, and the
 * next copy sends it again.
 */

import type { Meta } from "../common/messages.ts";
import { removeFolder } from "./folders.ts";
import type { Report } from "./report.ts";
import { discard } from "./temporary.ts";
import type { Wanted, WantedFiles } from "./wanted.ts";

/** Files that are flushed together, by number and size. */
const GROUP_FILES = 64;
const GROUP_BYTES = 8 * 1024 * 1024;

/** A file that has been written. */
export interface Written {
  /** What it is for. */
  readonly wanted: Wanted;
  /** What it is given. */
  readonly meta: Meta;
  /** Where it is. */
  readonly path: string;
  /** Open, and with it locked. */
  readonly file: Deno.FsFile;
  /** How long it is. */
  readonly bytes: number;
}

/** Flushes and renames. */
export class Placing {
  readonly #wanted: WantedFiles;
  readonly #report: Report;
  #group: Written[] = [];
  #bytes = 0;
  /** The group before this one. */
  #underWay: Promise<void> = Promise.resolve();
  #busy = false;

  /** Places nothing yet. */
  constructor(wanted: WantedFiles, report: Report) {
    this.#wanted = wanted;
    this.#report = report;
  }

  /** Takes a file. Resolves when there is room for the next one. */
  async add(written: Written): Promise<void> {
    if (written.wanted.inPlace === "nothing") return this.#finish(written);
    this.#group.push(written);
    this.#bytes += written.bytes;
    if (this.#group.length < GROUP_FILES && this.#bytes < GROUP_BYTES) return;
    await this.#underWay;
    this.start();
  }

  /** Begins with what there is, unless it is at work. */
  start(): void {
    if (this.#group.length === 0 || this.#busy) return;
    const group = this.#group;
    this.#group = [];
    this.#bytes = 0;
    this.#busy = true;
    this.#underWay = this.#place(group);
  }

  /** Places all there is. */
  async done(): Promise<void> {
    await this.#underWay;
    this.start();
    await this.#underWay;
  }

  /** Removes what was not begun with, and waits for the rest. */
  async stop(): Promise<void> {
    for (const { file, path } of this.#group.splice(0)) {
      file.close();
      discard(path);
    }
    await this.#underWay;
  }

  /** Never rejects: what goes wrong with a file is told of that file. */
  async #place(group: readonly Written[]): Promise<void> {
    const flushed = await Promise.allSettled(group.map(({ file }) => file.sync()));
    for (const [i, written] of group.entries()) {
      const outcome = flushed[i]!;
      this.#finish(written, outcome.status === "rejected" ? { error: outcome.reason } : undefined);
    }
    void this.#report.flush();
    this.#busy = false;
    // What came meanwhile has nobody else to wait for.
    this.start();
  }

  #finish({ wanted, meta, path, file }: Written, failure?: { error: unknown }): void {
    try {
      if (failure !== undefined) throw failure.error;
      const time = new Date(meta.mtime);
      file.utimeSync(time, time);
      Deno.chmodSync(path, meta.mode);
      if (wanted.inPlace === "folder") removeFolder(wanted.path);
      Deno.renameSync(path, wanted.path);
      this.#report.done(wanted.index, true);
    } catch (error) {
      discard(path);
      this.#report.failed(wanted.index, error);
    } finally {
      file.close();
      this.#wanted.over(wanted.index);
    }
  }
}
