/** Allocations of a Slurm of a test's own. The environment of this program, which all test files share, stays as it is. */

import { Allocation } from "../../gateway/slurm/allocation.ts";
import type { AllocationOptions } from "../../gateway/slurm/allocation.ts";
import { thisMachine } from "../../gateway/slurm/host.ts";
import type { SlurmKeys } from "../../gateway/slurm/words.ts";
import { Slurm } from "../parts/slurm.ts";

/** A Slurm, and what is asked of it. */
export class Site {
  /** The Slurm. */
  readonly slurm: Slurm;

  /** Asks for nothing yet. */
  constructor(slurm: Slurm) {
    this.slurm = slurm;
  }

  /** Asks for an allocation; `env` is added to the environment in which that is done. */
  request(
    keys: SlurmKeys,
    options: AllocationOptions = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<Allocation> {
    return Allocation.request(keys, { ...options, host: thisMachine({ ...this.slurm.env, ...env }) });
  }

  /** Starts a shell script on a node of an allocation. */
  spawnOn(allocation: Allocation, index: number, script: string): Deno.ChildProcess {
    const [program, ...words] = allocation.prefix(index);
    return new Deno.Command(program!, {
      args: [...words, "sh", "-c", script],
      env: { ...this.slurm.env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Everything that it prints, and its exit code. */
  async run(allocation: Allocation, index: number, script: string): Promise<[string, number]> {
    const task = this.spawnOn(allocation, index, script);
    await task.stdin.close();
    const { stdout, code } = await task.output();
    return [new TextDecoder().decode(stdout), code];
  }
}

/** Does something with a Slurm of its own. */
export async function withSite(body: (site: Site) => Promise<void>): Promise<void> {
  await using slurm = await Slurm.start();
  await body(new Site(slurm));
}
