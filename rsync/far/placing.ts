/** Puts written files into their places: many are flushed at the same time, for a disk writes many as fast as one. */

import type { Meta } from "../common/messages.ts";
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

  async #place(group: readonly Written[]): Promise<void> {
    // Never rejects: what goes wrong with a file is told of that file.
    await Promise.all(group.map((one) => this.#flush(one)));
    this.#busy = false;
    // What came meanwhile has nobody else to wait for.
    if (this.#group.length > 0) this.start();
  }

  async #flush(written: Written): Promise<void> {
    const { wanted, meta, path, file } = written;
    try {
      await file.sync();
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

/** Makes way for a file. */
function removeFolder(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
