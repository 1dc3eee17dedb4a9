/** What items allocate on their way from one session to another, counted in a program of its own. */

import { assert } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { atMost } from "./bounds.ts";
import { FLAGS } from "./programs/allocations.ts";
import type { Allocations } from "./programs/allocations.ts";

/** The program gives the same figures each time; they are the engine's, too. One more object for an item is over it. */
const SLACK = 1.1;

test("an item allocates no more than today, sent alone or in a burst, and received", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      FLAGS,
      new URL("programs/allocations.ts", import.meta.url).href,
    ],
    stderr: "inherit",
  }).output();
  assert(success);
  const { trip, burst, stream }: Allocations = JSON.parse(new TextDecoder().decode(stdout));
  atMost("bytes of heap for a small item there and back", trip, 6_128, SLACK);
  atMost("bytes of heap for a small item of a burst", burst, 318, SLACK);
  atMost("bytes of heap for a small item of a loop that awaits", stream, 355, SLACK);
}, 60_000);
