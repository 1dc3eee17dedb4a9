/**
 * A program that prints what the codec allocates, as JSON: for each shape of the benchmark the bytes of heap that one
 * encoding and one decoding take, once the code has been compiled, the bytes of buffers for one large item, and those of
 * heap for a long string with lone surrogates.
 *
 * To be run with {@linkcode COST_FLAGS}, so that nothing is collected while it counts.
 */

import { Decoder } from "../../channel/decode.ts";
import { Encoder } from "../../channel/encode.ts";
import { SHAPES } from "../bench/codec_shapes.ts";

/** What the program prints. */
export interface CodecCost {
  /** By the shape's name. */
  readonly heap: Record<string, { readonly encode: number; readonly decode: number }>;
  /** All buffers that a new encoder takes for an item of a million bytes, in small parts. */
  readonly buffers: number;
  /** All heap that it takes to decode a string of a million units that is not well formed. */
  readonly illFormed: number;
}

/** What Deno has to be started with. */
export const COST_FLAGS =
  "--v8-flags=--expose-gc,--min-semi-space-size=64,--max-semi-space-size=128,--no-concurrent-recompilation";

declare const gc: () => void;

function perCall(work: () => void, calls: number): number {
  for (let i = 0; i < 3 * calls; i++) work();
  gc();
  const before = Deno.memoryUsage().heapUsed;
  for (let i = 0; i < calls; i++) work();
  return (Deno.memoryUsage().heapUsed - before) / calls;
}

if (import.meta.main) {
  const encoder = new Encoder();
  const decoder = new Decoder();
  const heap: Record<string, { encode: number; decode: number }> = {};
  for (const { name, value, bytes } of SHAPES) {
    // Few enough for what they allocate to fit into the youngest part of the heap.
    const calls = bytes > 20_000 ? 20 : bytes > 500 ? 500 : 5000;
    const encoded = new Uint8Array(encoder.encode(value));
    const encode = perCall(() => void encoder.encode(value), calls);
    const decode = perCall(() => {
      decoder.reset(encoded);
      decoder.next();
    }, calls);
    heap[name] = { encode, decode };
  }
  const million: number[] = new Array(1_000_000).fill(7);
  gc();
  const before = Deno.memoryUsage().external;
  new Encoder().encode(million);
  const buffers = Deno.memoryUsage().external - before;
  decoder.reset(encoder.encode("\ud800".repeat(1_000_000)).slice());
  gc();
  const heapBefore = Deno.memoryUsage().heapUsed;
  const text = decoder.next() as string;
  const illFormed = Deno.memoryUsage().heapUsed - heapBefore;
  if (text.length !== 1_000_000) throw new Error(`It has ${text.length} units`);
  const cost: CodecCost = { heap, buffers, illFormed };
  // deno-lint-ignore no-console
  console.log(JSON.stringify(cost));
}
