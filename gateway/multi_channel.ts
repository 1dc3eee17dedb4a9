/** Many channels as one: send to each, receive from each, or all their items through one queue. */

import { Channel } from "../channel/channel.ts";
import type { ChannelEnd } from "../channel/channel_end.ts";
import { EOFError, TimeoutError } from "../channel/errors.ts";
import type { ReceivedBy, SentBy } from "../channel/mirrored.ts";
import { Queue } from "../channel/queue.ts";
import { checkTimeout, steps, Waiter } from "../channel/wait.ts";
import type { SendOptions, WaitOptions } from "../channel/wait.ts";

/** A channel, whatever it carries. */
// deno-lint-ignore no-explicit-any -- a channel of some items is no channel of all items, either way
export type AnyChannel = Channel<any, any>;

/** How {@linkcode MultiChannel.receiveEach} receives. */
export interface ReceiveEachOptions extends WaitOptions {
  /** Whether each item comes together with its channel; by default not. */
  withChannel?: boolean;
}

/**
 * How {@linkcode MultiChannel.makeReceiveQueue} makes the queue.
 *
 * @typeParam E what the marker is
 */
export interface ReceiveQueueOptions<E = unknown> {
  /** Comes as a channel's last item, exactly once, whatever ended the channel. */
  endMarker?: E;
}

/**
 * Several channels, of one gateway or of many, in a fixed order. The promises that it gives may be left alone: an error
 * that nobody waits for does no harm.
 *
 * @typeParam C what the channels are
 *
 * @example
 * ```ts
 * import { Group } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using group = await Group.create(["popen", "popen"]);
 * const channels = group.remoteExec<number, number>(async (channel) => {
 *   await channel.send(await channel.receive() * 2);
 * });
 * await channels.sendEach(21);
 * assertEquals(await channels.receiveEach(), [42, 42]);
 * await channels.waitClose();
 * ```
 */
export class MultiChannel<C extends AnyChannel = Channel> implements Iterable<C> {
  readonly #channels: readonly C[];
  #queue: ReceiveQueue<C, unknown> | undefined;

