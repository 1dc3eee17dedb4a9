/** `slurm`: gateways on the nodes of a real Slurm. Each test has a program, whose environment names that Slurm. */

import { assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { limited } from "../helpers/wait.ts";
import { shared, testWith } from "../parts/need.ts";
import { SLURM, Slurm } from "../parts/slurm.ts";
import { end, start, startFile } from "./program.ts";
import type { Program } from "./program.ts";

const slurm = shared(SLURM, () => Slurm.start());

function run(args: string[]): Program {
  return start("on_nodes.ts", args, ["-A"], slurm().env);
}

/** Nothing is in the queue, and nothing runs, on the nodes or here. */
async function givenBack(): Promise<void> {
  await slurm().idle(15_000);
  await slurm().clean(10_000);
}

for (
  const [scene, what] of [
    ["works", "slurm//nodes=3 gives three gateways, which work beside others in their group"],
    ["keys", "partition, account and time reach Slurm"],
    ["single", "makeGateway() makes a gateway of slurm, but not of three nodes"],
    ["terminate", "terminate() gives the nodes back before it resolves"],
    ["oneByOne", "gateways of an allocation end one by one, and with the last one it is given back"],
    ["refused", "what Slurm refuses, and what waits in the queue, leaves nothing there"],
    ["via", "slurm//via=hop gives gateways on nodes that are reached from a hop"],
    ["viaFails", "what Slurm refuses to a hop, and what a hop may not, is told"],
    ["hopDies", "a hop that is killed leaves no allocation"],
    ["early", "terminate() while nodes are asked for gives them back before it resolves"],
    ["srun", "command=srun starts a gateway without an allocation of the group's"],
  ] as const
) {
  testWith(SLURM, what, async () => {
    const program = run([scene]);
    const { code } = await end(program, 60_000);
    assertEquals([code, program.stdout.text], [0, "done\n"], program.stderr.text);
    await givenBack();
  }, { limit: 90_000 });
}

testWith(SLURM, "execnet doctor asks Slurm for nodes, and says why it gives none", async () => {
  const program = startFile(
    new URL("../../cli.ts", import.meta.url).pathname,
    [
      ...["doctor", "--json", "slurm//nodes=2", "slurm//partition=nowhere", "slurm//nodes=9"],
    ],
    ["-A"],
    slurm().env,
  );
  const { code } = await end(program, 60_000);
  assertEquals(code, 3, program.stderr.text);
  const outcomes = program.stdout.text.trim().split("\n").map((line) => JSON.parse(line));
  const ends = outcomes.filter(({ state }) => state === "failed").map(({ gateway, step, trouble }) =>
    `${gateway} ${step} ${trouble}`
  );
  assertEquals(ends, ["gw1 allocation no-partition", "gw2 allocation no-nodes"], program.stdout.text);
  await givenBack();
}, { limit: 90_000 });

testWith(SLURM, "gateways whose job is cancelled from outside say so", async () => {
  const program = run(["cancelled"]);
  await program.stdout.has("up", 30_000);
  const [job] = await slurm().jobs();
  await slurm().run("scancel", job!.id);
  const { code } = await end(program, 60_000);
  assertEquals(code, 0, program.stderr.text);
  assertMatch(program.stdout.text, /^(its allocation has ended: it was cancelled\n){3}/m);
  await givenBack();
}, { limit: 90_000 });

testWith(SLURM, "a program that is killed gives back the nodes that a hop of its holds", async () => {
  const hopped = ["wait", "slurm//nodes=3//via=hop", "popen//id=hop//allow-run"];
  const program = run(hopped);
  await program.stdout.has("busy", 30_000).catch((error) => {
    throw new Error(program.stderr.text, { cause: error });
  });
  program.process.kill("SIGKILL");
  await end(program);
  await limited("the nodes are given back", givenBack(), 30_000);
}, { limit: 90_000 });

for (const model of ["worker", "main", "process"]) {
  for (const how of ["normal", "exception", "exit", "SIGINT", "SIGTERM", "SIGKILL"] as const) {
    testWith(
      SLURM,
      `a program with busy gateways gives the nodes back by ${how}, execmodel=${model}`,
      async () => {
        const signal = how.startsWith("SIG") ? how as Deno.Signal : undefined;
        const program = run([signal === undefined ? how : "wait", `slurm//nodes=3//execmodel=${model}`]);
        await program.stdout.has("busy", 30_000).catch((error) => {
          throw new Error(program.stderr.text, { cause: error });
        });
        if (signal !== undefined) program.process.kill(signal);
        const status = await end(program);
        const expected = { normal: 0, exception: 1, exit: 5 }[how as string];
        assertEquals(signal === undefined ? status.code : status.signal, expected ?? how);
        await limited("the nodes are given back", givenBack(), 30_000);
      },
      { limit: 90_000 },
    );
  }
}
