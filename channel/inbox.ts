/** What has arrived on one channel and has not been taken: whole items, and the parts of one that is still coming. */

import { ProtocolError } from "./errors.ts";
import { DataFlag, EMPTY, HEADER_BYTES, readUint48 } from "./frame.ts";
import { free } from "./free.ts";
import { TOTAL_BYTES } from "./outbox.ts";
import { FRAME_COST_BYTES, ReceiveWindow } from "./window.ts";

/** What an inbox needs of its channel. */
export interface InboxOwner {
  /** Names the channel in messages. */
  describe(): string;
  /** Gives the sender so many bytes of credit. */
  grant(bytes: number): void;
  /** Whether someone waits for an item. */
  readonly eager: boolean;
}

/** Turns bytes into items. */
export interface ItemSource {
  /** Decodes the item at `offset` of `bytes`. Throws LoadError. */
  decode(bytes: Uint8Array, offset: number): unknown;
  /** Where the item that was decoded last ended. */
  readonly decodedTo: number;
}

/** Bytes that hold one or more whole items. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly raw: boolean;
  /** Credit to return when the last item has been taken. */
  readonly cost: number;
}

/** An item of which parts are still to come. */
interface Assembly {
  bytes: Uint8Array;
  got: number;
  readonly total: number;
  readonly raw: boolean;
  cost: number;
}

/** The room of an item that is still coming is so many times what has come of it: the announced length is not believed. */
const ROOM_FACTOR = 4;

/** The longest item. */
const MAX_ITEM_BYTES = 2 ** 31 - 1;

const VALID_FLAGS: ReadonlySet<number> = new Set([
  0,
  DataFlag.FRAGMENT,
  DataFlag.FRAGMENT | DataFlag.FIRST,
  DataFlag.FRAGMENT | DataFlag.RAW,
  DataFlag.FRAGMENT | DataFlag.FIRST | DataFlag.RAW,
]);

