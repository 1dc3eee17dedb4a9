/** The Slurm that the tests run on. */

import { assert, assertEquals, assertNotEquals } from "jsr:@std/assert@^1.0.19";
import { testWith } from "../parts/need.ts";
import { NODES, SLURM, Slurm } from "../parts/slurm.ts";
import { processState } from "../helpers/leaks.ts";

testWith(SLURM, "Slurm.start() gives three idle nodes that run tasks", async () => {
  await using slurm = await Slurm.start();
  const { code, stdout } = await slurm.run("srun", "-N3", "sh", "-c", "echo $SLURMD_NODENAME");
  assertEquals(code, 0);
  assertEquals(stdout.trim().split("\n").sort(), [...NODES]);
  await slurm.idle();
  await slurm.clean();
});

testWith(SLURM, "Two of them know nothing of each other", async () => {
  await using one = await Slurm.start();
  await using other = await Slurm.start();
  assertNotEquals(one.conf, other.conf);
  const { code } = await one.run("salloc", "-N3", "--no-shell");
  assertEquals(code, 0);
  assertEquals((await one.jobs()).length, 1);
  assertEquals(await other.jobs(), []);
});

testWith(
  SLURM,
  "Disposing ends running jobs, and what a job has left behind, and leaves no folder",
  async () => {
    const slurm = await Slurm.start();
    const { stdout } = await slurm.run(
      "srun",
      "sh",
      "-c",
      'setsid sh -c "trap : TERM; while :; do sleep 1; done" </dev/null >/dev/null 2>&1 & echo $!',
    );
    const stray = Number(stdout);
    assertEquals((await slurm.run("salloc", "-N3", "--no-shell")).code, 0);
    assert(processState(stray) !== undefined);
    await slurm[Symbol.asyncDispose]();
    assertEquals(processState(stray), undefined);
    assertEquals(slurm.others(), []);
    await assertRejectsNotFound(() => Deno.stat(slurm.folder));
  },
);

testWith(SLURM, "kill() ends one daemon; startNode() starts that of a node again", async () => {
  await using slurm = await Slurm.start();
  await slurm.kill("n2");
  slurm.startNode("n2");
  await slurm.idleNodes();
  assertEquals((await slurm.run("srun", "-w", "n2", "true")).code, 0);
  assert((await slurm.run("scontrol", "ping")).stdout.includes("UP"));
  await slurm.kill("slurmctld");
  assert((await slurm.run("scontrol", "ping")).stdout.includes("DOWN"));
});

async function assertRejectsNotFound(action: () => Promise<unknown>): Promise<void> {
  const error = await action().then(() => undefined, (error) => error);
  assert(error instanceof Deno.errors.NotFound, String(error));
}
