/** Programs that run within a job of Slurm's themselves. */

import { assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { gone } from "../helpers/leaks.ts";
import { testWith } from "../parts/need.ts";
import { SLURM, Slurm } from "../parts/slurm.ts";
import { end, start, up } from "./holding.ts";

/** A job whose command ends with it. */
const BESIDE = ["salloc", "--quiet", "--kill-command", "-N3"];

/** How a program comes to run within a job: beside it, as in a batch script, or as a step of it. */
const WITHIN = [
  ["a job", ["salloc", "--quiet", "-N3"]],
  ["a step of a job", ["salloc", "--quiet", "-N3", "srun", "-N1", "-n1"]],
] as const;

for (const [where, prefix] of WITHIN) {
  testWith(SLURM, `Within ${where} the nodes of that job are used`, async () => {
    await using slurm = await Slurm.start();
    const program = start(slurm, ["3", "release"], [...prefix]);
    const { kind, nodes, pids, pid } = await up(program);
    assertEquals([kind, nodes], ["own", ["n1", "n2", "n3"]]);
    assertEquals((await slurm.jobs()).length, 1);
    Deno.kill(pid, "SIGUSR1");
    assertEquals(await end(program), 0, program.stderr.text);
    for (const pid of pids) await gone(pid);
    await slurm.idle();
    await slurm.clean();
  });
}

testWith(SLURM, "SIGKILL of a program within a job ends its steps and leaves the job", async () => {
  await using slurm = await Slurm.start();
  const program = start(slurm, ["2", "wait"], [...BESIDE, "sh", "-c", '"$@"; exec sleep 1000', "sh"]);
  const { kind, pids, pid, job } = await up(program);
  assertEquals(kind, "own");
  Deno.kill(pid, "SIGKILL");
  for (const pid of pids) await gone(pid, 10_000);
  assertEquals((await slurm.jobs()).map(({ id, state }) => [id, state]), [[job, "RUNNING"]]);
  await slurm.run("scancel", job);
  await end(program);
});

testWith(SLURM, "Within a job that is too small nothing is asked for, and the error says so", async () => {
  await using slurm = await Slurm.start();
  const program = start(slurm, ["3", "end"], ["salloc", "--quiet", "-N2"]);
  assertEquals(await end(program), 1);
  assertMatch(
    program.stderr.text,
    /the job that the program runs in has too few nodes .*has 2 of the 3 nodes/,
  );
  await slurm.idle();
});

testWith(
  SLURM,
  "Within a job, a key of an allocation asks for a new one, free of the job's variables",
  async () => {
    await using slurm = await Slurm.start();
    const variables = ["env", "SLURM_NTASKS_PER_NODE=4", "SLURM_MEM_PER_CPU=1", "SLURM_MEM_PER_NODE=1"];
    const program = start(slurm, ["2", "release", "5"], ["salloc", "--quiet", "-N1", ...variables]);
    const { kind, pids, pid, nodes } = await up(program);
    assertEquals([kind, nodes.length], ["new", 2]);
    assertEquals((await slurm.jobs()).length, 2);
    Deno.kill(pid, "SIGUSR1");
    assertEquals(await end(program), 0, program.stderr.text);
    for (const pid of pids) await gone(pid);
    await slurm.idle();
    await slurm.clean();
  },
);
