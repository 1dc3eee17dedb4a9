/** Output whose way is that of the protocol: what nobody reads is dropped before it holds up everything. */

import { Stint } from "../../channel/turn.ts";

/** Held for a reader; one that reads on makes the far side's writes wait beyond that. */
const HELD_BYTES = 256 << 10;

/** A reader that has taken nothing for so long is taken to read no more, unless the keep-alive is shorter. */
const STALLED_MS = 2_000;

/**
 * A stream that reads on from another one even if nobody reads it. Programs such as ssh have one window for all that
 * they carry, so that unread output would stop the protocol as well, and the far side would be found silent.
 *
 * Holds 256 KiB, then makes its source wait, and after two seconds (or `keepalive` milliseconds, if that is less and not
 * 0) in which nothing was taken drops what comes, until the reader goes on. It finds a line in that place which says how
 * much is missing.
 */
export function overflowing(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  keepalive: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const patience = keepalive === 0 ? STALLED_MS : Math.min(STALLED_MS, keepalive);
  const reader = stream.getReader();
  const held: Uint8Array<ArrayBuffer>[] = [];
  let heldBytes = 0;
  let dropped = 0;
  let stalled = false;
  let ended = false;
  let news: (() => void) | undefined;
  let room: (() => void) | undefined;

  const add = (chunk: Uint8Array<ArrayBuffer>): void => {
    held.push(chunk);
    heldBytes += chunk.length;
  };
  const note = (): void => {
    if (dropped === 0) return;
    add(new TextEncoder().encode(`\nexecnet: ${dropped} bytes of output were dropped: nobody read them\n`));
    dropped = 0;
  };
  const waitForRoom = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    room = () => resolve(false);
    const timer = setTimeout(resolve, patience, true);
    Deno.unrefTimer(timer);
    stalled = await promise;
    clearTimeout(timer);
    room = undefined;
  };
  const fill = async (): Promise<void> => {
    const stint = new Stint();
    while (true) {
      const { value, done } = await stint.take(() => reader.read());
      if (done) return;
      while (heldBytes >= HELD_BYTES && !stalled) await waitForRoom();
      if (heldBytes >= HELD_BYTES) {
        dropped += value.length;
        continue;
      }
      note();
      add(value);
      news?.();
    }
  };
  fill().catch(() => {
    // It broke with its process.
  }).finally(() => {
    ended = true;
    news?.();
  });
  return new ReadableStream({
    async pull(controller): Promise<void> {
      stalled = false;
      if (held.length === 0) note();
      while (held.length === 0 && !ended) {
        await new Promise<void>((resolve) => news = resolve);
        news = undefined;
      }
      if (held.length === 0) note();
      const chunk = held.shift();
      if (chunk === undefined) return controller.close();
      heldBytes -= chunk.length;
      controller.enqueue(chunk);
      room?.();
    },
    cancel(reason): Promise<void> {
      room?.();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