  /**
   * Makes one of some channels.
   *
   * @throws {TypeError} when one is no channel, or is there twice
   */
  constructor(channels: Iterable<C>) {
    this.#channels = [...channels];
    for (const channel of this.#channels as unknown[]) {
      if (!(channel instanceof Channel)) {
        throw new TypeError(`Cannot make a MultiChannel: got ${typeof channel}, not a channel`);
      }
    }
    if (new Set(this.#channels).size < this.#channels.length) {
      throw new TypeError("Cannot make a MultiChannel: a channel is there twice");
    }
  }

  /** How many channels there are. */
  get size(): number {
    return this.#channels.length;
  }

  /** The channel at a place; negative places count from the end. */
  at(index: number): C | undefined {
    return this.#channels.at(index);
  }

  /** Whether a channel is one of them. */
  has(channel: Channel): boolean {
    return (this.#channels as readonly Channel[]).includes(channel);
  }

  /** The channels in order. */
  [Symbol.iterator](): Iterator<C> {
    return this.#channels[Symbol.iterator]();
  }

  /**
   * Sends an item to every channel; one that fails keeps none of the others from getting it. Resolves when the item is
   * within every window.
   *
   * @throws {DumpError} when the item cannot be sent
   * @throws {ChannelClosedError} when a channel is closed
   */
  sendEach(item: SentBy<C>, options?: SendOptions): Promise<void> {
    return handled(Promise.all(this.#channels.map((channel) => channel.send(item, options))).then(() => {}));
  }

  /**
   * Receives an item from every channel, within one deadline; the items are in the order of the channels. Nothing is
   * taken before every channel has an item, so that a call which fails loses none.
   *
   * @throws {RemoteError} when the far side ended a channel with an error, which is received thereby
   * @throws {EOFError} when a channel has ended
   * @throws {TimeoutError} when a channel had nothing in time
   * @throws {TypeError} when there is a receive queue, or a channel has a callback
   */
  receiveEach(options: ReceiveEachOptions & { withChannel: true }): Promise<[C, ReceivedBy<C>][]>;
  /** Receives an item from every channel. */
  receiveEach(options?: ReceiveEachOptions & { withChannel?: false }): Promise<ReceivedBy<C>[]>;
  receiveEach(options: ReceiveEachOptions = {}): Promise<ReceivedBy<C>[] | [C, ReceivedBy<C>][]> {
    return handled(this.#receiveEach(options));
  }

  async #receiveEach(options: ReceiveEachOptions): Promise<ReceivedBy<C>[] | [C, ReceivedBy<C>][]> {
    const ends = this.#channels.map((channel) => Channel.endOf(channel));
    const stop = new AbortController();
    const signal = options.signal === undefined
      ? stop.signal
      : AbortSignal.any([options.signal, stop.signal]);
    const left = steps({ timeout: options.timeout, signal });
    try {
      do {
        this.#checkReceivable();
        await waitItems(ends, left());
        this.#checkReceivable();
        const over = ends.find(isOver);
        if (over !== undefined) throw over.takeEnd();
        // Somebody else may have taken an item meanwhile.
      } while (!ends.every((end) => end.hasItem));
    } finally {
      stop.abort();
    }
    const items = ends.map((end) => end.take() as ReceivedBy<C>);
    return options.withChannel
      ? items.map((item, i): [C, ReceivedBy<C>] => [this.#channels[i]!, item])
      : items;
  }

  #checkReceivable(): void {
    if (this.#queue !== undefined) {
      throw new TypeError("Cannot receive from each channel: the receive queue takes their items");
    }
    for (const channel of this.#channels) {
      if (Channel.hasCallback(channel)) {
        throw new TypeError(`Cannot receive on ${Channel.endOf(channel).describe()}: it has a callback`);
      }
    }
  }

  /**
   * Makes a queue of what every channel receives from now on, what waits unread included. It takes over their receiving:
   * afterwards `receive` and `receiveEach` are TypeErrors. A second call gives the same queue.
   *
   * @throws {TypeError} when a channel has a callback
   */
  makeReceiveQueue<E = never>(options: ReceiveQueueOptions<E> = {}): ReceiveQueue<C, E> {
    if (this.#queue !== undefined) return this.#queue as ReceiveQueue<C, E>;
    const channels = new Set(this.#channels);
    for (const channel of channels) {
      if (Channel.hasCallback(channel)) {
        const name = Channel.endOf(channel).describe();
        throw new TypeError(`Cannot make a receive queue: ${name} has a callback`);
      }
    }
    const queue = new ReceiveQueue<C, E>(channels, options);
    this.#queue = queue;
    return queue;
  }

  /**
   * Waits until nothing more will come on any channel, and callbacks have had everything; what is in the receive queue
   * need not have been taken. Then throws the first error in the order of the channels; the errors of the others wait for
   * their own `waitClose` or the next call.
   *
   * @throws {RemoteError} once for each channel, when the far side ended it with an error
   * @throws {GatewayClosedError} when a connection has ended
   * @throws {TimeoutError} when a channel is still open after `timeout`
   */
  waitClose(options?: WaitOptions): Promise<void> {
    return handled(this.#waitClose(options));
  }

  async #waitClose(options: WaitOptions | undefined): Promise<void> {
    const callbacks = this.#queue === undefined;
    await Promise.all(this.#channels.map((channel) => Channel.waitEnd(channel, options, callbacks)));
    for (const channel of this.#channels) {
      const error = Channel.takeEndError(channel);
      if (error !== undefined) throw error;
    }
  }
}

/** An item with its channel. */
type Taken = [channel: Channel, item: unknown];

/** What is in a queue; `line` counts it as long as it is there. */
interface Entry {
  readonly value: Taken;
  readonly line: Line | undefined;
}

/** What a queue holds of one channel. */
interface Line {
  held: number;
  /** Lets the channel deliver its next item. */
  room: (() => void) | undefined;
}

/**
 * Of each channel the queue holds at most so many items. The rest waits as unread bytes of the channel, which its window
 * bounds, and no channel can fill the queue for the others.
 */
const MAX_HELD_ITEMS = 4;

/** Given to a queue when a channel has ended. */
const END: unique symbol = Symbol("end");

/**
 * The items of several channels, in the order they came. Made by {@linkcode MultiChannel.makeReceiveQueue}.
 *
 * - A slow taker slows the writers: of each channel only a few items are held.
 * - An error of a channel does not come through the queue; `waitClose` throws it.
 * - Iteration ends when every channel has ended and everything was taken. Leaving it early leaves the queue usable.
 *
 * @typeParam C what the channels are
 * @typeParam E what marks the end of a channel
 *
 * @example
 * ```ts
 * import { Group } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using group = await Group.create(["popen//id=ann", "popen//id=ben"]);
 * const channels = group.remoteExec(`await channel.send(1); await channel.send(2);`);
 * const sums: Record<string, number> = { ann: 0, ben: 0 };
 * for await (const [{ gateway }, item] of channels.makeReceiveQueue()) {
 *   sums[gateway.id]! += Number(item);
 * }
 * assertEquals(sums, { ann: 3, ben: 3 });
 * ```
 */
export class ReceiveQueue<C extends AnyChannel = Channel, E = unknown>
  implements AsyncIterable<[C, ReceivedBy<C> | E]> {
  readonly #entries = new Queue<Entry>();
  readonly #takers: Waiter<Taken | undefined>[] = [];
  readonly #size: number;
  /** Channels that have not ended. */
  #open: number;

  /** Made by a MultiChannel, never by its users. */
  constructor(channels: ReadonlySet<C>, options: ReceiveQueueOptions) {
    this.#size = this.#open = channels.size;
    for (const channel of channels) {
      const line: Line = { held: 0, room: undefined };
      channel.setCallback((item: unknown) => {
        if (item !== END) return this.#put(channel, item, line);
        this.#open--;
        if ("endMarker" in options) void this.#put(channel, options.endMarker, undefined);
        if (this.#open > 0) return;
        for (const taker of this.#takers.splice(0)) taker.resolve(undefined);
      }, { endMarker: END });
    }
  }

  /**
   * Takes the next item, together with its channel. A call that is ended by its timeout or signal loses none.
   *
   * @throws {EOFError} when every channel has ended and everything was taken
   * @throws {TimeoutError} when nothing came in time
   */
  get(options?: WaitOptions): Promise<[C, ReceivedBy<C> | E]> {
    return handled(this.#get(options));
  }

  async #get(options: WaitOptions | undefined): Promise<[C, ReceivedBy<C> | E]> {
    const value = await this.#take(options);
    if (value !== undefined) return value as [C, ReceivedBy<C> | E];
    throw new EOFError(
      `Cannot get from the receive queue: all of its ${this.#size} channels have ended, and everything was taken`,
    );
  }

  /** Iterates over the items, each with its channel. */
  [Symbol.asyncIterator](): AsyncIterableIterator<[C, ReceivedBy<C> | E]> {
    return {
      next: () =>
        handled(
          this.#take(undefined).then((value) =>
            value === undefined
              ? { value, done: true }
              : { value: value as [C, ReceivedBy<C> | E], done: false }
          ),
        ),
      return: () => Promise.resolve({ value: undefined, done: true }),
      [Symbol.asyncIterator](): AsyncIterableIterator<[C, ReceivedBy<C> | E]> {
        return this;
      },
    };
  }

  /** Adds an item; a promise means that the channel is to wait with its next one. */
  #put(channel: Channel, item: unknown, line: Line | undefined): Promise<void> | undefined {
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker.resolve([channel, item]);
      return undefined;
    }
    this.#entries.push({ value: [channel, item], line });
    if (line === undefined || ++line.held < MAX_HELD_ITEMS) return undefined;
    return new Promise((resolve) => line.room = resolve);
  }

  /** The next item with its channel, or undefined when there will be none. */
  async #take(options: WaitOptions | undefined): Promise<Taken | undefined> {
    checkTimeout(options?.timeout);
    if (options?.signal?.aborted) throw options.signal.reason;
    const entry = this.#entries.shift();
    if (entry !== undefined) {
      const { line } = entry;
      if (line !== undefined) {
        line.held--;
        line.room?.();
        line.room = undefined;
      }
      return entry.value;
    }
    if (this.#open === 0) return undefined;
    return await this.#wait(options);
  }

  #wait(options: WaitOptions | undefined): Promise<Taken | undefined> {
    const what = "Nothing came to the receive queue";
    const isPoll = options?.timeout === 0;
    const forget = (gaveUp: Waiter<Taken | undefined>): void => {
      const at = this.#takers.indexOf(gaveUp);
      if (at >= 0) this.#takers.splice(at, 1);
    };
    const taker = new Waiter<Taken | undefined>(
      isPoll ? { signal: options.signal } : options,
      () => what,
      forget,
    );
    if (!taker.settled) this.#takers.push(taker);
    if (isPoll) {
      const giveUp = (): void => {
        forget(taker);
        taker.reject(new TimeoutError(`${what} after 0 ms`));
      };
      // What has arrived may still be on its way here, which takes a callback loop a moment.
      queueMicrotask(() => queueMicrotask(giveUp));
    }
    return taker.promise;
  }
}

/** Resolves when every channel has an item, and as soon as one is over. */
async function waitItems(ends: readonly ChannelEnd[], options: WaitOptions | undefined): Promise<void> {
  const oneIsOver = Symbol();
  try {
    await Promise.all(ends.map(async (end) => {
      if (!(await end.waitItem(options))) throw oneIsOver;
    }));
  } catch (error) {
    if (error !== oneIsOver) throw error;
  }
}

function isOver(end: ChannelEnd): boolean {
  return end.receiveEnded && !end.hasItem;
}

/** Marks a promise as looked after. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
