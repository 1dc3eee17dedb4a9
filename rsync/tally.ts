/** Counts what has happened on one target. */

import { ProtocolError } from "../channel/errors.ts";
import type { Batch, SourceFile } from "./walk.ts";

/** So many errors are kept; of more only how many they were. */
const MOST_ERRORS = 1000;

/** A file that the target wants and has not got yet. */
interface UnderWay {
  readonly file: SourceFile;
  /** Bytes of it that count as dealt with. */
  bytes: number;
  /** Whether it is sent for the second time. */
  redone: boolean;
}

/** Who is told of what happens. Functions of the caller's, which may throw. */
export interface TallyListener {
  /** Something has changed; `path` is the file that it was. */
  progress(path?: string): void;
  /** The content of a file was sent. */
  transferred(file: SourceFile): void;
}

/** What went wrong: a thousand errors, and how many there were besides. */
export class Problems {
  readonly #errors: Error[] = [];
  #more = 0;

  /** Adds one. */
  add(error: Error): void {
    if (this.#errors.length < MOST_ERRORS) this.#errors.push(error);
    else this.#more++;
  }

  /** All of them. */
  get all(): Error[] {
    if (this.#more === 0) return [...this.#errors];
    return [...this.#errors, new Error(`And ${this.#more} errors more`)];
  }
}

/** The counts. They are checked against what was offered, for the target is not trusted. */
export class Tally {
  /** Files of the list, and their bytes. */
  listed = 0;
  listedBytes = 0;
  /** Files that are dealt with, and their bytes. */
  files = 0;
  bytes = 0;
  /** Files of which content was sent. */
  transferred = 0;
  /** Entries that were removed. */
  deleted = 0;
  /** Bytes that were sent. */
  sent = 0;
  readonly #listener: TallyListener;
  readonly #underWay = new Map<number, UnderWay>();
  readonly #problems = new Problems();

  /** Counts from zero. */
  constructor(listener: TallyListener) {
    this.#listener = listener;
  }

  /** What went wrong so far. */
  get errors(): Error[] {
    return this.#problems.all;
  }

  /** Something went wrong. */
  problem(error: Error): void {
    this.#problems.add(error);
  }

  /** There is more to do. */
  offered(batch: Batch): void {
    this.listed += batch.files.length;
    this.listedBytes += batch.size;
  }

  /** Files need nothing. */
  same(files: number, bytes: number): void {
    this.files += files;
    this.bytes += bytes;
    if (this.bytes > this.listedBytes) {
      throw new ProtocolError(`Cannot count ${bytes} bytes: there are not so many`);
    }
    this.#listener.progress();
  }

  /** A file is about to be sent. */
  begin(file: SourceFile): void {
    this.#underWay.set(file.index, { file, bytes: 0, redone: false });
  }

  /**
   * A file did not come right, and is to be sent once more.
   *
   * @throws {ProtocolError} when it was not sent, or has been sent once more already
   */
  redo(index: number): SourceFile {
    const underWay = this.#find(index);
    if (underWay.redone) throw new ProtocolError(`Cannot send file ${index} a third time`);
    underWay.redone = true;
    this.bytes -= underWay.bytes;
    underWay.bytes = 0;
    return underWay.file;
  }

  /** Bytes of a file have been sent. */
  step({ index, size, name }: SourceFile, bytes: number): void {
    const underWay = this.#find(index);
    // It may be longer by now than it was.
    const counted = Math.min(bytes, size - underWay.bytes);
    underWay.bytes += counted;
    this.bytes += counted;
    this.#listener.progress(name);
  }

  /**
   * A file is dealt with.
   *
   * @throws {ProtocolError} when it was not under way
   */
  over(index: number, transferred: boolean): SourceFile {
    const { file, bytes } = this.#find(index);
    this.#underWay.delete(index);
    this.files++;
    this.bytes += file.size - bytes;
    if (transferred) {
      this.transferred++;
      this.#listener.transferred(file);
    }
    this.#listener.progress(file.name);
    return file;
  }

  /** Entries were removed. */
  removed(count: number): void {
    this.deleted += count;
    this.#listener.progress();
  }

  #find(index: number): UnderWay {
    const underWay = this.#underWay.get(index);
    if (underWay === undefined) throw new ProtocolError(`Cannot count file ${index}: it is not under way`);
    return underWay;
  }
}