/**
 * The unread items of a channel, as bytes: they are decoded when they are taken, so that what is held is what the
 * window counts. Every method that takes from the far side throws a ProtocolError when that breaks the rules.
 */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #source: ItemSource;
  readonly #credit = new ReceiveWindow();
  #chunks: Chunk[] = [];
  #offset = 0;
  #assembly: Assembly | undefined;

  /** Makes an empty inbox. */
  constructor(owner: InboxOwner, source: ItemSource) {
    this.#owner = owner;
    this.#source = source;
  }

  /** Whether an item can be taken. */
  get hasItem(): boolean {
    return this.#chunks.length > 0;
  }

  /** Whether an item has begun to come and is not whole. */
  get amidItem(): boolean {
    return this.#assembly !== undefined;
  }

  /** Bytes that are held unread. */
  get unreadBytes(): number {
    return this.#credit.unread;
  }

  /** Takes the payload of a DATA frame. `owned`: nobody else uses `bytes`. */
  data(flags: number, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    const length = end - start;
    const cost = length + FRAME_COST_BYTES;
    if (!VALID_FLAGS.has(flags)) this.#refuse(`flags ${flags}`);
    this.#credit.arrived(cost);
    if (flags & DataFlag.FIRST) this.#begin(flags, bytes, start, end, cost);
    else if (flags & DataFlag.FRAGMENT) {
      this.#part(flags, bytes, start, end, cost);
      // It has been copied, and had the buffer for itself.
      if (owned && start === HEADER_BYTES && end === bytes.length) free(bytes);
    } else {
      if (this.#assembly !== undefined) this.#refuse("amid an item");
      if (length === 0) this.#refuse("a frame without an item");
      // A small view must not keep a large buffer alive.
      const keep = owned && length * 2 >= bytes.length;
      this.#chunks.push({
        bytes: keep ? bytes.subarray(start, end) : bytes.slice(start, end),
        raw: false,
        cost,
      });
    }
  }

  /** Counts a frame that nobody will take, and gives its credit back. */
  discard(length: number): void {
    this.#credit.arrived(length + FRAME_COST_BYTES);
    this.#consumed(length + FRAME_COST_BYTES, false);
  }

  /** Room for the next `length` bytes of the item that is being put together. */
  place(flags: number, length: number): Uint8Array | undefined {
    const assembly = this.#assembly;
    if (assembly === undefined || !(flags & DataFlag.FRAGMENT) || flags & DataFlag.FIRST) return undefined;
    this.#makeRoom(assembly, length);
    return assembly.bytes.subarray(assembly.got, assembly.got + length);
  }

  /** Takes a payload that has filled its room, or says that the room is gone. */
  placed(payload: Uint8Array): boolean {
    const assembly = this.#assembly;
    if (assembly === undefined || payload.buffer !== assembly.bytes.buffer) return false;
    const cost = payload.length + FRAME_COST_BYTES;
    this.#credit.arrived(cost);
    this.#advance(assembly, payload.length, cost);
    return true;
  }

  /** Takes the next item; there must be one. Throws LoadError when it is none; then nothing is left. */
  take(): unknown {
    const chunk = this.#chunks[0]!;
    if (chunk.raw) {
      this.#finish(chunk);
      return chunk.bytes;
    }
    let item: unknown;
    try {
      item = this.#source.decode(chunk.bytes, this.#offset);
    } catch (error) {
      this.#chunks = [];
      this.#assembly = undefined;
      throw error;
    }
    this.#offset = this.#source.decodedTo;
    if (this.#offset === chunk.bytes.length) this.#finish(chunk);
    return item;
  }

  /** Forgets the item that was still coming. */
  dropPart(): void {
    this.#assembly = undefined;
  }

  #finish(chunk: Chunk): void {
    this.#chunks.shift();
    this.#offset = 0;
    const empty = this.#chunks.length === 0;
    let { cost } = chunk;
    if (empty && this.#assembly !== undefined) {
      cost += this.#assembly.cost;
      this.#assembly.cost = 0;
    }
    this.#consumed(cost, empty);
  }

  #begin(flags: number, bytes: Uint8Array, start: number, end: number, cost: number): void {
    const total = end - start === TOTAL_BYTES ? readUint48(bytes, start) : 0;
    if (this.#assembly !== undefined || total === 0 || total > MAX_ITEM_BYTES) {
      this.#refuse("a wrong first part of an item");
    }
    this.#assembly = { bytes: EMPTY, got: 0, total, raw: (flags & DataFlag.RAW) !== 0, cost: 0 };
    this.#advance(this.#assembly, 0, cost);
  }

  #part(flags: number, bytes: Uint8Array, start: number, end: number, cost: number): void {
    const assembly = this.#assembly;
    const raw = (flags & DataFlag.RAW) !== 0;
    if (assembly === undefined || end === start || assembly.raw !== raw) this.#refuse("a part of no item");
    this.#makeRoom(assembly, end - start);
    assembly.bytes.set(bytes.subarray(start, end), assembly.got);
    this.#advance(assembly, end - start, cost);
  }

  #makeRoom(assembly: Assembly, length: number): void {
    const needed = assembly.got + length;
    if (needed > assembly.total) this.#refuse("an item is longer than it said");
    if (needed <= assembly.bytes.length) return;
    const grown = new Uint8Array(Math.min(assembly.total, needed * ROOM_FACTOR));
    grown.set(assembly.bytes.subarray(0, assembly.got));
    assembly.bytes = grown;
  }

  /**
   * The item at the head of the line is paid for while it comes, because it cannot be taken before it is whole; what
   * comes behind an unread item waits for its credit. So a channel holds at most its window and one item.
   */
  #advance(assembly: Assembly, length: number, cost: number): void {
    assembly.got += length;
    assembly.cost += cost;
    if (this.#chunks.length === 0) {
      this.#consumed(assembly.cost, this.#owner.eager);
      assembly.cost = 0;
    }
    if (assembly.got < assembly.total) return;
    this.#assembly = undefined;
    this.#chunks.push({ bytes: assembly.bytes, raw: assembly.raw, cost: assembly.cost });
  }

  /** Gives credit back, now or together with what follows. `eager`: someone waits for more. */
  #consumed(bytes: number, eager: boolean): void {
    const grant = this.#credit.consumed(bytes, eager);
    if (grant > 0) this.#owner.grant(grant);
  }

  #refuse(what: string): never {
    throw new ProtocolError(`Cannot take data on ${this.#owner.describe()}: ${what}`);
  }
}
