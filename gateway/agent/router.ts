/** Passes frames between the connection and the executions, by channel id. It never decodes an item. */

import { Decoder } from "../../channel/decode.ts";
import { Encoder } from "../../channel/encode.ts";
import { ProtocolError } from "../../channel/errors.ts";
import {
  EMPTY,
  FrameType,
  HEADER_BYTES,
  isInBlock,
  makeFrame,
  readUint32,
  readUint48,
} from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import type { FrameHead, FrameSink } from "../../channel/frame_reader.ts";
import { Keepalive } from "../../channel/keepalive.ts";
import { Outbox } from "../../channel/outbox.ts";
import { errorData } from "../../channel/remote_error.ts";
import type { Transport } from "../../channel/transport.ts";
import { CloseFlag } from "../../channel/bypasses.ts";
import { FRAME_COST_BYTES, MAX_WINDOW_BYTES, OVERDRAFT_BYTES, WINDOW_BYTES } from "../../channel/window.ts";
import { Writer } from "../../channel/writer.ts";
import type { ExecFrameOptions } from "../process/job.ts";
import { LINGERS } from "./host.ts";

/** One execution, as the router sees it. */
export interface Execution {
  /** The first of the ids that it has for channels that it makes. */
  readonly firstId: number;
  /** Hands over whole frames; the buffer belongs to the execution from now on. */
  send(frames: Uint8Array): void;
  /** Ends it at once, whatever it does. Idempotent. */
  kill(): void;
  /** Takes away what is left of it after it has ended by itself. Idempotent. */
  release(): void;
}

/** What an execution tells the router. */
export interface ExecutionEvents {
  /** Bytes of frames, cut anywhere, that nobody else uses. */
  bytes(chunk: Uint8Array): void;
  /** It has ended without saying so, for this reason. */
  lost(reason: Error): void;
}

/** How executions come to be: the seam between the router and the execution models. */
export interface Backend {
  /** Starts an execution. `options` come from the far side unchecked; throws when they cannot be met. */
  start(events: ExecutionEvents, options: unknown): Execution;
  /** Prepares for a start that may come. */
  warm(): void;
  /** How many executions could not be stopped. */
  readonly runaway: number;
  /** Ends what has been prepared. Gives what to wait for before executions are killed, where there is anything. */
  close(): Promise<unknown> | undefined;
}

/** What the router does not know by itself. */
export interface RouterOptions {
  /** The gateway's connection. */
  transport: Transport;
  /** What arrived behind the handshake. */
  first: Uint8Array;
  /** Makes the executions. */
  backend: Backend;
  /** Milliseconds after which a silent caller is asked for a sign of life; 0 never. */
  keepalive: number;
  /** Answers what the far side asks, given the counts that the router knows. */
  answer(kind: string, counts: RouterCounts): unknown;
  /** The far side wants the end, or is gone. */
  ended(): void;
}

/** What the router counts. */
export interface RouterCounts {
  numExecuting: number;
  numQueued: number;
  numChannels: number;
  numRunaway: number;
  /** Executions by their ids, not among those above, that have links of their own: the caller may know of their ends first. */
  bypassed?: number[];
  /** Those among the above by their ids: one that has brought a link may have ended before its router has heard of that. */
  routed?: number[];
}

/** A channel in the router's table. */
interface Route {
  readonly owner: Owner;
  /** What waits to leave over the connection. */
  readonly outbox: Outbox;
  /** Both directions have to end. */
  halves: number;
  /** Bytes on their way to the execution that it has given no credit back for; below 0 where its window has grown. */
  unread: number;
}

/** An execution with what the router keeps about it. */
interface Owner {
  readonly id: number;
  execution: Execution | undefined;
  readonly channels: Map<number, Route>;
  executing: boolean;
  /** Its frames take another way: of its channels, only the first is still known here. */
  bypassed: boolean;
  /** It serves calls, which its caller counts. */
  service: boolean;
  /** As what it is counted here, once it is to be started. */
  counted: "program" | "execution" | undefined;
  /** Small frames on their way in, gathered for one message. */
  inbound: Uint8Array;
  inboundBytes: number;
}

const INBOUND_ROOM_BYTES = 1024;
const MAX_CHANNELS = 262_144;

/** Each has a Worker or a process; one that cannot be stopped counts. */
const MAX_EXECUTIONS = 4_096;

/** Those that run programs, or are links of these, take little of the agent itself. */
const MAX_PROGRAMS = 16_384;

