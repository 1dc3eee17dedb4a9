/** The channels of one session: which ids are whose, which channels are open, which are still to be met. */

import { ChannelEnd } from "./channel_end.ts";
import type { ChannelHost } from "./channel_end.ts";
import { LoadError, ProtocolError } from "./errors.ts";
import { MAX_CHANNEL_ID } from "./frame.ts";
import type { Branch } from "./branch.ts";
import type { Writer } from "./writer.ts";

/** More channels than this on one gateway are taken for an attack. */
const MAX_CHANNELS = 262_144;

/** What is held for all channels that nobody here has received; each may have a window of it, and one item. */
const MAX_UNMET_BYTES = 256 * 1024 * 1024;

/** Beyond this, the older half of those whose items nobody ever received is given up. */
const MAX_UNDELIVERED = 4_096;

/** The ids of channels that are made on this side. */
export interface OwnIds {
  /** The first one: odd on the side that started the gateway. */
  firstId: number;
  /** The highest there may be; by default the highest that there is. */
  lastId?: number;
}

/** A table of channels. The two sides give out ids of different parity. */
export class ChannelTable {
  readonly #host: ChannelHost;
  readonly #writer: Writer;
  readonly #open = new Map<number, ChannelEnd>();
  /** Channels that are closed already, but whose item has not been received yet. */
  readonly #undelivered = new Map<number, ChannelEnd>();
  /** The executions of the far side that have open channels, by their ids. */
  readonly #executions = new Map<number, Branch>();
  readonly #lastId: number;
  #nextId: number;
  #unmetBytes = 0;

  /** Makes an empty table whose first own channel gets `firstId`. `writer` is that of the connection. */
  constructor(host: ChannelHost, writer: Writer, { firstId, lastId }: OwnIds) {
    this.#host = host;
    this.#writer = writer;
    this.#nextId = firstId;
    this.#lastId = lastId ?? MAX_CHANNEL_ID;
  }

  /** How many channels are open. */
  get size(): number {
    return this.#open.size;
  }

  /** The open channels. */
  get ends(): Iterable<ChannelEnd> {
    return this.#open.values();
  }

  /**
   * The execution with that id, which may have no open channel any more. Throws ProtocolError when there has never been
   * one.
   */
  execution(id: number): Branch {
    const root = this.known(id);
    if (!this.#isOwn(id) || root !== undefined && root.branch?.id !== id) {
      throw new ProtocolError(`Channel ${id} is none of an execution`);
    }
    return root?.branch ?? this.#executions.get(id) ?? this.#newBranch(id);
  }

  #newBranch(id: number): Branch {
    return { id, writer: this.#writer, fragmentBytes: this.#host.fragmentBytes, open: 0 };
  }

  /**
   * Opens a channel of this side; with `isRoot` it is that of an execution.
   *
   * @throws {RangeError} when no id is left for it
   */
  openOwn(isRoot: boolean): ChannelEnd {
    const id = this.#nextId;
    if (id > this.#lastId) {
      throw new RangeError("Cannot make a channel: as many as there can be have been made");
    }
    this.#nextId += 2;
    if (!isRoot) return this.#add(id, undefined);
    const branch = this.#newBranch(id);
    this.#executions.set(id, branch);
    return this.#add(id, branch);
  }

