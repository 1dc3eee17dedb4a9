/** Node's sockets as links. */

import { HELD_BYTES } from "./link.ts";
import type { RawLink } from "./link.ts";

/** A socket of node's. */
export type Socket = import("node:net").Socket;

/** Reads and writes node sockets as a Deno connection is read and written. */
export function socketLink(from: Socket, to: Socket): RawLink {
  const chunks: Uint8Array[] = [];
  let held = 0;
  let ended = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  // What nobody wants yet is held by the kernel, but for this much; pausing after each chunk would cost more than it.
  from.on("data", (data: Uint8Array) => {
    chunks.push(data);
    held += data.length;
    if (held >= HELD_BYTES) from.pause();
    notify();
  });
  for (const event of ["end", "close", "error"]) {
    from.on(event, () => {
      ended = true;
      notify();
    });
  }
  // Whoever writes is told; a program that has gone is noticed by its end.
  to.on("error", () => {});
  return {
    async read(into): Promise<number | null> {
      while (chunks.length === 0) {
        if (ended) return null;
        if (from.isPaused()) from.resume();
        await new Promise<void>((resolve) => wake = resolve);
      }
      let count = 0;
      while (chunks.length > 0 && count < into.length) {
        const chunk = chunks[0]!;
        const size = Math.min(into.length - count, chunk.length);
        into.set(chunk.subarray(0, size), count);
        count += size;
        if (size === chunk.length) chunks.shift();
        else chunks[0] = chunk.subarray(size);
      }
      held -= count;
      return count;
    },
    write(bytes): Promise<number> {
      return new Promise((resolve, reject) =>
        to.write(bytes, (error) => error ? reject(error) : resolve(bytes.length))
      );
    },
    close(): void {
      to.destroy();
      from.destroy();
    },
  };
}
