/** The multiplexer: many channels over one transport. It owns the channel table, one reader and one writer. */

import { Announcer } from "./announcer.ts";
import { Bypasses } from "./bypasses.ts";
import { Channel } from "./channel.ts";
import type { ChannelGateway } from "./channel.ts";
import type { ChannelEnd, ChannelHost } from "./channel_end.ts";
import type { CoercionOptions } from "./coerce.ts";
import { ChannelTable } from "./channel_table.ts";
import { Decoder } from "./decode.ts";
import { GatewayClosedError, ProtocolError } from "./errors.ts";
import { EMPTY, FrameType, makeFrame } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { Incoming } from "./incoming.ts";
import { Keepalive } from "./keepalive.ts";
import { Requests } from "./requests.ts";
import type { RequestHost, RequestKind } from "./requests.ts";
import { errorData, readErrorData, RemoteError } from "./remote_error.ts";
import type { FirstItem, SessionHandlers, SessionOptions } from "./session_options.ts";
import type { Transport } from "./transport.ts";
import type { WaitOptions } from "./wait.ts";
import { Writer } from "./writer.ts";

/** Longer parts carry bulk with fewer system calls; they delay other channels by as much. */
const FRAGMENT_BYTES = 256 * 1024;

/** Bytes of an error in a closing frame. */
const MAX_ERROR_BYTES = 128 * 1024;

/** Reads what frames say themselves: there are no channels in it, and no Maps. One for all: there may be thousands of sessions. */
const PLAIN_DECODER = new Decoder(undefined, false);

/**
 * A session over a transport.
 *
 * - The reader never writes and never waits; what it has to say goes to the writer's queue.
 * - The first error is the reason for all: it ends every channel and rejects every wait.
 * - {@linkcode Session.ended} resolves with that reason, `undefined` for an orderly end.
 */
export class Session implements ChannelHost, RequestHost {
  /** The gateway's id. */
  readonly name: string;
  /** Payload bytes of each part of a long item. */
  readonly fragmentBytes: number;
  /** Settles with the first reason when the connection has ended. */
  readonly ended: Promise<unknown>;
  /** What `channel.gateway` is. */
  readonly gateway: ChannelGateway;
  /** What is done to the items of every channel whose public object is made from now on, if anything. */
  coercion: CoercionOptions | undefined;
  readonly #transport: Transport;
  readonly #writer: Writer;
  readonly #reader: FrameReader;
  readonly #handlers: SessionHandlers;
  readonly #explain: (reason: unknown) => Error;
  readonly #mapStack: ((stack: string) => string) | undefined;
  readonly #keepalive: Keepalive;
  readonly #announcer: Announcer;
  readonly #decoder: Decoder;
  readonly #channels: ChannelTable;
  readonly #requests: Requests = new Requests(this);
  readonly #resolveEnded: (reason: unknown) => void;
  readonly #bypasses: Bypasses;
  readonly #incoming: Incoming;
  #waiting = 0;
  #closed = false;
  #reason: unknown;
  /** The bytes on which the decoder stands. */
  #decoding: Uint8Array = EMPTY;

