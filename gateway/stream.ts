/** The items of a remote generator, as an iterable here. */

import type { Channel } from "../channel/channel.ts";

/** A generator that has been told to stop, and does not, is killed after this time. */
const STOP_TIMEOUT_MS = 2_000;

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
      const stop = (): void => {
        left = true;
        if (channel === undefined || channel.isClosed()) return;
        void channel.close();
        Deno.unrefTimer(setTimeout(() => channel!.kill(), STOP_TIMEOUT_MS));
      };
      return {
        async next(): Promise<IteratorResult<T>> {
          if (left) return { value: undefined, done: true };
          channel ??= start();
          items ??= channel[Symbol.asyncIterator]();
          return await items.next();
        },
        return(): Promise<IteratorResult<T>> {
          stop();
          return Promise.resolve({ value: undefined, done: true });
        },
        throw(error): Promise<IteratorResult<T>> {
          stop();
          return Promise.reject(error);
        },
        [Symbol.asyncIterator](): AsyncIterableIterator<T> {
          return this;
        },
      };
    },
  };
}
