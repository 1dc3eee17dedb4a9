/** One end of a channel: its states, what has arrived and what waits to be sent. Pure: it knows its session as a host. */

import type { Branch } from "./branch.ts";
import { coerce } from "./coerce.ts";
import type { CoercionOptions } from "./coerce.ts";
import { ChannelClosedError, EOFError, ProtocolError } from "./errors.ts";
import { EMPTY, frameBytes, FrameType, HEADER_BYTES, makeFrame, writeUint32 } from "./frame.ts";
import { Inbox } from "./inbox.ts";
import type { ItemSource } from "./inbox.ts";
import { BACKLOG_BYTES, type BufferPool, fragmentItem, Outbox, PACK_BYTES } from "./outbox.ts";
import { FRAME_COST_BYTES, SendWindow } from "./window.ts";
import { checkTimeout, Waiter, waitFor } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";

/**
 * What an end may still do. `send-only`: the far side will send nothing more. `receive-only`: this side will not.
 * `closed`: neither; what had arrived stays readable.
 */
export type ChannelState = "open" | "send-only" | "receive-only" | "closed";

/** How a channel stands, as one side sees it. */
export interface ChannelStatus {
  /** The channel's id. */
  id: number;
  /** What this side may still do; see {@linkcode ChannelState}. */
  state: ChannelState;
  /**
   * Bytes that this side may still send before the far side has to read. Each item costs a little more than its length;
   * one item may go over it.
   */
  sendCredit: number;
  /** Bytes of what was sent here and waits for credit. */
  waiting: number;
  /** Bytes that have arrived here and were not received yet. */
  unread: number;
}

/** What an end needs of its session. */
export interface ChannelHost extends ItemSource {
  /** Encodes an item that will be sent on `end`. The result is valid until the next call. Throws DumpError. */
  encode(item: unknown, end: ChannelEnd): Uint8Array;
  /** Payload bytes of each part of a long item. */
  readonly fragmentBytes: number;
  /** Queues a frame about `end` that overtakes everything else. */
  control(frame: Uint8Array, end: ChannelEnd): void;
  /** Counts bytes for a channel that nobody here has received. Throws ProtocolError where there are too many. */
  unmet(end: ChannelEnd, bytes: number): void;
  /** Queues what `end` has to send. */
  ready(end: ChannelEnd): void;
  /** Drops an end that has nothing more to send or to receive. */
  forget(end: ChannelEnd): void;
  /** An error as the payload of a closing frame. */
  errorPayload(error: unknown): Uint8Array;
  /** Counts those who wait for the far side: +1 or -1. */
  waiting(change: number): void;
  /** Names the gateway, for messages. */
  readonly name: string;
}

/** Is told that nothing more will come, and with which error where there is one. */
export type EndListener = (error?: unknown) => void;

/** Something that waits for credit, in order. */
interface Pending {
  /** A small item, the frames of a long one, or a closing frame. */
  readonly kind: "item" | "run" | "close";
  readonly bytes: Uint8Array;
  offset: number;
  readonly waiter: Waiter<void> | undefined;
}

const DONE: Promise<void> = Promise.resolve();

/** One end of a channel. {@linkcode Channel} is its public face. */
export class ChannelEnd {
  /** The id that both sides use. */
  readonly id: number;
  /** What waits to be written. */
  readonly outbox: Outbox;
  /** The public object, made when first asked for, so that it is always the same one. */
  facade: unknown;
  /** Bytes that had come before the public object was made. */
  unmetBytes = 0;
  /** The execution this channel belongs to; undefined until the far side knows it. */
  branch: Branch | undefined;
  /** Channels in items on this one, of which the far side is told when it is told of this one. */
  readonly heldEnds: ChannelEnd[] = [];
  /** The frame that tells the far side of this end, while that has not been sent. */
  announcement: Uint8Array | undefined;
  /** Rewrites the stacks of remote errors to the lines that the author of the code knows. */
  readStack: ((stack: string) => string) | undefined;
  /** Whether the far side has closed it, so that nothing is behind it any more. */
  peerClosed = false;
  /** What is done to each item that is taken, if anything. */
  coercion: CoercionOptions | undefined;
  /** Whoever waits on it waits for no reason of their own, and keeps nothing alive. */
  background = false;
  /** Called with each change that a callback loop waits for. */
  onActivity: (() => void) | undefined;

