/** Signs of life that a shell elsewhere writes to stderr in order to learn that nobody reads there, and their removal. */

import { Stint } from "../../channel/turn.ts";

/** What is written: no text has it. */
export const BEAT: Uint8Array = new Uint8Array([0x00, 0x06, 0x00]);

/** The same as `printf` takes it. */
export const BEAT_FORMAT = "\\0\\6\\0";

/**
 * A stream without beats, wherever its chunks are cut. It is read only as it is read from. `heard` is called for each
 * beat: a shell of ours is there.
 */
export function withoutBeats(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  heard: () => void = () => {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  // The beginning of a beat that may go on in the next chunk.
  let begun = 0;
  const stint = new Stint();
  return new ReadableStream({
    async pull(controller): Promise<void> {
      while (true) {
        const { value, done } = await stint.take(() => reader.read());
        if (done) {
          if (begun > 0) controller.enqueue(BEAT.slice(0, begun) as Uint8Array<ArrayBuffer>);
          controller.close();
          return;
        }
        const kept = new Uint8Array(value.length + BEAT.length);
        let length = 0;
        for (const byte of value) {
          if (byte !== BEAT[begun]) {
            kept.set(BEAT.subarray(0, begun), length);
            length += begun;
            begun = 0;
          }
          if (byte === BEAT[begun]) begun++;
          else kept[length++] = byte;
          if (begun < BEAT.length) continue;
          begun = 0;
          heard();
        }
        if (length === 0) continue;
        controller.enqueue(kept.slice(0, length));
        return;
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
