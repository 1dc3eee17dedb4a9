/** The items of a remote generator, as an iterable here. */

import type { Channel } from "../channel/channel.ts";

/** A generator that was told to stop, and does not, is killed after this time. */
const STOP_TIMEOUT_MS = 2_000;

/** Tells a generator to stop, and waits until it has. Throws what it throws at its end. */
async function stop(channel: Channel<unknown>): Promise<void> {
  let killed = false;
  const timer = setTimeout(() => {
    killed = true;
    channel.kill();
  }, STOP_TIMEOUT_MS);
  try {
    await channel.closeWrite();
    // What had been sent makes room for what the generator is about to send.
    for await (const _ of channel);
  } catch (error) {
    if (!killed) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Iterates over what an execution sends. Each iteration starts an execution of its own, at its first step; leaving it
 * stops that.
 */
export function iterateRemotely<T>(start: () => Channel<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator](): AsyncIterableIterator<T> {
      let channel: Channel<T> | undefined;
      let items: AsyncIterableIterator<T> | undefined;
      let left = false;
      return {
        async next(): Promise<IteratorResult<T>> {
          if (left) return { value: undefined, done: true };
          channel ??= start();
          items ??= channel[Symbol.asyncIterator]();
          return await items.next();
        },
        async return(): Promise<IteratorResult<T>> {
          if (!left && channel !== undefined) await stop(channel);
          left = true;
          return { value: undefined, done: true };
        },
        [Symbol.asyncIterator](): AsyncIterableIterator<T> {
          return this;
        },
      };
    },
  };
}
