import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { OutputQueue } from "../../gateway/transport/_output_queue.ts";
import { test } from "../helpers/bounded.ts";

test("OutputQueue gives all that waits, in order, and tells what was taken", async () => {
  let taken = 0;
  const queue = new OutputQueue((count) => taken += count);
  const expected: number[] = [];
  const reader = queue.stream.getReader();
  const got: number[] = [];
  for (let i = 0; i < 5_000; i++) {
    const bytes = Uint8Array.from({ length: i % 40 }, (_, at) => (i + at) & 255);
    expected.push(...bytes);
    queue.push(bytes);
    assertEquals(queue.length, expected.length - got.length);
    if (i % 700 === 0 && queue.length > 0) got.push(...(await reader.read()).value!);
  }
  queue.end();
  for (let next = await reader.read(); !next.done; next = await reader.read()) got.push(...next.value);
  assertEquals(got, expected);
  assertEquals([taken, queue.length], [expected.length, 0]);
});

test("OutputQueue lets a reader wait for what comes, and for the end", async () => {
  const queue = new OutputQueue(() => {});
  const reader = queue.stream.getReader();
  const first = reader.read();
  queue.push(Uint8Array.of(1));
  assertEquals(await first, { value: Uint8Array.of(1), done: false });
  const end = reader.read();
  queue.push(new Uint8Array(0));
  queue.end();
  assertEquals(await end, { value: undefined, done: true });
});

test("OutputQueue that is cancelled keeps nothing and counts all as taken", async () => {
  let taken = 0;
  const queue = new OutputQueue((count) => taken += count);
  queue.push(new Uint8Array(100));
  await queue.stream.cancel();
  queue.push(new Uint8Array(50));
  assertEquals([taken, queue.length], [150, 0]);
});

test("OutputQueue needs little more room than it holds, however small the pieces", () => {
  const queue = new OutputQueue(() => {});
  const { heapUsed, external } = Deno.memoryUsage();
  const byte = Uint8Array.of(7);
  for (let i = 0; i < 1 << 20; i++) queue.push(byte);
  const now = Deno.memoryUsage();
  assert(now.heapUsed + now.external - heapUsed - external < 32 << 20);
});