  readonly #host: ChannelHost;
  readonly #pool: BufferPool;
  readonly #sendWindow = new SendWindow();
  readonly #inbox: Inbox;
  #state: ChannelState = "open";
  #pending: Pending[] = [];
  #receivers: Waiter<unknown>[] = [];
  #ended: Waiter<void>[] = [];
  /** Those who want to know when there is an item, and do not take it. */
  #watchers: Waiter<boolean>[] = [];
  #endListeners: EndListener[] = [];
  /** Why nothing more comes: given to one caller. */
  #endError: unknown;
  /** Nothing more comes. */
  #over = false;
  /** What every later caller gets, once somebody has asked for it. */
  #eof: Error | undefined;
  #discarding = false;
  /** How the connection has ended, if it ended before this. */
  #cut: Error | undefined;

  /** Makes an open end. */
  constructor(host: ChannelHost, id: number, branch: Branch | undefined, pool: BufferPool) {
    this.#host = host;
    this.id = id;
    this.branch = branch;
    this.#pool = pool;
    this.outbox = new Outbox(id, pool);
    this.#inbox = new Inbox(this, host);
  }

  /** What the end may still do. */
  get state(): ChannelState {
    return this.#state;
  }

  /** Whether something can be taken at once. */
  get hasItem(): boolean {
    return this.#inbox.hasItem;
  }

  /** Whether nothing more will come. Items that have arrived may still be there. */
  get receiveEnded(): boolean {
    return this.#over;
  }

  /** Bytes that are held here unread. */
  get unreadBytes(): number {
    return this.#inbox.unreadBytes;
  }

  // ---- sending ----