  /** Opens the channel of an execution that the far side wants. Throws as {@linkcode ChannelTable.openFar} does. */
  openFarRoot(id: number): ChannelEnd {
    return this.openFar(id, this.#newBranch(id));
  }

  /** Opens a channel of the far side. Throws ProtocolError when it may not have that id, or too many are open. */
  openFar(id: number, branch: Branch | undefined): ChannelEnd {
    this.checkFar(id);
    if (this.#open.has(id)) throw new ProtocolError(`Cannot open channel ${id}: it is open`);
    if (this.#open.size >= MAX_CHANNELS) {
      throw new ProtocolError(`Cannot open channel ${id}: there are ${MAX_CHANNELS} already`);
    }
    return this.#add(id, branch);
  }

  /** Throws ProtocolError when the far side may not open a channel with that id. */
  checkFar(id: number): void {
    if (this.#isOwn(id)) {
      throw new ProtocolError(`Cannot open channel ${id}: the id is not the far side's to give`);
    }
  }

  /**
   * The channel that a frame is for, or undefined when it is closed already: then frames may still have been under
   * way. Throws ProtocolError when there has never been one.
   */
  known(id: number): ChannelEnd | undefined {
    const end = this.#open.get(id);
    if (end === undefined && this.#isFuture(id)) {
      throw new ProtocolError(`Cannot take a frame for channel ${id}: there has never been one`);
    }
    return end;
  }

  /** The channel that an item mentions. Throws LoadError when there has never been one. */
  mentioned(id: number): ChannelEnd {
    if (this.#isFuture(id)) throw new LoadError(`Cannot read channel ${id}: there is none`);
    const end = this.#open.get(id) ?? this.#undelivered.get(id);
    this.#undelivered.delete(id);
    if (end !== undefined) return end;
    // Closed while the item was under way: it arrives as what it is, a closed channel.
    const gone = new ChannelEnd(this.#host, id, this.#newBranch(id), this.#writer.pool);
    gone.closedByPeer();
    return gone;
  }

  /** Counts bytes that have come for a channel that nobody here has received. Throws ProtocolError for too many. */
  unmet(end: ChannelEnd, bytes: number): void {
    end.unmetBytes += bytes;
    this.#unmetBytes += bytes;
    if (this.#unmetBytes <= MAX_UNMET_BYTES) return;
    throw new ProtocolError(
      `Cannot take data on ${end.describe()}: more than ${MAX_UNMET_BYTES} bytes are for channels that nobody has received`,
    );
  }

  /** Somebody has received the channel, or nobody ever will. */
  met(end: ChannelEnd): void {
    this.#unmetBytes -= end.unmetBytes;
    end.unmetBytes = 0;
  }

  /** The open channel with an id. */
  get(id: number): ChannelEnd | undefined {
    return this.#open.get(id);
  }

  /** Drops a channel that is closed; says whether it was there. */
  drop(end: ChannelEnd): boolean {
    if (this.#open.get(end.id) !== end) return false;
    this.#open.delete(end.id);
    const { branch } = end;
    if (branch !== undefined && --branch.open === 0) this.#executions.delete(branch.id);
    const unmet = end.facade === undefined && !this.#isOwn(end.id) && branch?.id !== end.id;
    if (unmet) this.#keepUndelivered(end);
    else this.met(end);
    return true;
  }

  #keepUndelivered(end: ChannelEnd): void {
    const undelivered = this.#undelivered;
    undelivered.set(end.id, end);
    if (undelivered.size <= MAX_UNDELIVERED) return;
    // Half of them at once: to find the first one takes a map the longer the more have been taken out of it.
    for (const oldest of undelivered.values()) {
      if (undelivered.size <= MAX_UNDELIVERED / 2) break;
      undelivered.delete(oldest.id);
      this.met(oldest);
    }
  }

  /** Ends every channel for one reason, and forgets them all. */
  endAll(eof: Error): void {
    const ends = [...this.#open.values()];
    this.#open.clear();
    this.#undelivered.clear();
    this.#executions.clear();
    for (const end of ends) end.closedByPeer(undefined, eof);
  }

  #add(id: number, branch: Branch | undefined): ChannelEnd {
    const end = new ChannelEnd(this.#host, id, branch, this.#writer.pool);
    this.#open.set(id, end);
    if (branch !== undefined) branch.open++;
    return end;
  }

  #isOwn(id: number): boolean {
    return id % 2 === this.#nextId % 2;
  }

  #isFuture(id: number): boolean {
    return this.#isOwn(id) && id >= this.#nextId;
  }
}
