/** The walks of the model as a target of the long run: an input is the seed of a walk. */

import { Random } from "../helpers/seeded.ts";
import type { Outcome, Target } from "../fuzz/target.ts";
import { walk } from "./walk.ts";

/** Steps of a walk. */
export const WALK_STEPS = 400;

async function run(input: Uint8Array): Promise<Outcome> {
  const seed = input.reduce((sum, byte) => (sum * 256 + byte) % 2 ** 32, 0);
  const { steps, how } = await walk(new Random(seed), WALK_STEPS);
  return { kind: how, steps };
}

/** Walks of two sessions, compared with the model. */
export const MODEL: Target = {
  name: "model",
  share: 0.1,
  short: 0,
  maxBytes: 4,
  isAsync: true,
  opaque: true,
  seeds: () => [new Uint8Array([0, 0, 0, 1])],
  run,
};
