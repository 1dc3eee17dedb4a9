/** One target of a copy: sends it the list, gives it what it wants, and hears what becomes of it. */

import type { Channel } from "../channel/channel.ts";
import { ProtocolError, toError } from "../channel/errors.ts";
import { waitFor } from "../channel/wait.ts";
import type { Gateway } from "../gateway/mod.ts";
import type { HashKey } from "./common/block_hash.ts";
import { ListKind, MAX_TEXT_CHARS, NewsKind, unknownRecord } from "./common/messages.ts";
import type { Setup } from "./common/messages.ts";
import { ByteReader } from "./common/wire.ts";
import type { Filter } from "./filter.ts";
import { Giving } from "./giving.ts";
import { Offered } from "./offered.ts";
import { isInside, localPath } from "./overlap.ts";
import { normalize } from "./paths.ts";
import type { Source } from "./source.ts";
import { Tally } from "./tally.ts";
import { explainTrouble } from "./troubles.ts";
import type { Batch } from "./walk.ts";

/** How long a target that is stopped has to remove what it was writing. */
const STOP_TIMEOUT_MS = 2_000;

/** What ends the list. */
const LAST: Uint8Array<ArrayBuffer> = Uint8Array.of(ListKind.LAST);

/** The target's side, for one copy. */
export interface Receiver {
  /** Takes a setup and a list, gives the news. Closing it ends the execution. */
  readonly channel: Channel;
  /** The copy is complete: the execution may take the next one. */
  giveBack(): void;
}

/** What all targets of a run share. */
export interface Shared {
  /** Starts the target's side, or takes one that waits for work. */
  readonly lend: (gateway: Gateway) => Receiver;
  /** Where files are read. */
  readonly source: Source;
  /** The absolute path of what is copied. */
  readonly root: string;
  /** Whether that is one file. */
  readonly single: boolean;
  /** Says what is copied. */
  readonly filter: Filter | undefined;
  /** Whether names of what is sent are printed. */
  readonly verbose: boolean;
  /** Whether files are compared that seem to be the same. */
  readonly checksum: boolean;
  /** Whether what is sent is compressed; where that is faster if it is not said. */
  readonly compress: boolean | undefined;
  /** Whether nothing is changed. */
  readonly dryRun: boolean;
  /** The key of the hashes. */
  readonly key: HashKey;
  /** Real paths of targets that the walk must not go into: it would walk over what is being written. */
  readonly avoided: Set<string>;
  /** Whether symbolic links are followed, so that the walk can get to any target. */
  readonly follow: boolean;
  /** Is told of every step. */
  readonly progress: (target: Target, path: string | undefined) => void;
}

/** Where a copy goes. */
export interface Destination {
  /** Over which gateway. */
  readonly gateway: Gateway;
  /** Into which folder, as the caller wrote it. */
  readonly dest: string;
  /** Whether what the source does not have is removed there. */
  readonly delete: boolean;
}

/** Copies to one target. */
export class Target {
  /** Where to. */
  readonly destination: Destination;
  /** What has happened so far. */
  readonly tally: Tally;
  readonly #shared: Shared;
  readonly #offered = new Offered();
  /** Parts of the list that are still to be sent. */
  readonly #unsent: Batch[] = [];
  #backlog = 0;
  #listEnded = false;
  #changed = Promise.withResolvers<void>();
  #state: "running" | "complete" | "over" = "running";
  /** The absolute path of the copy. */
  #dest = "";

  /** Copies nothing yet. */
  constructor(destination: Destination, shared: Shared) {
    this.destination = destination;
    this.#shared = shared;
    this.tally = new Tally({
      progress: (path) => callersOwn(() => shared.progress(this, path)),
      transferred: ({ name }) => {
        if (shared.verbose) console.log(`${destination.gateway.id} <= ${spelled(name)}`);
      },
    });
  }

  /** Whether it can use more of the list. */
  get alive(): boolean {
    return this.#state === "running";
  }

  /** Whether everything has been done, as far as it could be. */
  get complete(): boolean {
    return this.#state === "complete";
  }

  /** Whether the whole list is known. */
  get listEnded(): boolean {
    return this.#listEnded;
  }

