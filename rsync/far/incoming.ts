/** Writes what comes: each file beside the one whose place it takes, flushed, and then renamed. */

import { ProtocolError } from "../../channel/errors.ts";
import { free } from "../../channel/free.ts";
import { turn } from "../../channel/turn.ts";
import { blockBytes } from "../common/blocks.ts";
import { DataKind, readMeta, unknownRecord } from "../common/messages.ts";
import type { Meta } from "../common/messages.ts";
import { DIGEST_BYTES, PieceDigest, sameBytes } from "../common/piece_digest.ts";
import { readPieces } from "../common/read_pieces.ts";
import { ByteReader } from "../common/wire.ts";
import { EarlyFlush } from "./early_flush.ts";
import { giveMeta } from "./meta.ts";
import type { Parts } from "./parts.ts";
import { Placing } from "./placing.ts";
import { createTemporary, discard } from "./temporary.ts";
import { unpack } from "./unpack.ts";
import type { Wanted } from "./wanted.ts";

/** So much of an old copy is read at a time. */
const READ_BYTES = 1024 * 1024;

/** A file that is written in parts. */
interface BeingWritten {
  readonly path: string;
  readonly file: Deno.FsFile;
  /** Where it is flushed before it takes its place. */
  readonly flush: EarlyFlush | undefined;
}

/** A file whose content comes in parts. */
interface Open {
  readonly wanted: Wanted;
  readonly meta: Meta;
  readonly size: number;
  /** Where it is written, as soon as it is known to differ from the old copy. */
  written: BeingWritten | undefined;
  /** The old copy. */
  old: Deno.FsFile | undefined;
  /** So many bytes of the old copy, from the first one on, are all that has come. They are digested, and not written. */
  same: number;
  /** Bytes that have come. */
  got: number;
  readonly digest: PieceDigest | undefined;
  /** Why it cannot be written; what comes of it is dropped. */
  failure: { error: unknown } | undefined;
}

/** Takes the data. */
export class Incoming {
  readonly #parts: Parts;
  readonly #placing: Placing;
  #open: Open | undefined;

  /** Writes for one copy. */
  constructor(parts: Parts) {
    this.#parts = parts;
    this.#placing = new Placing(parts.wanted, parts.report);
  }

  /** Takes all messages until there are no more. What is under way when something fails is removed. */
  async run(): Promise<void> {
    const messages = this.#parts.setup.data[Symbol.asyncIterator]();
    try {
      while (true) {
        const next = messages.next();
        // While nothing comes, what has come is put into its place.
        if (!await hasCome(next)) {
          this.#placing.start();
          void this.#parts.report.flush();
        }
        const { value, done } = await next;
        if (done) break;
        await this.#take(new ByteReader(await unpack(value)));
        // Large messages have memory of their own.
        if (value instanceof Uint8Array) free(value);
      }
      if (this.#open !== undefined) throw new ProtocolError("Cannot take the end of the data: amid a file");
      await this.#placing.done();
    } catch (error) {
      if (this.#open !== undefined) this.#drop(this.#open);
      await this.#placing.stop();
      throw error;
    }
  }

  async #take(reader: ByteReader): Promise<void> {
    while (!reader.done) {
      const kind = reader.byte();
      switch (kind) {
        case DataKind.FILE:
          await this.#whole(reader);
          break;
        case DataKind.OPEN:
          this.#begin(reader);
          break;
        case DataKind.LITERAL:
          await this.#literal(this.#current, reader.bytes());
          break;
        case DataKind.COPY:
          await this.#copy(this.#current, reader.number(), reader.number());
          break;
        case DataKind.CLOSE:
          await this.#close(this.#current, reader.bytes());
          break;
        case DataKind.AGAIN:
          this.#drop(this.#current);
          break;
        case DataKind.GONE:
          this.#parts.wanted.over(this.#parts.wanted.get(reader.number()).index);
          break;
        case DataKind.VERDICT:
          this.#parts.removal.answer(reader.number(), reader.bytes());
          break;
        default:
          throw unknownRecord(kind);
      }
    }
  }

  get #current(): Open {
    if (this.#open === undefined) throw new ProtocolError("Cannot take content: of no file");
    return this.#open;
  }

  #next(reader: ByteReader): Wanted {
    if (this.#open !== undefined) throw new ProtocolError("Cannot take a file: amid another one");
    return this.#parts.wanted.get(reader.number());
  }

  /** A small file. */
  async #whole(reader: ByteReader): Promise<void> {
    const wanted = this.#next(reader);
    const meta = readMeta(reader);
    const content = reader.bytes();
    try {
      const { path, file } = await this.#withRoom(() => this.#create(wanted.folder, content));
      await this.#placing.add({ wanted, meta, path, file, bytes: content.length });
    } catch (error) {
      this.#fail(wanted, error);
    }
  }

