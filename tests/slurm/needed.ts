/** Tests that need a real Slurm. */

import { within } from "../helpers/bounded.ts";
import { missingForSlurm } from "../parts/slurm.ts";

const LIMIT_MS = 60_000;

const missing = missingForSlurm();
const ignore = missing !== undefined && Deno.env.get("CI") !== "true";
if (ignore) console.error(`Tests with Slurm are left out: ${missing}`);

/** Registers a test that is left out where there can be no Slurm, and fails there in CI. */
export function slurmTest(name: string, body: () => Promise<void>, limitMs: number = LIMIT_MS): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      if (missing !== undefined) throw new Error(`Cannot test with Slurm: ${missing}`);
      await within(limitMs, name, body());
    },
  });
}

/** Sets variables of this program's environment for as long as `body` takes. */
export async function withEnv(
  env: Readonly<Record<string, string>>,
  body: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(env).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  try {
    await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}
