/** Encodes items, and tells the far side of the channels in them before it meets these. */

import type { Branch } from "./branch.ts";
import type { ChannelEnd } from "./channel_end.ts";
import { Encoder } from "./encode.ts";
import { FrameType, makeFrame, writeUint48 } from "./frame.ts";

/** What an announcer needs of its session. */
export interface AnnouncerHost {
  /** The end of a channel, `undefined` for any other value. Throws TypeError where it cannot be sent from here. */
  endOf(value: unknown): ChannelEnd | undefined;
  /** Whether the end may still take something. */
  isOpen(end: ChannelEnd): boolean;
  /** Sends a frame about `end`, or about an execution, before all that channels have to send. */
  control(frame: Uint8Array, end?: ChannelEnd): void;
  /** Queues what an end has to send. */
  ready(end: ChannelEnd): void;
}

const NO_ENDS: readonly ChannelEnd[] = [];

/** The encoder of a session's items. */
export class Announcer {
  readonly #host: AnnouncerHost;
  readonly #encoder: Encoder;
  readonly #shared: boolean;
  /** The end for whose item the encoder works, and the channels found in that item. */
  #carrier: ChannelEnd | undefined;
  #found: readonly ChannelEnd[] = NO_ENDS;

  /** `shared`: all executions over there share one session, so that they may exchange their channels. */
  constructor(host: AnnouncerHost, shared: boolean) {
    this.#host = host;
    this.#shared = shared;
    this.#encoder = new Encoder({ channel: (value) => this.#channelId(value) });
  }

  /** Encodes what holds no channels. The result is valid until the next call. */
  plain(value: unknown): Uint8Array {
    return this.#encoder.encode(value);
  }

  /** Encodes an item that will be sent on `end`. The result is valid until the next call. Throws DumpError. */
  encode(item: unknown, end: ChannelEnd): Uint8Array {
    // A getter inside the item may send something itself.
    const outerCarrier = this.#carrier;
    const outerFound = this.#found;
    this.#carrier = end;
    this.#found = NO_ENDS;
    try {
      const bytes = this.#encoder.encode(item);
      if (end.announcement !== undefined) this.announceRoot(end);
      for (const one of this.#found) this.#announce(one, end);
      return bytes;
    } finally {
      this.#carrier = outerCarrier;
      this.#found = outerFound;
    }
  }

  /** Tells the far side of the channel of an execution, right before what is sent on it. */
  announceRoot(end: ChannelEnd): void {
    this.#host.control(end.announcement!);
    end.announcement = undefined;
  }

  #channelId(value: unknown): number | undefined {
    const end = this.#host.endOf(value);
    if (end === undefined) return undefined;
    const { branch } = this.#carrier!;
    if (!this.#shared && end.branch !== undefined && branch !== undefined && end.branch !== branch) {
      throw new TypeError(`channel ${end.id} belongs to another execution of this gateway`);
    }
    if (this.#found === NO_ENDS) this.#found = [end];
    else (this.#found as ChannelEnd[]).push(end);
    return end.id;
  }

  /** Tells the far side of a channel that it meets for the first time in an item on `carrier`. */
  #announce(end: ChannelEnd, carrier: ChannelEnd): void {
    const meetings: [ChannelEnd, ChannelEnd][] = [[end, carrier]];
    for (const [met, by] of meetings) {
      if (met.branch !== undefined || met === by) continue;
      if (by.branch === undefined) {
        by.heldEnds.push(met);
        continue;
      }
      this.#open(met, by, by.branch);
      for (const held of met.heldEnds.splice(0)) meetings.push([held, met]);
    }
  }

  /** What was sent on `end` leaves, too, though it may have been closed since. */
  #open(end: ChannelEnd, carrier: ChannelEnd, branch: Branch): void {
    const payload = new Uint8Array(6);
    writeUint48(payload, 0, carrier.id);
    end.readStack = carrier.readStack;
    end.branch = branch;
    if (this.#host.isOpen(end)) branch.open++;
    this.#host.control(makeFrame(FrameType.OPEN, end.id, payload), end);
    this.#host.ready(end);
  }
}
