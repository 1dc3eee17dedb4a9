/** A session with its channels, among hostile bytes and a program that does this and that. See session_input.ts. */

import { setImmediate } from "node:timers";
import { Channel } from "../../channel/channel.ts";
import type { ChannelEnd } from "../../channel/channel_end.ts";
import { dumps } from "../../channel/codec.ts";
import { FrameType, makeFrame } from "../../channel/frame.ts";
import { Session } from "../../channel/session.ts";
import type { SessionOptions } from "../../channel/session_options.ts";
import { concat } from "../helpers/sessions.ts";
import { FeedTransport } from "./feed_transport.ts";
import { HONEST, LINK_NUMBERS, Setting, StepKind } from "./session_input.ts";
import type { Step } from "./session_input.ts";
import { hold } from "./target.ts";

/** What those who wait on channels may get. */
const NAMED: ReadonlySet<string> = new Set([
  "RemoteError",
  "LoadError",
  "GatewayClosedError",
  "EOFError",
  "ChannelClosedError",
  "DumpError",
]);

/** Channels that deeds are done on, at most. */
const MOST_CHANNELS = 16;

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets a reader take what was given to it. */
async function ticks(): Promise<void> {
  for (let i = 0; i < 8; i++) await undefined;
}

/** One session, and all that was done to it. */
export class Scene {
  readonly session: Session;
  readonly connection: FeedTransport;
  readonly links: (FeedTransport | undefined)[] = [];
  /** All bytes that came by the connection and by each link. */
  readonly fed: Uint8Array[][] = [[], [], [], []];
  /** The names of the errors that came out. */
  readonly errors: Set<string> = new Set();
  /** Whether the input has ended. */
  ended = false;
  /** Whether the link of an execution of this side has ended: then the session ends in order. */
  ownLinkEnded = false;
  /** Those who still wait. */
  waiting = 0;
  readonly isRemote: boolean;
  readonly #settings: number;
  readonly #channels: Channel[] = [];
  readonly #withCallback = new Set<Channel>();
  readonly #ofCallback = new Error("of a callback");
  /** Channels that are received from in other ways. */
  readonly #read = new Set<Channel>();
  #honest: Channel | undefined;
  #wrong: Error | undefined;
  #bypassed = false;

  /** Makes a session with a few executions. */
  constructor(settings: number) {
    this.#settings = settings;
    this.isRemote = this.#is(Setting.REMOTE);
    this.connection = new FeedTransport({
      messages: this.#is(Setting.MESSAGES),
      stuck: this.#is(Setting.STUCK),
    });
    this.session = new Session(this.connection, this.isRemote ? this.#remote() : this.#local());
    this.session.start();
    if (this.isRemote) {
      this.connection.feed(makeFrame(FrameType.EXEC, HONEST, dumps(null)));
      return;
    }
    for (let i = 0; i < 4; i++) this.#add(this.session.facade(this.session.exec(null)));
    this.#drain(this.#channels[0]!);
    this.#listen(this.#channels[2]!);
    this.track(this.session.request("info"));
  }

  #is(setting: number): boolean {
    return (this.#settings & setting) !== 0;
  }

  #local(): SessionOptions {
    return {
      name: "fuzz",
      firstId: 1,
      takesLinks: this.#is(Setting.LINKS),
      sharedFarSide: this.#is(Setting.SHARED),
    };
  }

