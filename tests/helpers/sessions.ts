/** Two sessions that are connected in memory. */

import type { Channel } from "../../channel/channel.ts";
import type { ChannelEnd } from "../../channel/channel_end.ts";
import { FrameType, HEADER_BYTES, makeFrame, writeUint32, writeUint48 } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import { Session } from "../../channel/session.ts";
import type { SessionOptions } from "../../channel/session_options.ts";
import { settle } from "./bounded.ts";
import { memoryTransports } from "./memory_transport.ts";
import type { MemoryOptions, MemoryTransport } from "./memory_transport.ts";
import type { Random } from "./seeded.ts";

/** How a pair is made. */
export interface PairOptions extends MemoryOptions {
  /** Cuts everything at random places. */
  random?: Random;
  /** Gets the far end of every execution, besides what {@linkcode Pair.open} returns. */
  onExec?: (channel: Channel, options: unknown) => void;
  local?: Partial<SessionOptions>;
  remote?: Partial<SessionOptions>;
}

/** Both ends of a channel. */
export interface Ends {
  near: Channel;
  far: Channel;
}

/** A local session (ids 1, 3, …) and a remote one (ids 2, 4, …) that executes. */
export class Pair {
  readonly local: Session;
  readonly remote: Session;
  readonly localTransport: MemoryTransport;
  readonly remoteTransport: MemoryTransport;
  /** The executions that were asked to end, with the reason. */
  readonly kills: [number, unknown][] = [];
  #opened = new Map<number, PromiseWithResolvers<Channel>>();

  /** Connects two sessions. */
  constructor(options: PairOptions = {}) {
    const [near, far] = memoryTransports(options);
    this.localTransport = near;
    this.remoteTransport = far;
    if (options.random !== undefined) {
      splitAtRandom(near, options.random);
      splitAtRandom(far, options.random);
    }
    this.local = new Session(near, { name: "gw0", firstId: 1, ...options.local });
    this.remote = new Session(far, {
      name: "remote",
      firstId: 2,
      ...options.remote,
      handlers: {
        exec: (end, value) => {
          const channel = this.remote.facade(end);
          this.#slot(end.id).resolve(channel);
          options.onExec?.(channel, value);
        },
        kill: (id, reason) => this.kills.push([id, reason]),
        request: (kind) => ({ kind }),
        terminate: () => {},
        ...options.remote?.handlers,
      },
    });
    this.local.start();
    this.remote.start();
  }

  /** Opens an execution's channel and waits for its far end. */
  async open(options: unknown = null): Promise<Ends> {
    const end = this.local.exec(options);
    const far = await this.#slot(end.id).promise;
    return { near: this.local.facade(end), far };
  }

  /** Ends both sessions and lets what hangs on them end too. */
  async end(): Promise<void> {
    this.local.fail(undefined);
    this.remote.fail(undefined);
    await settle();
  }

  #slot(id: number): PromiseWithResolvers<Channel> {
    let slot = this.#opened.get(id);
    if (slot === undefined) this.#opened.set(id, slot = Promise.withResolvers<Channel>());
    return slot;
  }
}

/** Runs `body` with a pair and ends the pair afterwards. */
export async function withPair(
  options: PairOptions,
  body: (pair: Pair) => Promise<void>,
): Promise<void> {
  const pair = new Pair(options);
  try {
    await body(pair);
  } finally {
    await pair.end();
  }
}

/** Sizes that hurt: single bytes, header pieces, now and then a lot. */
function splitAtRandom(transport: MemoryTransport, random: Random): void {
  transport.split(() =>
    random.chance(0.3) ? random.between(1, 20) : random.chance(0.5) ? random.between(1, 2000) : 100_000
  );
}

/** A session whose far side is a script of raw frames. */
export class Scripted {
  readonly session: Session;
  readonly transport: MemoryTransport;
  /** What the session has written, frame by frame. */
  readonly frames: { type: number; flags: number; channel: number; payload: Uint8Array }[] = [];
  readonly #peer: MemoryTransport;

  /** Makes a started session. */
  constructor(options: Partial<SessionOptions> = {}, memory: MemoryOptions = {}) {
    const [own, peer] = memoryTransports({ capacity: Infinity, ...memory });
    this.transport = own;
    this.#peer = peer;
    const reader = new FrameReader({
      frame: ({ type, flags, channel }, bytes, start, end) =>
        this.frames.push({ type, flags, channel, payload: bytes.slice(start, end) }),
      place: () => undefined,
      placed: () => {},
    });
    own.onWrite = (bytes) => reader.push(bytes);
    this.session = new Session(own, { name: "gw0", firstId: 1, ...options });
    this.session.start();
  }

  /** Opens a channel of an execution. */
  open(): { end: ChannelEnd; channel: Channel } {
    const end = this.session.exec(null);
    return { end, channel: this.session.facade(end) };
  }

  /** Sends raw bytes to the session and lets it work on them. */
  async feed(...parts: Uint8Array[]): Promise<void> {
    for (const part of parts) {
      if (!this.transport.aborted) this.#peer.write(part.slice(), false).catch(() => {});
    }
    await settle();
  }

  /** The reason for which the session has ended, or "alive". */
  async reason(): Promise<unknown> {
    await settle();
    return this.session.alive ? "alive" : await this.session.ended;
  }

  /** Ends the session. */
  async end(): Promise<void> {
    this.session.fail(undefined);
    await settle();
  }
}

/** A DATA frame. */
export function dataFrame(channel: number, payload: Uint8Array, flags = 0): Uint8Array<ArrayBuffer> {
  return makeFrame(FrameType.DATA, channel, payload, flags);
}

/** A CREDIT frame. */
export function creditFrame(channel: number, bytes: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(4);
  writeUint32(payload, 0, bytes);
  return makeFrame(FrameType.CREDIT, channel, payload);
}

/** A payload of 48 bits: the length in a FIRST frame, the carrier in an OPEN frame. */
export function uint48(value: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(6);
  writeUint48(payload, 0, value);
  return payload;
}

/** Joins pieces. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Bytes of a header, for tests that count. */
export const HEADER: number = HEADER_BYTES;
