/** What the codec costs, counted and not timed: bytes of each encoding, and bytes allocated on the way. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { dumps } from "../../channel/codec.ts";
import { SHAPES } from "../bench/codec_shapes.ts";
import { type CodecCost, COST_FLAGS } from "../helpers/codec_cost.ts";

/** The view that `encode()` returns, on the heap. */
const VIEW = 180;

Deno.test("dumps() writes the shapes of the benchmark in exactly so many bytes", () => {
  for (const { name, value, bytes } of SHAPES) assertEquals(dumps(value).length, bytes, name);
});

// The program gives the same numbers each time, but for a byte or two an item. They are of the engine's making too, so
// there is room for another version of it, and none for one more object an item, or a box for each number.
Deno.test("encode() and next() allocate no more than what they return", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      COST_FLAGS,
      new URL("../helpers/codec_cost.ts", import.meta.url).href,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  assert(success);
  const { heap, buffers, illFormed } = JSON.parse(new TextDecoder().decode(stdout)) as CodecCost;

  const most: Record<string, [encode: number, decode: number]> = {
    "small int": [VIEW, 8],
    // The names of its properties on one side; the object and its array on the other.
    "small object": [VIEW + 100, 200],
    "1 MiB bytes": [VIEW, 250],
    "short non-ASCII string": [VIEW, 180],
    "200 nested objects": [200 * 350, 200 * 700],
    // A slot for each element, and nothing beside.
    "1,000 small ints": [VIEW, 1000 * 9],
    "1,000 ints of 2 and 4 bytes": [VIEW, 1000 * 9],
    "1,000 ints of any width": [VIEW, 1000 * 9],
    "1,000 floats": [VIEW, 1000 * 9],
    "1,000 floats of 4 bytes": [VIEW, 1000 * 9],
  };
  for (const [name, [encode, decode]] of Object.entries(most)) {
    const { encode: encoding, decode: decoding } = heap[name]!;
    assert(encoding <= encode, `encoding ${name} allocates ${encoding} bytes`);
    assert(decoding <= decode, `decoding ${name} allocates ${decoding} bytes`);
  }
  // Buffers that double come to less than four times the item.
  assert(buffers < 4_000_000, `the buffers for an item of a million bytes come to ${buffers}`);
  assert(buffers > 1_000_000, `only ${buffers} bytes of buffers were seen`);
  // Two bytes a unit, and what becomes of its parts on the way.
  assert(illFormed < 16_000_000, `a string of a million units takes ${illFormed} bytes`);
  assert(illFormed > 1_500_000, `only ${illFormed} bytes of it were seen`);
});
