/** Prints what a far side prints without ever ending its line, each line with an id before it; then the memory it took. */

import { Output } from "../../gateway/output.ts";

const CHUNK_BYTES = 64 * 1024;

let left = Number(Deno.args[0]);
const stream = new ReadableStream<Uint8Array>({
  pull(controller): void {
    if (left <= 0) return controller.close();
    controller.enqueue(new Uint8Array(Math.min(left, CHUNK_BYTES)).fill(0x61));
    left -= CHUNK_BYTES;
  },
});
await new Output("prefix", "far", stream).ended;
console.log(/^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