  #remote(): SessionOptions {
    return {
      name: "fuzz",
      firstId: 2,
      handlers: {
        exec: (end, options) => this.#execute(end, options),
        kill: (id, reason) => {
          hold(reason instanceof Error, "A kill without a reason");
          const end = [...this.session.ends].find((one) => one.id === id);
          end?.close(this.session.errorPayload(reason), reason);
        },
        request: (kind) => ({ kind }),
        terminate: () => {},
      },
    };
  }

  #execute(end: ChannelEnd, _options: unknown): void {
    const channel = this.session.facade(end);
    if (end.id === HONEST) {
      this.#honest = channel;
      this.track(this.#echo(channel));
      return;
    }
    if (this.#is(Setting.LINKS) && !this.#bypassed) {
      this.#bypassed = true;
      const link = this.links[0] = new FeedTransport({ messages: false, stuck: this.#is(Setting.STUCK) });
      this.session.openBypass(end, link, LINK_NUMBERS[0]!);
    }
    this.#add(channel);
    if (this.#channels.length % 2 === 0) this.#drain(channel);
  }

  async #echo(channel: Channel): Promise<void> {
    for await (const item of channel) await channel.send(item);
  }

  #add(channel: Channel): void {
    if (channel.id === HONEST) this.#honest = channel;
    else if (this.#channels.length < MOST_CHANNELS) this.#channels.push(channel);
  }

  /** Looks at what becomes of a promise. */
  track(promise: Promise<unknown>): void {
    this.waiting++;
    promise.then(() => this.waiting--, (error) => {
      this.waiting--;
      this.#came(error);
    });
  }

  #came(error: unknown): void {
    // Whoever waits for the end of a channel whose callback has thrown is told what it threw.
    if (error === this.#ofCallback) return;
    const { name } = error as Error;
    this.errors.add(name);
    if (!NAMED.has(name)) this.#wrong ??= new Error(`${name} for a caller: ${(error as Error).stack}`);
  }

  #attempt(action: () => unknown): void {
    try {
      const result = action();
      if (result instanceof Promise) this.track(result);
    } catch (error) {
      this.#came(error);
    }
  }

  #drain(channel: Channel): void {
    this.#read.add(channel);
    const all = async (): Promise<void> => {
      for await (const item of channel) {
        if (item instanceof Channel && item !== this.#honest && item !== channel) this.#meet(item);
      }
    };
    this.track(all());
  }

  #meet(channel: Channel): void {
    if (this.#channels.includes(channel)) return;
    this.#add(channel);
    if (this.#channels.length < MOST_CHANNELS && channel.id % 4 === 0) this.#drain(channel);
  }

  #listen(channel: Channel): void {
    if (this.#withCallback.has(channel) || this.#read.has(channel)) return;
    this.#withCallback.add(channel);
    channel.setCallback((item) => {
      if (item === 1) throw this.#ofCallback;
    }, { endMarker: null });
  }

  /** Does a step. */
  async step({ kind, bytes }: Step): Promise<void> {
    switch (kind) {
      case StepKind.LOCAL:
        for (const deed of bytes.subarray(0, 8)) this.#attempt(() => this.#deed(deed));
        break;
      case StepKind.LINK_END:
        this.#endLink((bytes[0] ?? 0) % 3);
        break;
      case StepKind.NO_MORE_LINKS:
        if (!this.isRemote) this.session.noMoreLinks();
        break;
      case StepKind.END:
        this.ended = true;
        this.connection.end();
        break;
      default:
        this.#feed(kind, bytes);
    }
    await ticks();
  }

  #feed(to: number, bytes: Uint8Array): void {
    if (to === StepKind.CONNECTION) {
      if (this.session.alive && !this.ended) this.fed[0]!.push(bytes);
      this.connection.feed(bytes);
      return;
    }
    const link = this.#link(to - 1);
    if (link === undefined) return;
    this.fed[to]!.push(bytes);
    link.feed(bytes);
  }

  #link(index: number): FeedTransport | undefined {
    const there = this.links[index];
    if (there !== undefined || this.isRemote || !this.#is(Setting.LINKS)) return there;
    const made = this.links[index] = new FeedTransport({ messages: false, stuck: this.#is(Setting.STUCK) });
    this.session.addLink(made, LINK_NUMBERS[index]!);
    return made;
  }

  #endLink(index: number): void {
    const link = this.links[index];
    if (link === undefined) return;
    if (this.isRemote) this.ownLinkEnded = true;
    link.end();
  }

  /** What the program on this side does; nothing of it is about the honest channel. */
  #deed(code: number): unknown {
    const { session } = this;
    const channel = this.#channels[Math.floor(code / 12) % Math.max(1, this.#channels.length)];
    if (channel === undefined) return undefined;
    switch (code % 12) {
      case 0:
        return channel.send({ some: "item" });
      case 1:
        // A long one waits for credit.
        return channel.send(new Uint8Array(code < 200 ? 20_000 : 1_300_000));
      case 2: {
        const inner = session.newChannel();
        this.#add(inner);
        return channel.send([inner]);
      }
      case 3:
        if (this.#withCallback.has(channel)) return undefined;
        this.#read.add(channel);
        return channel.receive();
      case 4:
        return this.#withCallback.has(channel) ? undefined : this.#drain(channel);
      case 5:
        return channel.closeWrite();
      case 6:
        return channel.close();
      case 7:
        return channel.close(new Error("of this side"));
      case 8:
        return this.isRemote ? undefined : channel.kill();
      case 9:
        return this.#listen(channel);
      case 10:
        return this.isRemote ? channel.waitClose() : session.request("status");
      default:
        return this.isRemote || this.#channels.length >= 8
          ? undefined
          : this.#add(session.facade(session.exec(null)));
    }
  }

  /** Whatever went wrong until now. */
  check(): void {
    if (this.#wrong !== undefined) throw this.#wrong;
  }

  /** Says something to the honest channel, and hears something of it. */
  async honest(heard: () => boolean): Promise<void> {
    const { connection } = this;
    const honest = this.#honest;
    hold(honest !== undefined && !honest.isClosed(), "The honest channel is closed");
    const word = dumps("an honest word");
    let got: unknown;
    if (!this.isRemote) {
      honest.receive().then((item) => got = item, (error) => got = error);
      honest.send("an honest word").catch((error) => this.#came(error));
    }
    connection.feed(makeFrame(FrameType.DATA, HONEST, word));
    const done = (): boolean => (this.isRemote || got !== undefined) && (this.#is(Setting.STUCK) || heard());
    for (let i = 0; i < 60 && !done(); i++) await turn();
    hold(this.isRemote || got === "an honest word", `The honest channel received ${got}`);
    hold(this.#is(Setting.STUCK) || heard(), "The honest channel's word did not leave");
  }

  /** Ends everything, and sees to it that it has ended for everybody. */
  async end(): Promise<void> {
    this.session.fail(undefined);
    for (let i = 0; i < 8 && this.waiting > 0; i++) await turn();
    this.check();
    hold(this.waiting === 0, `${this.waiting} still wait after the end`);
    hold(this.session.channelCount === 0, "Channels are left after the end");
    hold(
      [this.connection, ...this.links].every((link) => link?.over !== false),
      "A link is left after the end",
    );
  }

  /** What was written, to the connection and to each link. */
  written(): Uint8Array[] {
    return [this.connection, ...this.links].map((link) => concat(...link?.written ?? []));
  }
}