  /** Makes a session; {@linkcode Session.start} makes it read. */
  constructor(transport: Transport, options: SessionOptions) {
    this.#transport = transport;
    this.name = options.name;
    this.#handlers = options.handlers ?? {};
    this.fragmentBytes = options.fragmentBytes ?? FRAGMENT_BYTES;
    this.gateway = options.gateway ?? { id: options.name, newChannel: () => this.newChannel() };
    this.#explain = options.explain ??
      ((reason) => new GatewayClosedError(`Gateway "${this.name}" is closed`, {}, { cause: reason }));
    this.#mapStack = options.mapStack;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#announcer = new Announcer({
      endOf: (value) => this.#sendable(value),
      isOpen: (end) => this.#channels.get(end.id) === end,
      control: (frame, end) => this.control(frame, end),
      ready: (end) => this.ready(end),
    }, options.sharedFarSide ?? false);
    this.#decoder = new Decoder({ channel: (id) => this.facade(this.#channels.mentioned(id)) });
    this.#writer = new Writer(
      (bytes, whole) => transport.write(bytes, whole),
      transport.writeBudget,
      (reason) => this.fail(reason),
    );
    this.#channels = new ChannelTable(this, this.#writer, options);
    this.#bypasses = this.#makeBypasses(options.takesLinks ?? false);
    this.#incoming = new Incoming({
      handlers: options.handlers ?? {},
      channels: this.#channels,
      bypasses: this.#bypasses,
      requests: this.#requests,
      control: (frame) => this.control(frame),
      plain: (value) => this.#announcer.plain(value),
      value: (bytes) => this.#value(bytes),
      remoteError: (bytes, readStack) => this.#remoteError(bytes, readStack),
    });
    this.#reader = new FrameReader(this.#incoming);
    this.#keepalive = new Keepalive({
      interval: options.keepalive ?? 0,
      ping: () => this.control(makeFrame(FrameType.PING, 0)),
      dead: (reason) => this.fail(reason),
      unrefTimer: options.unrefTimer,
    });
  }

  /** Starts reading. `first` are bytes that came behind the handshake. */
  start(first: Uint8Array = EMPTY): void {
    try {
      if (first.length > 0) this.#reader.push(first);
    } catch (error) {
      this.fail(error);
      return;
    }
    const { receiveMessages } = this.#transport;
    if (receiveMessages === undefined) this.#read();
    else receiveMessages((bytes) => this.#push(bytes), (reason) => this.fail(reason ?? this.#cutReason()));
  }

  /** Why the end of input is no orderly one, if it is not. */
  #cutReason(): Error | undefined {
    return this.#reader.atBoundary
      ? undefined
      : new ProtocolError("The connection ended in the middle of a frame");
  }

  /** Whether the connection is alive. */
  get alive(): boolean {
    return !this.#closed;
  }

  /** How many channels are open. */
  get channelCount(): number {
    return this.#channels.size;
  }

  /** The open channels. */
  get ends(): Iterable<ChannelEnd> {
    return this.#channels.ends;
  }

  /** The open channels of executions with links, which the router does not count therefore. */
  get bypassed(): ChannelEnd[] {
    return [...this.ends].filter(({ branch }) =>
      branch !== undefined && this.#bypasses.isAnnounced(branch.id)
    );
  }

  /** Whether an execution of which the router has said that it has a link is under way, as far as is known here. */
  executes(id: number): boolean {
    return this.#bypasses.executes(id);
  }

  /** Whether an execution has ended by its link, of which the router has perhaps not said anything yet. */
  hasEnded(id: number): boolean {
    return this.#bypasses.hasEnded(id);
  }

  /** Makes a channel that the far side does not know yet: it learns of it when it is sent. */
  newChannel(): Channel {
    return this.facade(this.newEnd());
  }

  /** The same, without its public object. */
  newEnd(): ChannelEnd {
    this.#checkOpen();
    return this.#channels.openOwn(false);
  }

  /**
   * Asks the far side to execute something; the channel leads to it, with `first.item` as its first item.
   *
   * @throws {DumpError} when that item cannot be sent; nothing has been sent then
   */
  exec(options: unknown, first?: FirstItem): ChannelEnd {
    this.#checkOpen();
    const payload = this.#announcer.plain(options);
    const end = this.#channels.openOwn(true);
    end.announcement = makeFrame(FrameType.EXEC, end.id, payload);
    if (first === undefined) {
      this.#announcer.announceRoot(end);
      return end;
    }
    end.readStack = first.readStack;
    try {
      end.post(first.item).catch(() => {
        // The channel's own end says why.
      });
    } catch (error) {
      this.#channels.drop(end);
      throw error;
    }
    return end;
  }

  /** Asks the far side to end the execution behind `end`, which ends here at once with `reason`. */
  kill(end: ChannelEnd, reason: unknown): void {
    if (end.peerClosed) return;
    const payload = this.errorPayload(reason);
    const close = makeFrame(FrameType.CLOSE, end.id, payload);
    if (end.branch?.id === end.id) this.control(makeFrame(FrameType.KILL, end.id, payload));
    else if (end.branch !== undefined) this.control(close, end);
    end.closedByPeer(new RemoteError(errorData(reason), this.name, { cause: reason }));
    // Whoever meets it later learns how it has ended.
    if (end.branch === undefined) end.outbox.appendFrames(close, 0, close.length);
  }

  /** Asks the far side to end the execution behind `end`, which ends here at once with an error of this side. */
  abandon(end: ChannelEnd, error: unknown): void {
    if (end.peerClosed) return;
    this.control(makeFrame(FrameType.KILL, end.id, this.errorPayload(error)));
    end.closedByPeer(error);
  }

  /**
   * Moves all that belongs to the execution behind `end` to a link of its own, for the side that executes: nothing has
   * been sent on `end` yet. `number` is what the link has said it is. Its end is the end of the session.
   */
  openBypass(end: ChannelEnd, link: Transport, number: number): void {
    this.#bypasses.open(end.branch!, link, number);
  }

  /** Takes a link by which an execution of the far side is reached, or will be. */
  addLink(link: Transport, number: number): void {
    this.#bypasses.add(link, number);
  }

  /** No further link comes, so that none is waited for. */
  noMoreLinks(): void {
    this.#bypasses.noMore();
  }

  /** Asks the far side for something. */
  request(kind: RequestKind, options?: WaitOptions): Promise<unknown> {
    return this.#closed ? Promise.reject(this.#explain(this.#reason)) : this.#requests.ask(kind, options);
  }

  /** Sends a question. */
  ask(id: number, kind: RequestKind): void {
    this.control(makeFrame(FrameType.REQUEST, 0, this.#announcer.plain([id, kind])));
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#explain(this.#reason);
  }

  /** Sends a frame that is about the connection, an execution or `end`, and overtakes what channels have to send. */
  control(frame: Uint8Array, end?: ChannelEnd): void {
    (end?.branch?.writer ?? this.#writer).control(frame);
  }

  /** Resolves when all that is queued has been written. */
  async flushed(): Promise<void> {
    await this.#writer.idle();
    await this.#bypasses.flushed();
  }

  /** Resolves when nothing more comes by the links of executions. */
  drained(): Promise<void> {
    return this.#bypasses.drained();
  }

  /** Ends the connection in an orderly way: what is queued leaves first. */
  async close(reason?: unknown): Promise<void> {
    await this.flushed();
    this.#finish(reason);
    this.#transport.close();
  }

  /** Ends everything at once. The first reason stays. */
  fail(reason: unknown): void {
    if (this.#closed) return;
    this.#finish(reason);
    this.#transport.abort();
  }

  #finish(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reason = reason;
    this.#keepalive.stop();
    this.#incoming.stop();
    this.#writer.stop();
    this.#bypasses.end();
    const error = this.#explain(reason);
    this.#channels.endAll(error);
    this.#requests.fail(error);
    this.#resolveEnded(reason);
  }

  // ---- reading ----

  async #read(): Promise<void> {
    const reader = this.#reader;
    const transport = this.#transport;
    try {
      while (!this.#closed) {
        const count = await transport.read(reader.space());
        if (count === null) {
          // What an execution had sent before is still to be received.
          await this.#bypasses.drained();
          return this.fail(this.#cutReason());
        }
        if (count === 0) throw new ProtocolError("The transport read nothing");
        this.#keepalive.alive();
        reader.filled(count);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  #push(bytes: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.fail(error);
    }
  }

  #makeBypasses(takes: boolean): Bypasses {
    const channels = this.#channels;
    return new Bypasses({
      ends: () => channels.ends,
      branchOf: (channel) => channels.get(channel)?.branch,
      branch: (id) => channels.execution(id),
      control: (frame) => this.control(frame),
      errorPayload: (error) => this.errorPayload(error),
      readError: (payload, end) => this.#remoteError(payload, end?.readStack),
      fail: (reason) => this.fail(reason),
      frame: (head, bytes, start, end, owned) => this.#incoming.channelFrame(head, bytes, start, end, owned),
      place: (head, length) => this.#incoming.place(head, length),
      placed: (head, payload) => this.#incoming.placed(head, payload),
    }, takes);
  }

  #value(bytes: Uint8Array): unknown {
    try {
      PLAIN_DECODER.reset(bytes);
      return PLAIN_DECODER.next();
    } catch (error) {
      throw new ProtocolError("Cannot read the content of a frame", { cause: error });
    }
  }

  #remoteError(bytes: Uint8Array, readStack?: (stack: string) => string): RemoteError {
    return new RemoteError(readErrorData(this.#value(bytes), readStack), this.name);
  }

  // ---- what the ends need ----

  /** Encodes an item and announces the channels in it. */
  encode(item: unknown, end: ChannelEnd): Uint8Array {
    return this.#announcer.encode(item, end);
  }

  /** Decodes an item. */
  decode(bytes: Uint8Array, offset: number): unknown {
    if (bytes !== this.#decoding || offset !== this.#decoder.offset) {
      this.#decoder.resume(bytes, offset);
      this.#decoding = bytes;
    }
    return this.#decoder.next();
  }

  /** Where the last decoded item ended. */
  get decodedTo(): number {
    return this.#decoder.offset;
  }

  /** Counts those who wait for the far side: +1 or -1. */
  waiting(change: number): void {
    const before = this.#waiting > 0;
    this.#waiting += change;
    const after = this.#waiting > 0;
    if (before !== after) this.#handlers.busy?.(after);
  }

  /** Counts bytes for a channel that nobody here has received. */
  unmet(end: ChannelEnd, bytes: number): void {
    this.#channels.unmet(end, bytes);
  }

  /** Queues what an end has to send, once the far side knows it. */
  ready(end: ChannelEnd): void {
    end.branch?.writer.ready(end.outbox);
  }

  /** Drops an end. Items that have arrived stay readable through its public object. */
  forget(end: ChannelEnd): void {
    if (this.#channels.drop(end) && this.#channels.size === 0) this.#handlers.idle?.();
  }

  /** An error as a payload that always fits a frame. */
  errorPayload(error: unknown): Uint8Array {
    const data = errorData(error, this.#mapStack);
    try {
      const bytes = this.#announcer.plain(data);
      if (bytes.length <= MAX_ERROR_BYTES) return bytes.slice();
    } catch {
      // A field that cannot be sent: the bare error can.
    }
    return this.#announcer.plain({ name: data.name, message: data.message }).slice();
  }

  /** The public object of an end, always the same. */
  facade(end: ChannelEnd): Channel {
    if (end.facade === undefined) {
      end.coercion = this.coercion;
      end.facade = new Channel(end, this);
      this.#channels.met(end);
    }
    return end.facade as Channel;
  }

  /** The end of a channel that may be sent, if it is one. */
  #sendable(value: unknown): ChannelEnd | undefined {
    if (!(value instanceof Channel)) return undefined;
    const end = Channel.endOf(value);
    const name = `channel ${end.id}`;
    if (Channel.sessionOf(value) !== this) throw new TypeError(`${name} belongs to another gateway`);
    if (this.#channels.get(end.id) !== end) throw new TypeError(`${name} is closed`);
    return end;
  }
}
