/** Signs of life are taken out of a stream, wherever its chunks are cut. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { BEAT, BEAT_FORMAT, withoutBeats } from "../../gateway/shell/beats.ts";

const bytes = (...parts: (string | readonly number[] | Uint8Array)[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    parts.flatMap((one) => [...(typeof one === "string" ? new TextEncoder().encode(one) : one)]),
  );

async function passed(chunks: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array> {
  const stream = withoutBeats(ReadableStream.from(chunks) as ReadableStream<Uint8Array<ArrayBuffer>>);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What comes, and what is left of it. */
const STREAMS: [come: Uint8Array<ArrayBuffer>, left: Uint8Array][] = [
  [bytes(), bytes()],
  [bytes("text"), bytes("text")],
  [bytes(BEAT), bytes()],
  [bytes(BEAT, BEAT), bytes()],
  [bytes("a", BEAT, "b", BEAT, "c"), bytes("abc")],
  [bytes([0], BEAT, "b"), bytes([0], "b")],
  [bytes([0, 6]), bytes([0, 6])],
  [bytes("a", [0]), bytes("a", [0])],
  [bytes([0, 0, 0], "a"), bytes([0, 0, 0], "a")],
  [bytes([0, 6, 6], "a"), bytes([0, 6, 6], "a")],
];

for (const [come, left] of STREAMS) {
  Deno.test(`withoutBeats() leaves [${left}] of [${come}], wherever that is cut`, async () => {
    for (let one = 0; one <= come.length; one++) {
      for (let other = one; other <= come.length; other++) {
        const chunks = [come.slice(0, one), come.slice(one, other), come.slice(other)];
        assertEquals(await passed(chunks.filter((chunk) => chunk.length > 0)), left, `${one} ${other}`);
      }
    }
    assertEquals(await passed([...come].map((byte) => bytes([byte]))), left);
  });
}

Deno.test("withoutBeats() tells of each beat", async () => {
  let beats = 0;
  const stream = withoutBeats(
    ReadableStream.from([bytes("a", BEAT, "b", [0, 6]), bytes([0], BEAT)]) as ReadableStream<
      Uint8Array<ArrayBuffer>
    >,
    () => beats++,
  );
  await new Response(stream).arrayBuffer();
  assertEquals(beats, 3);
});

Deno.test("BEAT_FORMAT is a beat for printf", async () => {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf '${BEAT_FORMAT}'`] }).output();
  assertEquals(new Uint8Array(stdout), BEAT);
});

Deno.test("withoutBeats() reads no further than it is read from, and passes a cancel on", async () => {
  let pulled = 0;
  let reason: unknown;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      pulled++;
      controller.enqueue(bytes("a"));
    },
    cancel: (why) => void (reason = why),
  }, { highWaterMark: 0 });
  const reader = withoutBeats(source).getReader();
  await reader.read();
  assertEquals(pulled, 1);
  await reader.cancel("enough");
  assertEquals(reason, "enough");
});
