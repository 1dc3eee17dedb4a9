/** What frames mean: each goes to the channel, the execution or the question that it is about. */

import { CloseFlag } from "./bypasses.ts";
import type { Bypasses } from "./bypasses.ts";
import type { ChannelTable } from "./channel_table.ts";
import { ProtocolError } from "./errors.ts";
import { FrameType, makeFrame, readUint32, readUint48 } from "./frame.ts";
import type { FrameHead, FrameSink } from "./frame_reader.ts";
import type { RemoteError } from "./remote_error.ts";
import type { Requests } from "./requests.ts";
import type { SessionHandlers } from "./session_options.ts";

/** What frames are about. */
export interface IncomingHost {
  readonly handlers: SessionHandlers;
  readonly channels: ChannelTable;
  readonly bypasses: Bypasses;
  readonly requests: Requests;
  /** Sends a frame by the connection. */
  control(frame: Uint8Array): void;
  /** Encodes what holds no channels. */
  plain(value: unknown): Uint8Array;
  /** The content of a frame. Throws ProtocolError where there is none. */
  value(bytes: Uint8Array): unknown;
  /** What the payload of a closing frame says. Throws ProtocolError where that is nothing. */
  remoteError(bytes: Uint8Array, readStack?: (stack: string) => string): RemoteError;
}

/** Takes the frames of a session. What breaks the protocol is thrown. */
export class Incoming implements FrameSink {
  readonly #host: IncomingHost;
  #stopped = false;

  /** Takes frames from now on. */
  constructor(host: IncomingHost) {
    this.#host = host;
  }

  /** Takes no more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes a frame from the reader. */
  frame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    if (this.#stopped) return;
    const { type, channel } = head;
    switch (type) {
      case FrameType.CLOSE:
        if (head.flags & CloseFlag.LINKED) {
          this.#host.bypasses.lastWord(channel, head.flags, bytes.subarray(start, end));
        } else this.channelFrame(head, bytes, start, end, owned);
        break;
      case FrameType.DATA:
      case FrameType.CREDIT:
      case FrameType.CLOSE_WRITE:
      case FrameType.OPEN:
        this.channelFrame(head, bytes, start, end, owned);
        break;
      default:
        this.#otherFrame(head, bytes, start, end);
    }
  }

  /** Takes a frame that came by the connection or by a bypass. */
  channelFrame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    if (this.#stopped) return;
    const { type, channel } = head;
    if (type !== FrameType.DATA) checkFlags(head);
    switch (type) {
      case FrameType.DATA:
        this.#host.channels.known(channel)?.data(head.flags, bytes, start, end, owned);
        break;
      case FrameType.CREDIT:
        expectLength(type, end - start, 4);
        this.#host.channels.known(channel)?.credit(readUint32(bytes, start));
        break;
      case FrameType.CLOSE_WRITE:
        expectLength(type, end - start, 0);
        this.#host.channels.known(channel)?.closedWriteByPeer();
        break;
      case FrameType.CLOSE: {
        const closed = this.#host.channels.known(channel);
        const error = end === start
          ? undefined
          : this.#host.remoteError(bytes.subarray(start, end), closed?.readStack);
        closed?.closedByPeer(error);
        break;
      }
      case FrameType.OPEN:
        expectLength(type, end - start, 6);
        this.#opened(channel, readUint48(bytes, start));
        break;
    }
  }

  /** Takes a frame about the connection, or about an execution. */
  #otherFrame(head: FrameHead, bytes: Uint8Array, start: number, end: number): void {
    const { type, channel } = head;
    checkFlags(head);
    switch (type) {
      case FrameType.EXEC:
        this.#executed(channel, this.#host.value(bytes.subarray(start, end)));
        break;
      case FrameType.BYPASS:
        this.#host.bypasses.marked(channel, bytes.subarray(start, end));
        break;
      case FrameType.KILL: {
        const { kill } = this.#host.handlers;
        if (kill === undefined) {
          throw new ProtocolError("Cannot end an execution: there are none on this side");
        }
        kill(channel, this.#host.remoteError(bytes.subarray(start, end)));
        break;
      }
      case FrameType.PING:
        expectLength(type, end - start, 0);
        this.#host.control(makeFrame(FrameType.PONG, 0));
        break;
      case FrameType.PONG:
        expectLength(type, end - start, 0);
        break;
      case FrameType.REQUEST:
        this.#requested(this.#host.value(bytes.subarray(start, end)));
        break;
      case FrameType.REPLY:
        this.#host.requests.answered(this.#host.value(bytes.subarray(start, end)));
        break;
      case FrameType.TERMINATE: {
        const { terminate } = this.#host.handlers;
        if (terminate === undefined) throw new ProtocolError("Cannot be ended by the far side");
        terminate();
        break;
      }
      default:
        throw new ProtocolError(`Cannot take a frame of type ${type} here`);
    }
  }

  /** Gives room for a payload that is still coming. */
  place(head: FrameHead, length: number): Uint8Array | undefined {
    if (head.type !== FrameType.DATA || this.#stopped) return undefined;
    return this.#host.channels.known(head.channel)?.place(head.flags, length);
  }

  /** Takes a payload that has filled its room. */
  placed(head: FrameHead, payload: Uint8Array): void {
    if (!this.#stopped) this.#host.channels.known(head.channel)?.placed(head.flags, payload);
  }

  #executed(id: number, options: unknown): void {
    const { exec } = this.#host.handlers;
    if (exec === undefined) throw new ProtocolError("Cannot execute anything on this side");
    exec(this.#host.channels.openFarRoot(id), options);
  }

  #opened(id: number, carrier: number): void {
    const via = this.#host.channels.known(carrier);
    this.#host.channels.checkFar(id);
    // The carrier may have been closed here while the frame was under way; the new channel is then unreachable.
    if (via === undefined) {
      this.#host.control(makeFrame(FrameType.CLOSE, id));
      return;
    }
    try {
      this.#host.channels.openFar(id, via.branch).readStack = via.readStack;
    } catch (error) {
      // How many have been opened by links the router does not see, so that it cannot refuse this.
      const { branch } = via;
      if (branch === undefined || !this.#host.bypasses.blame(branch, error as ProtocolError)) throw error;
    }
  }

  #requested(value: unknown): void {
    const [id, kind] = Array.isArray(value) ? value : [];
    const { request } = this.#host.handlers;
    if (request === undefined || typeof id !== "number" || typeof kind !== "string") {
      throw new ProtocolError("Cannot answer a request on this side");
    }
    this.#host.control(makeFrame(FrameType.REPLY, 0, this.#host.plain([id, request(kind)])));
  }
}

function checkFlags({ type, flags }: FrameHead): void {
  if (flags !== 0) throw new ProtocolError(`Cannot read a frame of type ${type}: flags ${flags}`);
}

function expectLength(type: number, length: number, expected: number): void {
  if (length !== expected) {
    throw new ProtocolError(
      `Cannot read a frame of type ${type}: ${length} bytes of payload instead of ${expected}`,
    );
  }
}