/** What has gone to an execution that does not read waits in this process, so that its windows are looked at here, too. */
function spend(route: Route, bytes: number): void {
  // The credit of those that have links of their own does not pass here.
  if (route.owner.bypassed) return;
  route.unread += bytes;
  if (route.unread > WINDOW_BYTES + OVERDRAFT_BYTES) {
    throw new ProtocolError(`Channel ${route.outbox.channel} takes no more: its window is exhausted`);
  }
}

function earn(route: Route, bytes: number): void {
  route.unread = Math.max(WINDOW_BYTES - MAX_WINDOW_BYTES, route.unread - bytes);
}

/** The caller gives out odd ids. */
function checkFar(id: number): void {
  if (id % 2 === 0) throw new ProtocolError(`Channel ${id} is not the caller's to open`);
}

/** The router of an agent. */
export class Router implements FrameSink {
  readonly #options: RouterOptions;
  readonly #writer: Writer;
  readonly #keepalive: Keepalive;
  readonly #reader: FrameReader = new FrameReader(this);
  readonly #routes = new Map<number, Route>();
  readonly #owners = new Map<number, Owner>();
  readonly #decoder = new Decoder();
  readonly #encoder = new Encoder();
  #programs = 0;
  #executions = 0;
  #dirty: Owner[] = [];
  #closed = false;