  /** Sends an item; resolves when it is within the window. Rejects with DumpError or ChannelClosedError. */
  send(item: unknown, signal?: AbortSignal): Promise<void> {
    try {
      return this.post(item, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same, but what is wrong at once is thrown at once. */
  post(item: unknown, signal?: AbortSignal): Promise<void> {
    if (this.#sendEnded) throw this.#closedError();
    signal?.throwIfAborted();
    const raw = item instanceof Uint8Array && item.length > PACK_BYTES &&
      Object.getPrototypeOf(item) === Uint8Array.prototype;
    const bytes = raw ? item : this.#host.encode(item, this);
    // A getter in the item may have closed the channel.
    if (this.#sendEnded) throw this.#closedError();
    const small = bytes.length <= PACK_BYTES;
    if (small && this.#pending.length === 0 && this.#sendWindow.open) {
      this.#sendWindow.spend(this.outbox.appendItem(bytes));
      this.#host.ready(this);
      return this.outbox.bytes < BACKLOG_BYTES || this.branch === undefined ? DONE : this.#backlog(signal);
    }
    const waiter = new Waiter<void>(signal === undefined ? undefined : { signal }, () => "", (gaveUp) => {
      const at = this.#pending.findIndex((one) => one.waiter === gaveUp);
      // What has begun to leave leaves whole; only what has not is taken back.
      if (at < 0 || this.#pending[at]!.offset > 0) return;
      this.#pending.splice(at, 1);
      this.#pump();
    });
    this.#pending.push(
      small ? { kind: "item", bytes: bytes.slice(), offset: 0, waiter } : {
        kind: "run",
        bytes: fragmentItem(this.id, bytes, raw, (this.branch ?? this.#host).fragmentBytes, this.#pool),
        offset: 0,
        waiter,
      },
    );
    this.#pump();
    if (!waiter.settled) this.#countWait(waiter.promise);
    return waiter.promise;
  }

  /** Waits for the writer. The item has been sent already, so the signal ends only the wait. */
  #backlog(signal: AbortSignal | undefined): Promise<void> {
    const drained = this.outbox.drained();
    this.#countWait(drained);
    return signal === undefined ? drained : waitFor(drained, { signal }, () => "").catch(() => {});
  }

  #waiting(change: number): void {
    if (!this.background) this.#host.waiting(change);
  }

  #countWait(promise: Promise<void>): void {
    this.#waiting(1);
    const over = (): void => this.#waiting(-1);
    promise.then(over, over);
  }

  /** Ends the outgoing direction, after what waits to be sent. */
  closeWrite(): void {
    switch (this.#state) {
      case "open":
        this.#state = "receive-only";
        break;
      case "send-only":
        this.#state = "closed";
        break;
      case "receive-only":
      case "closed":
        return;
    }
    this.#queueClosing(makeFrame(FrameType.CLOSE_WRITE, this.id));
  }

  /** Closes both directions. `error` is the payload for the far side, empty without one. */
  close(error: Uint8Array = EMPTY, localReason?: unknown): void {
    if (this.#state === "closed") {
      if (localReason !== undefined) this.#endError ??= localReason;
      return;
    }
    this.#state = "closed";
    this.#discarding = true;
    if (this.receiveEnded) this.#endError ??= localReason;
    else this.#endReceiving(localReason);
    this.#queueClosing(makeFrame(FrameType.CLOSE, this.id, error));
  }

  /** How it stands. */
  get status(): ChannelStatus {
    const waiting = this.#pending.reduce((bytes, one) => bytes + one.bytes.length - one.offset, 0);
    return {
      id: this.id,
      state: this.#state,
      sendCredit: this.#sendWindow.credit,
      waiting,
      unread: this.#inbox.unreadBytes,
    };
  }

  /** Takes credit from the far side. */
  credit(bytes: number): void {
    this.#sendWindow.grant(bytes);
    this.#pump();
  }

  get #sendEnded(): boolean {
    return this.#state === "closed" || this.#state === "receive-only";
  }

  #closedError(): ChannelClosedError {
    const what = `Cannot send on channel ${this.id} of gateway "${this.#host.name}"`;
    if (this.#cut !== undefined) {
      return new ChannelClosedError(`${what}: ${this.#cut.message}`, { cause: this.#cut });
    }
    const by = !this.#over || this.#discarding ? "closed here" : "closed by the far side";
    return new ChannelClosedError(
      `${what}: ${by}`,
      this.#over ? { cause: this.#endError ?? this.eof } : undefined,
    );
  }

  #queueClosing(frame: Uint8Array): void {
    this.#pending.push({ kind: "close", bytes: frame, offset: 0, waiter: undefined });
    this.#pump();
  }

  /** Moves what waits to the outbox, as far as the credit reaches. */
  #pump(): void {
    const { outbox } = this;
    const pending = this.#pending;
    let done = 0;
    for (; done < pending.length; done++) {
      const one = pending[done]!;
      if (one.kind === "close") {
        outbox.appendFrames(one.bytes, 0, one.bytes.length);
        continue;
      }
      if (!this.#sendWindow.open) break;
      if (one.kind === "item") {
        this.#sendWindow.spend(outbox.appendItem(one.bytes));
      } else {
        const { bytes } = one;
        let offset = one.offset;
        while (offset < bytes.length && this.#sendWindow.open) {
          const length = frameBytes(bytes, offset);
          this.#sendWindow.spend(length - HEADER_BYTES + FRAME_COST_BYTES);
          offset += length;
        }
        outbox.appendFrames(bytes, one.offset, offset, true);
        one.offset = offset;
        if (offset < bytes.length) break;
      }
      one.waiter?.resolve();
    }
    if (done > 0) pending.splice(0, done);
    if (!outbox.empty) this.#host.ready(this);
    if (this.#state === "closed" && pending.length === 0) this.#host.forget(this);
  }

  // ---- arriving ----

  /** Takes the payload of a DATA frame. `owned`: nobody else uses `bytes`. */
  data(flags: number, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    if (!this.receiveEnded) {
      if (this.facade === undefined) this.#host.unmet(this, end - start + FRAME_COST_BYTES);
      this.#inbox.data(flags, bytes, start, end, owned);
      this.#serve();
    } else if (this.#discarding) {
      this.#inbox.discard(end - start);
    } else {
      throw new ProtocolError(`Cannot take data on ${this.describe()}: its sender had ended`);
    }
  }

  /** Room for the next `length` bytes of the item that is being put together. */
  place(flags: number, length: number): Uint8Array | undefined {
    return this.#inbox.place(flags, length);
  }

  /** The room that `place` gave has been filled. */
  placed(flags: number, payload: Uint8Array): void {
    if (!this.#inbox.placed(payload)) return this.data(flags, payload, 0, payload.length, true);
    if (this.facade === undefined) this.#host.unmet(this, payload.length + FRAME_COST_BYTES);
    this.#serve();
  }

  /** Whether someone waits for an item. */
  get eager(): boolean {
    return this.#receivers.length > 0 || this.onActivity !== undefined || this.#watchers.length > 0;
  }

  /** Gives the sender credit. */
  grant(bytes: number): void {
    if (this.receiveEnded && !this.#discarding) return;
    const payload = new Uint8Array(4);
    writeUint32(payload, 0, bytes);
    this.#host.control(makeFrame(FrameType.CREDIT, this.id, payload), this);
  }

  /** The far side sends nothing more. */
  closedWriteByPeer(): void {
    if (this.#inbox.amidItem && !this.receiveEnded) {
      throw new ProtocolError(`Cannot end channel ${this.id}: amid an item`);
    }
    switch (this.#state) {
      case "open":
        this.#state = "send-only";
        break;
      case "receive-only":
        this.#state = "closed";
        break;
      case "send-only":
        throw new ProtocolError(`Cannot end channel ${this.id}: its sender had ended`);
      case "closed":
        return;
    }
    this.#endReceiving(undefined);
    if (this.#state === "closed" && this.#pending.length === 0) this.#host.forget(this);
  }

  /** The far side, or the end of the connection, has closed both directions. `eof` is what later callers get. */
  closedByPeer(error?: unknown, eof?: Error): void {
    this.peerClosed = true;
    const wasClosed = this.#state === "closed";
    if (!wasClosed) this.#cut = eof;
    this.#state = "closed";
    const waiting = this.#pending;
    this.#pending = [];
    this.outbox.clear();
    if (!wasClosed || !this.receiveEnded) this.#endReceiving(error, eof);
    for (const one of waiting) one.waiter?.reject(this.#closedError());
    this.#host.forget(this);
  }

  /** Gives what has arrived to those who wait. */
  #serve(): void {
    while (this.#receivers.length > 0 && this.#inbox.hasItem) {
      const receiver = this.#receivers.shift()!;
      this.#waiting(-1);
      try {
        receiver.resolve(this.take());
      } catch (error) {
        receiver.reject(error);
      }
    }
    if (this.#watchers.length > 0 && this.#inbox.hasItem) this.#tellWatchers();
    this.onActivity?.();
  }

  /** Takes the next item; there must be one. Throws LoadError, which also closes the channel, when it is none. */
  take(): unknown {
    try {
      const item = this.#inbox.take();
      return this.coercion === undefined ? item : coerce(item, this.coercion);
    } catch (error) {
      this.close(this.#host.errorPayload(error));
      throw error;
    }
  }

  // ---- receiving ----

  /** The next item. Rejects at the end: once with the error of the far side, then with EOFError. */
  receive(options?: WaitOptions): Promise<unknown> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    try {
      checkTimeout(options?.timeout);
      if (this.#inbox.hasItem) return Promise.resolve(this.take());
      if (this.receiveEnded) return Promise.reject(this.takeEnd());
      const receiver = new Waiter<unknown>(options, () => `No item on ${this.describe()}`, (gaveUp) => {
        this.#giveUp(this.#receivers, gaveUp);
      });
      if (!receiver.settled) this.#join(this.#receivers, receiver);
      return receiver.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when there is an item, without taking it, or with false when nothing more comes. */
  waitItem(options?: WaitOptions): Promise<boolean> {
    try {
      checkTimeout(options?.timeout);
      if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
      if (this.#inbox.hasItem || this.receiveEnded) return Promise.resolve(this.#inbox.hasItem);
      const watcher = new Waiter<boolean>(options, () => `No item on ${this.describe()}`, (gaveUp) => {
        this.#giveUp(this.#watchers, gaveUp);
      });
      if (!watcher.settled) this.#join(this.#watchers, watcher);
      return watcher.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #tellWatchers(): void {
    this.#waiting(-this.#watchers.length);
    for (const watcher of this.#watchers.splice(0)) watcher.resolve(this.#inbox.hasItem);
  }

  /** Why nothing more comes: the far side's error once, then EOFError. Only after the end. */
  takeEnd(): unknown {
    return this.takeEndError() ?? this.eof;
  }

  /** The error that ended the channel and that nobody was given yet. */
  takeEndError(): unknown {
    const error = this.#endError;
    this.#endError = undefined;
    return error;
  }

  /** What every caller gets after the end, where the connection itself has ended. */
  get eof(): Error | undefined {
    if (!this.#over) return undefined;
    return this.#eof ??= new EOFError(
      `Cannot receive on ${this.describe()}: closed, and all items are received`,
    );
  }

  /** Resolves when nothing more will come. */
  waitEnd(options?: WaitOptions): Promise<void> {
    if (this.receiveEnded) return DONE;
    try {
      const waiter = new Waiter<void>(options, () => `No end of ${this.describe()}`, (gaveUp) => {
        this.#giveUp(this.#ended, gaveUp);
      });
      if (!waiter.settled) this.#join(this.#ended, waiter);
      return waiter.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Names the channel in messages. */
  describe(): string {
    return `channel ${this.id} of gateway "${this.#host.name}"`;
  }

  /** Calls `listener` when nothing more will come, at once if that is so already. */
  onEnd(listener: EndListener): void {
    if (this.receiveEnded) listener(this.#endError);
    else this.#endListeners.push(listener);
  }

  /** Whether this side has closed it, whatever the far side had to say. */
  get closedHere(): boolean {
    return this.#discarding;
  }

  #join<T>(line: Waiter<T>[], waiter: Waiter<T>): void {
    line.push(waiter);
    this.#waiting(1);
  }

  #giveUp<T>(line: Waiter<T>[], waiter: Waiter<T>): void {
    const at = line.indexOf(waiter);
    if (at < 0) return;
    line.splice(at, 1);
    this.#waiting(-1);
  }

  #endReceiving(error: unknown, eof?: Error): void {
    if (this.receiveEnded) return;
    this.#inbox.dropPart();
    this.#endError = error;
    this.#over = true;
    // An error of its own takes longer to make than all the rest of a channel's end.
    this.#eof = eof;
    this.#waiting(-this.#receivers.length - this.#ended.length);
    for (const receiver of this.#receivers.splice(0)) receiver.reject(this.takeEnd());
    for (const waiter of this.#ended.splice(0)) waiter.resolve();
    this.#tellWatchers();
    this.onActivity?.();
    for (const listener of this.#endListeners.splice(0)) listener(error ?? eof);
  }
}
