/** Gives one target what it wants: files, whole or as what has changed in them, and answers. */

import type { Channel } from "../channel/channel.ts";
import { ProtocolError, toError } from "../channel/errors.ts";
import type { HashKey } from "./common/block_hash.ts";
import { ENTRY_KINDS, isName, unknownRecord, WantKind } from "./common/messages.ts";
import { PieceDigest } from "./common/piece_digest.ts";
import type { ByteReader } from "./common/wire.ts";
import { passes } from "./filter.ts";
import type { Filter } from "./filter.ts";
import { Matcher } from "./delta.ts";
import type { DeltaPart } from "./delta.ts";
import type { Offered } from "./offered.ts";
import { Outgoing } from "./outgoing.ts";
import { normalize } from "./paths.ts";
import { Slices } from "./slices.ts";
import { SMALL_BYTES, SourceError } from "./source.ts";
import type { OpenFile, Source } from "./source.ts";
import type { Tally } from "./tally.ts";
import type { SourceFile } from "./walk.ts";
import { Sums, SumsLost, Wants } from "./wants.ts";

/** A file that changes while it is read is read anew, so many times at the most. */
const TRIES = 3;

/** What giving takes. */
export interface GivingOptions {
  /** Where files are read. */
  readonly source: Source;
  /** The absolute path of what is copied. */
  readonly root: string;
  /** Says what is copied. */
  readonly filter: Filter | undefined;
  /** Whether what is sent is compressed; where that is faster if it is not said. */
  readonly compress: boolean | undefined;
  /** Whether nothing is sent. */
  readonly dryRun: boolean;
  /** The key of the hashes. */
  readonly key: HashKey;
  /** What the target knows. */
  readonly offered: Offered;
  /** What is counted. */
  readonly tally: Tally;
}

/** Reads wants and sends data, until the target wants nothing more. */
export class Giving {
  readonly #options: GivingOptions;
  readonly #tally: Tally;
  readonly #data: Channel;
  readonly #wants: Wants;
  readonly #out: Outgoing;
  readonly #signal: AbortSignal;

  /** Gives nothing yet. */
  constructor(data: Channel, options: GivingOptions, signal: AbortSignal) {
    this.#options = options;
    this.#tally = options.tally;
    this.#data = data;
    this.#wants = new Wants(data, signal);
    this.#signal = signal;
    const { compress, dryRun, tally } = options;
    const sent = (bytes: number): void => void (tally.sent += bytes);
    this.#out = new Outgoing({ channel: data, signal, compress, dryRun, sent });
  }

  /** Gives everything. */
  async run(): Promise<void> {
    const slices = new Slices();
    while (true) {
      // What was collected leaves when nothing else is known to be wanted.
      if (this.#wants.atEnd) await this.#out.flush();
      const reader = await this.#wants.next();
      if (reader === undefined) break;
      await this.#want(reader.byte(), reader);
      if (slices.over) {
        await slices.rest();
        this.#signal.throwIfAborted();
      }
    }
    await this.#data.closeWrite();
  }

  async #want(kind: number, reader: ByteReader): Promise<void> {
    const { offered } = this.#options;
    switch (kind) {
      case WantKind.WHOLE:
        return await this.#giveFirst(offered.take(reader.number()), undefined);
      case WantKind.DELTA: {
        const file = offered.take(reader.number());
        const sums = new Sums(reader.number(), this.#wants);
        await this.#giveFirst(file, sums);
        return await sums.rest();
      }
      case WantKind.SAME: {
        const files = reader.number();
        offered.passOver(files);
        return this.#tally.same(files, reader.number());
      }
      case WantKind.ASK:
        return await this.#answer(reader);
      case WantKind.REDO:
        return await this.#give(this.#tally.redo(reader.number()), undefined);
      default:
        throw unknownRecord(kind);
    }
  }

  // ---- files ----

  async #giveFirst(file: SourceFile, sums: Sums | undefined): Promise<void> {
    this.#tally.begin(file);
    await this.#give(file, sums);
  }

