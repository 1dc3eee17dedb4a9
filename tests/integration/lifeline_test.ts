/** Allocations whose owner, or one of whose holders, is killed: nothing is left. */

import { assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { descendants, gone, processes } from "../helpers/leaks.ts";
import type { ProcessState } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { testWith } from "../parts/need.ts";
import { SLURM, Slurm } from "../parts/slurm.ts";
import { end, type Holder, start, up } from "../slurm/holding.ts";

/** Nothing of a program that has ended is left in Slurm, nor on this machine. */
async function nothingLeft(slurm: Slurm, pids: readonly number[]): Promise<void> {
  for (const pid of pids) await gone(pid, 10_000);
  await slurm.idle(10_000);
  await slurm.clean();
}

for (const signal of ["SIGKILL", "SIGTERM", "SIGINT"] as const) {
  testWith(SLURM, `${signal} of the program gives the nodes back and ends its tasks`, async () => {
    await using slurm = await Slurm.start();
    const program = start(slurm, ["3", "wait"]);
    const { pids, kind } = await up(program);
    assertEquals([kind, pids.length], ["new", 3]);
    program.process.kill(signal);
    await end(program);
    await nothingLeft(slurm, pids);
  });
}

for (const [then, code] of [["end", 0], ["exit", 5], ["throw", 1], ["release", 0]] as const) {
  testWith(SLURM, `A program that ends by "${then}" gives the nodes back`, async () => {
    await using slurm = await Slurm.start();
    const program = start(slurm, ["2", then]);
    const { pids } = await up(program);
    program.process.kill("SIGUSR1");
    assertEquals(await end(program), code, program.stderr.text);
    if (then === "release") assertMatch(program.stdout.text, /released/);
    await nothingLeft(slurm, pids);
  });
}

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  testWith(SLURM, `${signal} of a program that waits in the queue takes it out of the queue`, async () => {
    await using slurm = await Slurm.start();
    assertEquals((await slurm.run("salloc", "-N3", "--exclusive", "--no-shell")).code, 0);
    const program = start(slurm, ["2", "wait"]);
    await until(
      "it waits",
      async () => (await slurm.jobs()).some(({ state }) => state === "PENDING"),
      20_000,
    );
    program.process.kill(signal);
    await end(program);
    await until("it is out of the queue", async () => (await slurm.jobs()).length === 1);
    await slurm.clean();
  });
}

/** The processes that hold an allocation: the shell, its watcher, salloc and the shell that salloc runs. */
function holders(program: Holder): Record<"shell" | "watcher" | "salloc" | "command", ProcessState> {
  const below = descendants(program.process.pid);
  const shell =
    below.find(({ parent, command }) => parent === program.process.pid && /salloc "\$@"/.test(command)) ??
      below.find(({ parent, command }) => parent === program.process.pid && !/srun/.test(command));
  if (shell === undefined) throw new Error("There is no shell");
  const children = below.filter(({ parent }) => parent === shell.pid);
  const salloc = children.find(({ command }) => command.startsWith("salloc"));
  const watcher = children.find(({ command }) => !command.startsWith("salloc"));
  const command = [...processes().values()].find(({ parent }) => parent === salloc?.pid);
  if (salloc === undefined || watcher === undefined || command === undefined) {
    throw new Error("Not all are there");
  }
  return { shell, watcher, salloc, command };
}

for (
  const victims of [["shell"], ["watcher"], ["salloc"], ["command"], ["shell", "salloc"], [
    "shell",
    "watcher",
    "salloc",
  ]] as const
) {
  testWith(
    SLURM,
    `SIGKILL of the ${victims.join(", the ")} and then of the program leaves nothing`,
    async () => {
      await using slurm = await Slurm.start({ killWait: 2 });
      const program = start(slurm, ["2", "wait"]);
      const { pids } = await up(program);
      const found = holders(program);
      for (const victim of victims) Deno.kill(found[victim].pid, "SIGKILL");
      program.process.kill("SIGKILL");
      await end(program);
      await slurm.idle(15_000);
      for (const pid of pids) await gone(pid, 15_000);
      await slurm.clean();
    },
  );

  if (victims[0] === "watcher") continue; // it is there for the queue only
  testWith(SLURM, `SIGKILL of the ${victims.join(", the ")} ends the allocation`, async () => {
    await using slurm = await Slurm.start({ killWait: 2 });
    const program = start(slurm, ["2", "wait"]);
    const { pids } = await up(program);
    const found = holders(program);
    for (const victim of victims) Deno.kill(found[victim].pid, "SIGKILL");
    await end(program); // it waits for the end of the allocation
    await slurm.idle(15_000);
    for (const pid of pids) await gone(pid, 15_000);
    await slurm.clean();
  });
}
