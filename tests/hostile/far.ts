/** A far side as its scripts see it: what it has heard of its caller, and what it says, true or not. */

import { Encoder } from "../../channel/encode.ts";
import { FrameType, makeFrame, readUint32 } from "../../channel/frame.ts";
import type { FrameHead } from "../../channel/frame_reader.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import { encodeHello, HelloReader } from "../../channel/handshake.ts";
import { dataFrame } from "../helpers/sessions.ts";
import type { Way } from "./far_way.ts";

/** What an honest far side says of itself. */
const FACTS = {
  pid: 1,
  cwd: "/",
  os: "linux",
  arch: "x86_64",
  deno: "2.9.6",
  v8: "14",
  typescript: "5",
  cpus: 1,
  permissions: [],
};

/** The ids that the caller of these tests gives out: of an execution, and of the one that serves its calls. */
export const EXECUTION = 1;
export const CALLS = 3;

/** What the caller's pending request for the status is answered with, where all goes on. */
export const STATUS = { numExecuting: 1, numQueued: 0, numChannels: 1, numRunaway: 0, rss: 1, uptime: 1 };

/** A caller has gone, or has given the far side up. */
export class CallerGone extends Error {}

/** A far side. */
export class Far {
  readonly way: Way;
  /** Resolves when the caller has ended the connection, or has asked for the end. */
  readonly ended: Promise<void>;
  /** Resolves when the caller has greeted. */
  readonly greeted: Promise<void>;
  readonly #greeting = new HelloReader();
  readonly #resolveGreeted: () => void;
  readonly #reader: FrameReader;
  #waiting: { type: FrameType; channel: number; count: number; resolve: () => void }[] = [];
  /** How many frames have come, by type and channel. */
  readonly #heard = new Map<string, number>();
  #length: Uint8Array = new Uint8Array(0);
  /** Bytes of the agent that are still to come; undefined until its length is there. */
  #agentLeft: number | undefined;
  #greeted = false;
  #deaf: PromiseWithResolvers<void> | undefined;

  /** Starts to listen. */
  constructor(way: Way) {
    this.way = way;
    this.#reader = new FrameReader({
      frame: (head) => this.#frame(head),
      place: () => undefined,
      placed: () => {},
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.greeted = promise;
    this.#resolveGreeted = resolve;
    this.ended = this.#listen();
  }

  /** Says that all is well. */
  async greet(): Promise<void> {
    await this.send(encodeHello(FACTS));
  }

  /** Sends bytes. Throws CallerGone when nobody takes them. */
  async send(...parts: readonly Uint8Array[]): Promise<void> {
    try {
      for (const part of parts) await this.way.write(part);
    } catch (cause) {
      throw new CallerGone("Nobody listens", { cause });
    }
  }

  /** Resolves when so many frames of a type have come for a channel. */
  async hears(type: FrameType, channel = 0, count = 1): Promise<void> {
    if (this.#count(type, channel) >= count) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ type, channel, count, resolve });
    void this.ended.then(() => reject(new CallerGone("It has ended")));
    await promise;
  }

  /** Reads no more of what comes. */
  deafen(): void {
    this.#deaf ??= Promise.withResolvers<void>();
  }

  /** Reads on. */
  listen(): void {
    this.#deaf?.resolve();
    this.#deaf = undefined;
  }

  /** Does what an honest far side would have done: answers the request, and sends an item. */
  async goOn(): Promise<void> {
    const encoder = new Encoder();
    await this.send(makeFrame(FrameType.REPLY, 0, encoder.encode([1, STATUS])));
    await this.send(dataFrame(EXECUTION, encoder.encode("next")));
  }

  async #listen(): Promise<void> {
    const buffer = new Uint8Array(256 * 1024);
    while (true) {
      await this.#deaf?.promise;
      const count = await this.way.read(buffer);
      if (count === null || !this.#take(buffer.slice(0, count))) return;
    }
  }

  /** Takes what has come; false when the caller has asked for the end. */
  #take(bytes: Uint8Array): boolean {
    if (this.#greeted) this.#reader.push(bytes);
    else this.#passAgent(bytes);
    return this.#count(FrameType.TERMINATE, 0) === 0;
  }

  /** The agent comes first, with its length before it, and then the caller's greeting. */
  #passAgent(bytes: Uint8Array): void {
    if (this.#agentLeft === undefined) {
      const missing = 4 - this.#length.length;
      this.#length = new Uint8Array([...this.#length, ...bytes.subarray(0, missing)]);
      if (this.#length.length < 4) return;
      this.#agentLeft = readUint32(this.#length, 0);
      bytes = bytes.subarray(missing);
    }
    const skipped = Math.min(this.#agentLeft, bytes.length);
    this.#agentLeft -= skipped;
    if (skipped === bytes.length) return;
    const hello = this.#greeting.push(bytes.subarray(skipped));
    if (hello === undefined) return;
    this.#greeted = true;
    this.#resolveGreeted();
    this.#reader.push(hello.rest);
  }

  #frame({ type, channel }: FrameHead): void {
    const count = this.#count(type, channel) + 1;
    this.#heard.set(`${type} ${channel}`, count);
    this.#waiting = this.#waiting.filter((one) => {
      const waits = one.type !== type || one.channel !== channel || one.count > count;
      if (!waits) one.resolve();
      return waits;
    });
  }

  #count(type: FrameType, channel: number): number {
    return this.#heard.get(`${type} ${channel}`) ?? 0;
  }
}