  /** Sends a file, or says that it does not come. */
  async #give(file: SourceFile, sums: Sums | undefined): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#attempt(file, sums);
      } catch (error) {
        if (error instanceof SumsLost) return await this.#give(file, undefined);
        if (!(error instanceof SourceError)) throw error;
        if (error.changed && attempt < TRIES) continue;
        this.#tally.over(file.index, false);
        await this.#out.gone(file.index);
        const text = error.changed ? `${error.message}, ${TRIES} times` : error.message;
        const cause = error.cause ?? error;
        this.#tally.problem(new Error(`Cannot copy ${JSON.stringify(file.path)}: ${text}`, { cause }));
        return;
      }
    }
  }

  async #attempt(file: SourceFile, sums: Sums | undefined): Promise<void> {
    const { source, dryRun } = this.#options;
    const small = sums === undefined && file.size <= SMALL_BYTES ? source.small(file) : undefined;
    if (small !== undefined) {
      await this.#out.file(file.index, small);
      if (dryRun) this.#tally.over(file.index, true);
      return;
    }
    using opened = source.open(file);
    if (dryRun && sums === undefined) {
      this.#tally.sent += opened.snapshot.size;
      this.#tally.over(file.index, true);
      return;
    }
    await this.#out.open(file.index, opened.snapshot);
    try {
      if (sums === undefined) return await this.#whole(file, opened);
      const same = await this.#delta(file, opened, sums);
      if (dryRun) this.#tally.over(file.index, !same);
    } catch (error) {
      if (error instanceof SourceError || error instanceof SumsLost) await this.#out.again();
      throw error;
    }
  }

  async #whole(file: SourceFile, opened: OpenFile): Promise<void> {
    for await (const piece of opened.pieces()) {
      await this.#out.literal(piece);
      this.#tally.step(file, piece.length);
    }
    await this.#out.close(new Uint8Array(0));
  }

  /** Sends what has changed. Says whether nothing has. */
  async #delta(file: SourceFile, opened: OpenFile, sums: Sums): Promise<boolean> {
    const { signature } = sums;
    const matcher = new Matcher(signature, this.#options.key);
    const digest = new PieceDigest();
    let same = opened.snapshot.size === signature.size;
    let next = 0;
    const give = async (parts: readonly DeltaPart[]): Promise<void> => {
      for (const part of parts) {
        if (part.kind === "copy") await this.#out.copy(part.first, part.count);
        else await this.#out.literal(part.bytes);
        same &&= part.kind === "copy" && part.first === next;
        if (part.kind === "copy") next = part.first + part.count;
      }
    };
    for await (const piece of opened.pieces()) {
      const digested = digest.update(piece);
      for (let at = 0; at < piece.length;) {
        const room = matcher.room();
        const part = piece.subarray(at, at + room.length);
        room.set(part);
        at += part.length;
        await give(matcher.filled(part.length));
        while (matcher.waits) {
          await sums.more();
          await give(matcher.filled(0));
        }
      }
      await digested;
      this.#tally.step(file, piece.length);
    }
    while (!signature.complete) await sums.more();
    await give(matcher.finish());
    await this.#out.close(await digest.end());
    return same;
  }

  // ---- answers ----

  /** Says what may go of what only the target has. */
  async #answer(reader: ByteReader): Promise<void> {
    const { filter, root } = this.#options;
    if (filter === undefined) {
      throw new ProtocolError("Cannot say what may go: that is for the target to know");
    }
    const question = reader.number();
    const folder = reader.text();
    if (folder !== "" && !folder.split("/").every(isName)) {
      throw new ProtocolError(`Cannot say what may go in ${JSON.stringify(folder)}`);
    }
    const verdict: number[] = [];
    for (let left = reader.number(); left > 0; left--) {
      const name = reader.text();
      const kind = ENTRY_KINDS[reader.byte()];
      if (!isName(name)) throw new ProtocolError(`Cannot say whether ${JSON.stringify(name)} may go`);
      const path = normalize(`${root}/${folder}/${name}`);
      const entry: Deno.DirEntry = {
        name,
        isFile: kind === "file",
        isDirectory: kind === "folder",
        isSymlink: kind === "link",
      };
      verdict.push(this.#mayGo(filter, path, entry) ? 1 : 0);
    }
    await this.#out.verdict(question, Uint8Array.from(verdict));
  }

  /** A filter may look for what it is asked about, which is not there: then it stays on the target. */
  #mayGo(filter: Filter, path: string, entry: Deno.DirEntry): boolean {
    try {
      return passes(filter, path, entry);
    } catch (cause) {
      const text = `Cannot tell whether to remove ${JSON.stringify(path)}: ${toError(cause).message}`;
      this.#tally.problem(new Error(text, { cause }));
      return false;
    }
  }
}
