/** The channels of one session: which ids are whose, which channels are open, which are still to be met. */

import { ChannelEnd } from "./channel_end.ts";
import type { ChannelHost } from "./channel_end.ts";
import { EOFError, LoadError, ProtocolError } from "./errors.ts";
import { MAX_CHANNEL_ID } from "./frame.ts";
import type { Branch } from "./branch.ts";
import type { Writer } from "./writer.ts";

/** More channels than this on one gateway are taken for an attack. */
const MAX_CHANNELS = 262_144;

/** Beyond this, the oldest of those whose items nobody ever received are given up. */
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
  readonly #lastId: number;
  #nextId: number;

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
    if (root !== undefined) return root.branch!;
    for (const { branch } of this.#open.values()) if (branch?.id === id) return branch;
    return this.#newBranch(id);
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
    return this.#add(id, isRoot ? this.#newBranch(id) : undefined);
  }

  /** Opens the channel of an execution that the far side wants. Throws as {@linkcode ChannelTable.openFar} does. */
  openFarRoot(id: number): ChannelEnd {
    return this.openFar(id, this.#newBranch(id));
  }

  /** Opens a channel of the far side. Throws ProtocolError when it may not have that id, or too many are open. */
  openFar(id: number, branch: Branch | undefined): ChannelEnd {
    if (this.#isOwn(id) || id > MAX_CHANNEL_ID) {
      throw new ProtocolError(`Cannot open channel ${id}: the id is not the far side's to give`);
    }
    if (this.#open.has(id)) throw new ProtocolError(`Cannot open channel ${id}: it is open`);
    if (this.#open.size >= MAX_CHANNELS) {
      throw new ProtocolError(`Cannot open channel ${id}: there are ${MAX_CHANNELS} already`);
    }
    return this.#add(id, branch);
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
    gone.closedByPeer(undefined, new EOFError(`Cannot receive on ${gone.describe()}: closed`));
    return gone;
  }

  /** The open channel with an id. */
  get(id: number): ChannelEnd | undefined {
    return this.#open.get(id);
  }

  /** Drops a channel that is closed; says whether it was there. */
  drop(end: ChannelEnd): boolean {
    if (this.#open.get(end.id) !== end) return false;
    this.#open.delete(end.id);
    if (end.branch !== undefined) end.branch.open--;
    const unmet = end.facade === undefined && !this.#isOwn(end.id) && end.branch?.id !== end.id;
    if (unmet) {
      this.#undelivered.set(end.id, end);
      if (this.#undelivered.size > MAX_UNDELIVERED) {
        this.#undelivered.delete(this.#undelivered.keys().next().value!);
      }
    }
    return true;
  }

  /** Ends every channel for one reason, and forgets them all. */
  endAll(eof: Error): void {
    for (const end of [...this.#open.values()]) end.closedByPeer(undefined, eof);
    this.#open.clear();
    this.#undelivered.clear();
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