  #create(folder: string, content: Uint8Array<ArrayBuffer>): { path: string; file: Deno.FsFile } {
    const path = this.#parts.temporary.path(folder);
    let file: Deno.FsFile | undefined;
    try {
      file = createTemporary(path);
      for (let at = 0; at < content.length;) at += file.writeSync(content.subarray(at));
      return { path, file };
    } catch (error) {
      file?.close();
      discard(path);
      throw error;
    }
  }

  /** Does something that takes room on the disk. What is under way frees the room of what it replaces. */
  async #withRoom<T>(action: () => T | Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if ((error as { code?: unknown } | undefined)?.code !== "ENOSPC") throw error;
      await this.#placing.done();
      return await action();
    }
  }

  #fail(wanted: Wanted, error: unknown): void {
    this.#parts.report.failed(wanted.index, error);
    this.#parts.wanted.over(wanted.index);
  }

  // ---- a file in parts ----

  #begin(reader: ByteReader): void {
    const wanted = this.#next(reader);
    const meta = readMeta(reader);
    const size = reader.number();
    this.#open = {
      wanted,
      meta,
      size,
      written: undefined,
      old: undefined,
      same: 0,
      got: 0,
      digest: wanted.basis > 0 ? new PieceDigest() : undefined,
      failure: undefined,
    };
    if (wanted.basis === 0) this.#guard(this.#open, () => this.#write(this.#open!));
  }

  /** Begins to write. */
  #write(open: Open): BeingWritten {
    const { wanted } = open;
    const path = this.#parts.temporary.path(wanted.folder);
    const file = createTemporary(path);
    const flush = wanted.inPlace === "nothing" ? undefined : new EarlyFlush(path);
    return open.written = { path, file, flush };
  }

  /** What fails here makes this file fail, and no other. */
  async #guard(open: Open, action: () => unknown): Promise<void> {
    if (open.failure !== undefined) return;
    try {
      await action();
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      open.failure = { error };
      this.#release(open);
    }
  }

  async #literal(open: Open, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#got(open, bytes.length);
    await this.#guard(open, async () => {
      if (open.written === undefined) await this.#differs(open);
      await this.#put(open, bytes);
    });
  }

  async #copy(open: Open, first: number, count: number): Promise<void> {
    const { basis } = open.wanted;
    const block = basis > 0 ? blockBytes(basis) : 0;
    if (count === 0 || basis === 0 || first + count > Math.ceil(basis / block)) {
      throw new ProtocolError(`Cannot copy ${count} blocks from block ${first} on: there are none`);
    }
    const start = first * block;
    const length = Math.min(basis - start, count * block);
    this.#got(open, length);
    await this.#guard(open, async () => {
      if (open.written === undefined && open.same === start) {
        for await (const piece of this.#old(open, start, length)) await open.digest!.update(piece);
        open.same += length;
        return;
      }
      if (open.written === undefined) await this.#differs(open);
      for await (const piece of this.#old(open, start, length)) await this.#put(open, piece);
    });
  }

  #got(open: Open, length: number): void {
    open.got += length;
    if (open.got > open.size) {
      throw new ProtocolError(`Cannot take file ${open.wanted.index}: it is longer than it said`);
    }
  }

  /** It is not the old copy after all: what was the same until here is written. */
  async #differs(open: Open): Promise<void> {
    const written = this.#write(open);
    for await (const piece of this.#old(open, 0, open.same)) await this.#writeAll(written, piece);
  }

  #old(open: Open, start: number, length: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    open.old ??= Deno.openSync(open.wanted.path);
    open.old.seekSync(start, Deno.SeekMode.Start);
    return readPieces(open.old, length, READ_BYTES);
  }

  async #put({ written, digest }: Open, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const digested = digest?.update(bytes);
    await this.#writeAll(written!, bytes);
    await digested;
  }

  async #writeAll({ file, flush }: BeingWritten, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#withRoom(() => file.write(bytes.subarray(at)));
    }
    flush?.wrote(bytes.length);
  }

  async #close(open: Open, digest: Uint8Array): Promise<void> {
    const { wanted, meta, size } = open;
    if (open.failure === undefined && open.got !== size) {
      throw new ProtocolError(`Cannot take file ${wanted.index}: it is shorter than it said`);
    }
    if (digest.length !== (open.digest === undefined ? 0 : DIGEST_BYTES)) {
      throw new ProtocolError(`Cannot take file ${wanted.index}: it has no digest`);
    }
    let right = true;
    await this.#guard(open, async () => {
      if (open.digest === undefined) return;
      if (open.written === undefined && size !== wanted.basis) await this.#differs(open);
      right = sameBytes(await open.digest.end(), digest);
    });
    this.#open = undefined;
    if (open.failure !== undefined) {
      this.#fail(wanted, open.failure.error);
    } else if (!right) {
      this.#release(open);
      this.#parts.wanted.again(wanted);
    } else if (open.written === undefined) {
      this.#release(open);
      this.#unchanged(wanted, meta);
    } else {
      open.old?.close();
      const { path, file } = open.written;
      await this.#placing.add({ wanted, meta, path, file, bytes: size });
    }
  }

  /** The content is what it should be. */
  #unchanged(wanted: Wanted, meta: Meta): void {
    try {
      giveMeta(wanted.path, meta);
    } catch (error) {
      this.#fail(wanted, error);
      return;
    }
    this.#parts.report.done(wanted.index, false);
    this.#parts.wanted.over(wanted.index);
  }

  /** It does not come, or begins anew. */
  #drop(open: Open): void {
    this.#open = undefined;
    this.#release(open);
  }

  #release(open: Open): void {
    open.old?.close();
    open.old = undefined;
    open.written?.file.close();
    if (open.written !== undefined) discard(open.written.path);
    open.written = undefined;
  }
}

/** Whether something has come already, or comes with what the event loop has at hand. */
async function hasCome(next: Promise<unknown>): Promise<boolean> {
  let come = false;
  const note = (): void => {
    come = true;
  };
  next.then(note, note);
  await turn();
  return come;
}