  /** Files whose part of the list waits to be sent. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Resolves when one of these changes. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** Takes a part of the list, or its end. */
  offer(batch: Batch | undefined): void {
    if (batch === undefined) {
      this.#listEnded = true;
    } else if (this.alive) {
      this.#unsent.push(batch);
      this.#backlog += batch.files.length;
      this.tally.offered(batch);
    }
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /**
   * Copies. What goes wrong is told to the tally; rejects only with the reason of `signal`, and with what a function of
   * the caller's throws.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { gateway, dest } = this.destination;
    try {
      const lent = this.#shared.lend(gateway);
      const data = gateway.newChannel() as unknown as Channel;
      try {
        data.reconfigure({});
        await this.#copy(lent.channel, data, signal);
      } catch (error) {
        // Whatever it was, no further copy comes to harm by it.
        await stop(lent.channel, data);
        throw error;
      }
      lent.giveBack();
      this.#state = "complete";
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CallersError) throw error.cause;
      const place = `${JSON.stringify(dest)} on gateway "${gateway.id}"`;
      this.tally.problem(
        error instanceof TargetError
          ? error.reason
          : new Error(`Cannot copy to ${place}: ${toError(error).message}`, { cause: error }),
      );
      this.#state = "over";
    } finally {
      if (this.#state === "running") this.#state = "over";
      this.#unsent.length = 0;
      this.#change();
    }
  }

  async #copy(main: Channel, data: Channel, signal: AbortSignal): Promise<void> {
    const { gateway, dest } = this.destination;
    const { filter, single, checksum, dryRun, key } = this.#shared;
    const absolute = dest.startsWith("/") ? dest : `${(await gateway.remoteInfo({ signal })).cwd}/${dest}`;
    this.#dest = normalize(absolute);
    this.#keepApart();
    const setup: Setup = {
      data,
      dest: this.#dest,
      single,
      delete: this.destination.delete,
      asks: filter !== undefined,
      dryRun,
      checksum,
      key,
    };
    await main.send(setup as never, { signal });
    const others = new AbortController();
    const either = AbortSignal.any([signal, others.signal]);
    const giving = new Giving(data, { ...this.#shared, offered: this.#offered, tally: this.tally }, either);
    const parts = [this.#list(main, either), giving.run(), this.#hear(main, either)];
    try {
      await Promise.all(parts);
    } catch (error) {
      // The first error is the reason; the others only end.
      others.abort(error);
      await Promise.allSettled(parts);
      throw error;
    }
    const { files, listed } = this.tally;
    if (files < listed) throw new ProtocolError(`Only ${files} of ${listed} files were dealt with`);
  }

  /** Before anything is written: sees to it that neither the copy nor the source comes to harm by the other. */
  #keepApart(): void {
    const { root, avoided, follow } = this.#shared;
    const source = Deno.realPathSync(root);
    const dest = localPath(this.destination.gateway, this.#dest);
    if (dest === undefined || dest === source) return;
    if (isInside(source, dest)) {
      if (this.destination.delete) throw new Error("the source is in it, and would be removed");
    } else if (follow || isInside(dest, source)) {
      avoided.add(dest);
    }
  }

  async #list(main: Channel, signal: AbortSignal): Promise<void> {
    while (true) {
      const batch = this.#unsent.shift();
      if (batch !== undefined) {
        this.#backlog -= batch.files.length;
        this.#offered.add(batch);
        this.tally.sent += batch.bytes.length;
        await main.send(batch.bytes as never, { signal });
        this.#change();
      } else if (this.#listEnded) {
        return await main.send(LAST as never, { signal });
      } else {
        await waitFor(this.changed, { signal }, () => "");
      }
    }
  }

  /** Hears what becomes of everything, up to the word that there is nothing more to do. The execution stays for the next copy. */
  async #hear(main: Channel, signal: AbortSignal): Promise<void> {
    while (true) {
      const reader = new ByteReader(await main.receive({ signal }));
      while (!reader.done) {
        const kind = reader.byte();
        if (kind === NewsKind.END) {
          if (reader.done) return;
          throw new ProtocolError("Cannot take news after the last word");
        }
        this.#news(kind, reader);
      }
    }
  }

  #news(kind: number, reader: ByteReader): void {
    const { tally } = this;
    switch (kind) {
      case NewsKind.DONE:
        tally.over(reader.number(), reader.byte() === 1);
        return;
      case NewsKind.FAILED:
        return tally.problem(this.#trouble(tally.over(reader.number(), false).name, reader));
      case NewsKind.PROBLEM:
        return tally.problem(this.#trouble(shortText(reader), reader));
      case NewsKind.REMOVED:
        return tally.removed(reader.number());
      case NewsKind.FATAL:
        throw new TargetError(this.#trouble("", reader));
      default:
        throw unknownRecord(kind);
    }
  }

  #trouble(name: string, reader: ByteReader): Error {
    const dest = this.#dest;
    // A single file is written beside itself, as all files are.
    const folder = this.#shared.single ? dest.slice(0, dest.lastIndexOf("/")) || "/" : dest;
    const gateway = this.destination.gateway.id;
    return explainTrouble(reader.byte(), shortText(reader), { gateway, dest, name, folder });
  }
}

/** A text that may be kept, with a thousand others. */
function shortText(reader: ByteReader): string {
  const text = reader.text();
  if (text.length > MAX_TEXT_CHARS) {
    throw new ProtocolError(`Cannot take a text of ${text.length} characters`);
  }
  return text;
}

/** Carries what a function of the caller's threw, as its cause. */
class CallersError extends Error {}

function callersOwn(call: () => void): void {
  try {
    call();
  } catch (cause) {
    throw new CallersError(undefined, { cause });
  }
}

/** Carries what the target said itself of why it cannot go on. */
class TargetError extends Error {
  readonly reason: Error;
  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

/** Lets the target remove what it was writing; ends it if it does not answer. */
async function stop(main: Channel, data: Channel): Promise<void> {
  await data.close("The copy was stopped");
  await main.closeWrite();
  await main.waitClose({ timeout: STOP_TIMEOUT_MS }).catch(() => {});
  if (!main.isClosed()) main.kill();
}

/** A name in one line, which steers no terminal: what would do so is spelled. */
function spelled(name: string): string {
  return name.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