  /** Starts routing. */
  constructor(options: RouterOptions) {
    this.#options = options;
    const { transport } = options;
    this.#writer = new Writer(
      (bytes, whole) => transport.write(bytes, whole),
      transport.writeBudget,
      (reason) => this.#fail(reason),
    );
    this.#keepalive = new Keepalive({
      interval: options.keepalive,
      ping: () => this.#writer.control(makeFrame(FrameType.PING, 0)),
      dead: () => this.#close(),
    });
    void this.#read();
  }

  async #read(): Promise<void> {
    const { transport, first } = this.#options;
    const reader = this.#reader;
    try {
      reader.push(first);
      this.#flushInbound();
      while (!this.#closed) {
        const count = await transport.read(reader.space());
        if (count === null) break;
        this.#keepalive.alive();
        reader.filled(count);
        this.#flushInbound();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#close();
  }

  /** A connection that breaks, or a far side that breaks the protocol, is the end either way. */
  #fail(reason: unknown): void {
    if (reason instanceof ProtocolError && !this.#closed) console.error(`execnet: ${reason.message}`);
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#keepalive.stop();
    this.#writer.stop();
    const last = (): void => {
      for (const owner of this.#owners.values()) owner.execution?.kill();
      this.#options.ended();
    };
    const closing = this.#options.backend.close();
    if (closing === undefined) last();
    else void closing.then(last);
  }

  /** Takes a frame from the connection. */
  frame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    const { type, channel } = head;
    switch (type) {
      case FrameType.DATA: {
        const route = this.#routes.get(channel);
        if (route !== undefined) spend(route, end - start + FRAME_COST_BYTES);
        this.#toOwner(route, bytes, start, end, owned);
        break;
      }
      case FrameType.CREDIT:
        this.#toOwner(this.#routes.get(channel), bytes, start, end, owned);
        break;
      case FrameType.CLOSE_WRITE: {
        const route = this.#routes.get(channel);
        this.#toOwner(route, bytes, start, end, owned);
        if (route !== undefined) this.#halfClosed(route);
        break;
      }
      case FrameType.CLOSE: {
        const route = this.#routes.get(channel);
        this.#toOwner(route, bytes, start, end, owned);
        if (route !== undefined) this.#drop(route);
        break;
      }
      case FrameType.OPEN: {
        if (end - start !== 6) throw new ProtocolError("A malformed frame");
        const carrier = this.#routes.get(readUint48(bytes, start));
        if (carrier === undefined) this.#writer.control(makeFrame(FrameType.CLOSE, channel));
        else {
          checkFar(channel);
          this.#addRoute(channel, carrier.owner);
          this.#toOwner(carrier, bytes, start, end, owned);
        }
        break;
      }
      case FrameType.EXEC:
        this.#start(channel, bytes, start, end, owned);
        break;
      case FrameType.BYPASS:
        this.#send(this.#owners.get(channel), bytes, start, end, owned);
        break;
      case FrameType.KILL:
        this.#kill(channel, bytes.slice(start, end));
        break;
      case FrameType.PING:
        this.#writer.control(makeFrame(FrameType.PONG, 0));
        break;
      case FrameType.PONG:
        break;
      case FrameType.REQUEST:
        this.#answer(bytes.subarray(start, end));
        break;
      case FrameType.TERMINATE:
        this.#close();
        break;
      case FrameType.REPLY:
      case FrameType.DONE:
        throw new ProtocolError("A frame that an agent does not take");
      default: {
        const never: never = type;
        throw new ProtocolError(`A frame of type ${never}`);
      }
    }
  }

  /** Payloads that come in parts get a buffer of their own, which is then given away. */
  place(): undefined {}

  /** Never called, as `place` gives no place. */
  placed(): void {}

  #toOwner(route: Route | undefined, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    this.#send(route?.owner, bytes, start, end, owned);
  }

  #send(owner: Owner | undefined, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    if (owner?.execution === undefined) return;
    const from = start - HEADER_BYTES;
    if (owned && from === 0 && end === bytes.length) {
      this.#flushOwner(owner);
      owner.execution.send(bytes);
      return;
    }
    const length = end - from;
    const needed = owner.inboundBytes + length;
    if (owner.inboundBytes === 0) this.#dirty.push(owner);
    if (needed > owner.inbound.length) {
      const grown = new Uint8Array(Math.max(needed, owner.inbound.length * 2, INBOUND_ROOM_BYTES));
      grown.set(owner.inbound.subarray(0, owner.inboundBytes));
      owner.inbound = grown;
    }
    owner.inbound.set(bytes.subarray(from, end), owner.inboundBytes);
    owner.inboundBytes = needed;
  }

  #flushInbound(): void {
    if (this.#dirty.length === 0) return;
    for (const owner of this.#dirty) this.#flushOwner(owner);
    this.#dirty = [];
  }

  #flushOwner(owner: Owner): void {
    if (owner.inboundBytes === 0) return;
    const frames = owner.inbound.slice(0, owner.inboundBytes);
    owner.inboundBytes = 0;
    owner.execution?.send(frames);
  }

  #start(id: number, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    checkFar(id);
    const owner: Owner = {
      id,
      execution: undefined,
      channels: new Map(),
      executing: true,
      bypassed: false,
      service: false,
      counted: undefined,
      inbound: EMPTY,
      inboundBytes: 0,
    };
    const route = this.#addRoute(id, owner);
    this.#owners.set(id, owner);
    const reader = new FrameReader({
      frame: (head, bytes, start, end, owned) => this.#fromOwner(owner, head, bytes, start, end, owned),
      place: () => undefined,
      placed: () => {},
    });
    const events: ExecutionEvents = {
      bytes: (chunk) => {
        if (owner.execution === undefined) return;
        try {
          reader.push(chunk);
        } catch (error) {
          this.#lose(owner, error as Error);
        }
      },
      lost: (reason) => this.#lose(owner, reason),
    };
    try {
      this.#decoder.reset(bytes.subarray(start, end));
      const options = this.#decoder.next() as ExecFrameOptions | null;
      owner.service = options?.service === true;
      this.#count(owner, options?.program === true);
      owner.execution = this.#options.backend.start(events, options);
    } catch (error) {
      this.#lose(owner, error as Error);
      return;
    }
    this.#toOwner(route, bytes, start, end, owned);
  }

  /** Throws where there are as many as there may be. */
  #count(owner: Owner, program: boolean): void {
    const others = program ? this.#programs : this.#executions + this.#options.backend.runaway;
    const limit = program ? MAX_PROGRAMS : MAX_EXECUTIONS;
    if (others >= limit) {
      throw new RangeError(`Cannot execute: this gateway executes ${limit} things already`);
    }
    owner.counted = program ? "program" : "execution";
    if (program) this.#programs++;
    else this.#executions++;
  }

  #addRoute(id: number, owner: Owner): Route {
    if (this.#routes.has(id)) throw new ProtocolError(`Channel ${id} is open already`);
    if (this.#routes.size >= MAX_CHANNELS) throw new ProtocolError("Too many channels");
    const route: Route = { owner, outbox: new Outbox(id, this.#writer.pool), halves: 2, unread: 0 };
    this.#routes.set(id, route);
    owner.channels.set(id, route);
    return route;
  }

  #halfClosed(route: Route): void {
    if (--route.halves === 0) this.#drop(route);
  }

  #drop(route: Route): void {
    const id = route.outbox.channel;
    this.#routes.delete(id);
    route.owner.channels.delete(id);
  }

  /** Takes a frame from an execution, which may lie. */
  #fromOwner(
    owner: Owner,
    head: FrameHead,
    bytes: Uint8Array,
    start: number,
    end: number,
    owned: boolean,
  ): void {
    const { type, channel } = head;
    const frame = (): Uint8Array => bytes.slice(start - HEADER_BYTES, end);
    if (type === FrameType.DONE) {
      owner.executing = false;
      if (!(head.flags & LINGERS)) this.#release(owner);
      return;
    }
    // Everything else comes by the link now; what does not could be about a channel that lives there.
    if (owner.bypassed) return;
    if (type === FrameType.BYPASS) {
      if (channel !== owner.id) return;
      owner.bypassed = true;
      this.#writer.control(frame());
      return;
    }
    if (type === FrameType.OPEN) {
      const carrier = end - start === 6 ? owner.channels.get(readUint48(bytes, start)) : undefined;
      const { firstId } = owner.execution!;
      if (carrier === undefined || channel % 2 !== 0 || !isInBlock(channel, firstId)) return;
      this.#addRoute(channel, owner);
      this.#writer.control(frame());
      return;
    }
    const route = owner.channels.get(channel);
    if (route === undefined) return;
    switch (type) {
      case FrameType.CREDIT:
        if (end - start === 4) earn(route, readUint32(bytes, start));
        this.#writer.control(frame());
        return;
      case FrameType.DATA:
      case FrameType.CLOSE:
      case FrameType.CLOSE_WRITE:
        if (owned) route.outbox.appendFrames(bytes, start - HEADER_BYTES, end);
        else {
          const copy = frame();
          route.outbox.appendFrames(copy, 0, copy.length);
        }
        this.#writer.ready(route.outbox);
        if (type === FrameType.CLOSE && channel === owner.id) owner.executing = false;
        if (type === FrameType.CLOSE) this.#drop(route);
        else if (type === FrameType.CLOSE_WRITE) this.#halfClosed(route);
        return;
      default:
        throw new ProtocolError(`An execution sent a frame of type ${type}`);
    }
  }

  /** An execution has ended by itself and in order. */
  #release(owner: Owner): void {
    owner.execution?.release();
    if (owner.bypassed) this.#lastWord(owner, EMPTY, 0);
    this.#forget(owner);
  }

  #forget(owner: Owner): void {
    owner.execution = undefined;
    owner.executing = false;
    if (this.#owners.delete(owner.id)) {
      if (owner.counted === "program") this.#programs--;
      else if (owner.counted === "execution") this.#executions--;
    }
    for (const route of [...owner.channels.values()]) this.#drop(route);
  }

  /** An execution has ended in another way: its channels end with the reason. */
  #lose(owner: Owner, reason: Error): void {
    this.#endChannels(owner, this.#encoder.encode(errorData(reason)).slice());
  }

  #kill(id: number, reason: Uint8Array): void {
    const owner = this.#owners.get(id);
    if (owner !== undefined) this.#endChannels(owner, reason, CloseFlag.CUT);
  }

  #endChannels(owner: Owner, reason: Uint8Array, cut = 0): void {
    if (owner.bypassed) {
      this.#lastWord(owner, reason, cut);
    } else {
      for (const route of owner.channels.values()) {
        const close = makeFrame(FrameType.CLOSE, route.outbox.channel, reason);
        route.outbox.appendFrames(close, 0, close.length);
        this.#writer.ready(route.outbox);
      }
    }
    owner.execution?.kill();
    this.#forget(owner);
  }

  /** What an execution has sent by its own link is not seen here, so the caller waits for that. */
  #lastWord({ id }: Owner, reason: Uint8Array, cut: number): void {
    this.#writer.control(makeFrame(FrameType.CLOSE, id, reason, CloseFlag.LINKED | cut));
  }

  #request(payload: Uint8Array): [id: number, kind: string] {
    let request: unknown;
    try {
      this.#decoder.reset(payload);
      request = this.#decoder.next();
    } catch (cause) {
      throw new ProtocolError("A malformed request", { cause });
    }
    const [id, kind] = Array.isArray(request) ? request : [];
    if (typeof id !== "number" || typeof kind !== "string") throw new ProtocolError("A malformed request");
    return [id, kind];
  }

  #answer(payload: Uint8Array): void {
    const [id, kind] = this.#request(payload);
    const bypassed: number[] = [];
    const routed: number[] = [];
    let numChannels = this.#routes.size;
    for (const owner of this.#owners.values()) {
      // Calls are counted by whoever calls.
      if (owner.bypassed) numChannels -= owner.channels.size;
      else if (owner.service) numChannels -= owner.channels.has(owner.id) ? 1 : 0;
      if (!owner.executing || owner.service) continue;
      (owner.bypassed ? bypassed : routed).push(owner.id);
    }
    const counts: RouterCounts = {
      numExecuting: routed.length,
      numQueued: 0,
      numChannels,
      numRunaway: this.#options.backend.runaway,
      bypassed,
      routed,
    };
    const answer = this.#options.answer(kind, counts);
    this.#writer.control(makeFrame(FrameType.REPLY, 0, this.#encoder.encode([id, answer])));
  }
}
