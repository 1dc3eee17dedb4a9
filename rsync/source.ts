/** Reads files of the source, and notices when they change meanwhile. */

import { metaOf, modified } from "./common/messages.ts";
import type { Meta } from "./common/messages.ts";
import { FileShrank, readPieces } from "./common/read_pieces.ts";
import type { SourceFile } from "./walk.ts";

/** Files up to this size are read at once. */
export const SMALL_BYTES: number = 64 * 1024;
/** Longer ones in pieces of this size. */
const PIECE_BYTES = 1024 * 1024;
/** So many bytes of small files are kept for the other targets. */
const KEPT_BYTES = 8 * 1024 * 1024;
/** So many more are reckoned for each: 800 were measured. */
const KEPT_FILE_BYTES = 1024;

/** A file as it is now. */
export interface Snapshot extends Meta {
  /** Bytes. */
  readonly size: number;
}

/** A file cannot be read, which says nothing of the target that wants it. */
export class SourceError extends Error {
  static {
    this.prototype.name = "SourceError";
  }
  /** Whether it changed while it was read, so that it is worth another try. */
  readonly changed: boolean;
  /** Makes the error. */
  constructor(message: string, { changed = false, cause }: { changed?: boolean; cause?: unknown } = {}) {
    super(message, { cause });
    this.changed = changed;
  }
}

/** A small file. */
export interface SmallFile extends Snapshot {
  /** All of it. */
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Reads the files of one source for any number of targets. */
export class Source {
  readonly #follow: boolean;
  readonly #keep: boolean;
  readonly #kept = new Map<number, SmallFile>();
  #keptBytes = 0;

  /**
   * @param follow whether symbolic links are followed
   * @param targets who will want the same files
   */
  constructor(follow: boolean, targets: number) {
    this.#follow = follow;
    this.#keep = targets > 1;
  }

  /**
   * Reads a small file. Undefined when it is none any more.
   *
   * @throws {SourceError} when it cannot be read, or changed meanwhile
   */
  small(file: SourceFile): SmallFile | undefined {
    const kept = this.#kept.get(file.index);
    if (kept !== undefined) return kept;
    try {
      const small = this.#readSmall(file.path);
      if (this.#keep && small !== undefined) this.#remember(file.index, small);
      return small;
    } catch (error) {
      throw asSourceError(error);
    }
  }

  #readSmall(path: string): SmallFile | undefined {
    const before = this.#look(path);
    if (before.size > SMALL_BYTES) return undefined;
    const content = new Uint8Array(before.size);
    using opened = Deno.openSync(path);
    for (let got = 0; got < content.length;) {
      const read = opened.readSync(content.subarray(got));
      if (read === null) throw new FileShrank();
      got += read;
    }
    check(before, opened.statSync());
    return { content, ...snapshot(before) };
  }

  #remember(index: number, small: SmallFile): void {
    this.#kept.set(index, small);
    this.#keptBytes += small.size + KEPT_FILE_BYTES;
    for (const [oldest, { size }] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= size + KEPT_FILE_BYTES;
    }
  }

  /**
   * Opens a file to be read in pieces.
   *
   * @throws {SourceError} when it cannot be read
   */
  open(file: SourceFile): OpenFile {
    let opened: Deno.FsFile | undefined;
    try {
      const before = this.#look(file.path);
      opened = Deno.openSync(file.path);
      // A name may lead to something else by now.
      check(before, opened.statSync());
      return new OpenFile(opened, before);
    } catch (error) {
      opened?.close();
      throw asSourceError(error);
    }
  }

  /** What is not a regular file is never opened: that may wait for ever. */
  #look(path: string): Deno.FileInfo {
    const info = this.#follow ? Deno.statSync(path) : Deno.lstatSync(path);
    if (!info.isFile) throw new SourceError("it is no file any more");
    return info;
  }
}

/** A file that is read in pieces. */
export class OpenFile implements Disposable {
  /** What it was when it was opened. */
  readonly snapshot: Snapshot;
  readonly #file: Deno.FsFile;
  readonly #before: Deno.FileInfo;

  /** Owns `file`. */
  constructor(file: Deno.FsFile, before: Deno.FileInfo) {
    this.#file = file;
    this.#before = before;
    this.snapshot = snapshot(before);
  }

  /**
   * Gives its pieces, each valid until the next one but one is asked for.
   *
   * @throws {SourceError} when it cannot be read, or changed meanwhile: after the last piece at the latest
   */
  async *pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    try {
      yield* readPieces(this.#file, this.snapshot.size, PIECE_BYTES);
      check(this.#before, this.#file.statSync());
    } catch (error) {
      throw asSourceError(error);
    }
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function snapshot(info: Deno.FileInfo): Snapshot {
  return { size: info.size, ...metaOf(info) };
}

function check(before: Deno.FileInfo, after: Deno.FileInfo): void {
  const same = before.ino === after.ino && before.dev === after.dev && before.size === after.size &&
    modified(before) === modified(after);
  if (!same) throw new SourceError("it changed while it was read", { changed: true });
}

function asSourceError(error: unknown): SourceError {
  if (error instanceof SourceError) return error;
  if (error instanceof FileShrank) {
    return new SourceError("it shrank while it was read", { changed: true, cause: error });
  }
  return new SourceError(error instanceof Error ? error.message : String(error), { cause: error });
}
