/** Ways that break without a word: a killed `podman exec`, a frozen container, a killed `srun`. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type Gateway, GatewayClosedError, Group } from "../../mod.ts";
import {
  descendants,
  gone,
  groupMembers,
  nothingLeft,
  processesWithEnv,
  processState,
} from "../helpers/leaks.ts";
import type { ProcessState } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { shared, testWith } from "../parts/need.ts";
import { type Container, PODMAN, Podman } from "../parts/podman.ts";
import { SLURM, Slurm } from "../parts/slurm.ts";
import { SSHD, Sshd } from "../parts/sshd.ts";
import { QUIET, TWO_CHILDREN } from "./elsewhere.ts";
import { end, start } from "./program.ts";

const KEEPALIVE_MS = 500;
/** Silence is noticed at the first look after three intervals; a busy machine looks late. */
const NOTICED_MS = 4 * KEEPALIVE_MS + 4_000;
/** Ending what runs in a container takes the engine its time. */
const LEFT_MS = 10_000;

const podman = shared(PODMAN, () => Podman.start());
const sshd = shared(SSHD, () => Sshd.start());

/** Registers a test with a container, in which nothing is left after it. */
function testInContainer(name: string, body: (container: Container) => Promise<void>): void {
  testWith(PODMAN, name, async () => {
    await using container = await podman().container({ deno: "path" });
    await body(container);
    await nothingLeft(container, [], LEFT_MS);
  });
}

const specOf = ({ prefix }: Container, keys: string): string => `command=${prefix}//${keys}`;

/** Keeps a far side busy with a loop that never yields. */
async function occupy(gateway: Gateway): Promise<void> {
  const loop = gateway.remoteExec("await channel.send(1); while (true);");
  await loop.receive();
}

/** The client of the engine: not the shell that started it. */
function clientOf(container: Container): ProcessState {
  const found = descendants(Deno.pid).filter(({ command }) =>
    /^\S*podman exec /.test(command) && command.includes(container.name)
  );
  assertEquals(found.length, 1, JSON.stringify(found));
  return found[0]!;
}

for (const model of ["worker", "process"]) {
  testInContainer(`a podman exec that is killed ends both sides [${model}]`, async (container) => {
    await using group = new Group();
    const gateway = await group.makeGateway(
      specOf(container, `execmodel=${model}//allow-run//keepalive=${KEEPALIVE_MS}`),
      QUIET,
    );
    await occupy(gateway);
    const channel = gateway.remoteExec("await new Promise(() => {})");
    Deno.kill(clientOf(container).pid, "SIGKILL");
    await limited("the error", assertRejects(() => channel.receive(), GatewayClosedError), NOTICED_MS);
    await nothingLeft(container, [], LEFT_MS);
  });
}

testInContainer("a program that is killed leaves nothing in its container", async (container) => {
  const program = start("busy_far_side.ts", [specOf(container, `keepalive=${KEEPALIVE_MS}`)]);
  await program.stdout.has("busy", 20_000);
  assert(container.processes().length > 0);
  program.process.kill("SIGKILL");
  await end(program);
  await nothingLeft(container, [], LEFT_MS);
});

testInContainer(
  "a container that is frozen is found out, and what was in it ends when it thaws",
  async (container) => {
    await using group = new Group();
    const gateway = await group.makeGateway(specOf(container, `keepalive=${KEEPALIVE_MS}`), QUIET);
    await occupy(gateway);
    const channel = gateway.remoteExec("await new Promise(() => {})");
    await podman().pause(container.name);
    try {
      const error = await limited(
        "the error",
        assertRejects(() => channel.receive(), GatewayClosedError),
        NOTICED_MS,
      );
      assertMatch((error as Error).message, /no sign of life for 1500 ms/);
      await limited("the end", group.terminate(), 10_000);
    } finally {
      await podman().run(["unpause", container.name]);
    }
  },
);

testInContainer("a container that is frozen for less than the limit goes on", async (container) => {
  await using group = new Group();
  const gateway = await group.makeGateway(specOf(container, "keepalive=10000"), QUIET);
  const channel = gateway.remoteExec("for await (const one of channel) await channel.send(one);");
  await channel.send(0);
  assertEquals(await channel.receive(), 0);
  await podman().pause(container.name);
  for (let i = 1; i <= 50; i++) await channel.send(i);
  await podman().run(["unpause", container.name]);
  for (let i = 1; i <= 50; i++) assertEquals(await channel.receive(), i);
});

/** More than ssh's window and all that is held on the way. */
const PRINTED_BYTES = 16 << 20;

testWith(SSHD, "output that nobody reads does not hold up a connection that carries it, too", async () => {
  await using group = new Group();
  const spec = `ssh=${sshd().host()}//ssh_config=${sshd().config}//keepalive=1000`;
  const gateway = await group.makeGateway(spec, { stderr: "piped" });
  const channel = gateway.remoteExec(`
    const line = new TextEncoder().encode("x".repeat(1023) + "\\n");
    for (let sent = 0; sent < ${PRINTED_BYTES}; sent += line.length) Deno.stderr.writeSync(line);
    await channel.send("printed");
  `);
  assertEquals(await limited("all is printed", channel.receive(), 20_000), "printed");
  await gateway.remoteStatus();
  const text = new Response(gateway.stderr).text();
  await gateway[Symbol.asyncDispose]();
  const said = await text;
  const dropped = Number(/execnet: (\d+) bytes of output were dropped/.exec(said)?.[1]);
  const lines = said.replace(/\nexecnet: .*\n/, "");
  assertEquals(lines.length + dropped, PRINTED_BYTES);
});

testWith(SSHD, "output that is read is all there, however slowly it is read", async () => {
  await using group = new Group();
  const spec = `ssh=${sshd().host()}//ssh_config=${sshd().config}`;
  const gateway = await group.makeGateway(spec, { stderr: "piped" });
  const channel = gateway.remoteExec(`
    const line = new TextEncoder().encode("x".repeat(1023) + "\\n");
    for (let sent = 0; sent < ${PRINTED_BYTES}; sent += line.length) Deno.stderr.writeSync(line);
  `);
  let got = 0;
  for await (const chunk of gateway.stderr!) {
    got += chunk.length;
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (got >= PRINTED_BYTES) break;
  }
  assertEquals(got, PRINTED_BYTES);
  await channel.waitClose();
});

for (const model of ["worker", "main", "process"]) {
  testWith(SLURM, `an srun that is killed leaves an agent that ends by itself [${model}]`, async () => {
    await using slurm = await Slurm.start();
    // The nodes are held by somebody else, so that Slurm has no reason to end anything.
    assertEquals((await slurm.run("salloc", "-N1", "--no-shell")).code, 0);
    const [job] = await slurm.jobs();
    {
      await using group = new Group();
      const keys = `deno=${Deno.execPath()}//allow-run//execmodel=${model}//keepalive=${KEEPALIVE_MS}`;
      const gateway = await group.makeGateway(
        `command=${asIn(slurm.env)} srun -u --overlap --jobid=${job!.id}//${keys}`,
        QUIET,
      );
      const { pid } = await gateway.remoteInfo();
      const children = gateway.remoteExec(TWO_CHILDREN);
      await children.receive();
      if (model !== "main") await occupy(gateway);
      // Other test files have jobs of the same number on Slurms of their own, in this program's group even.
      const [srun] = processesWithEnv(`SLURM_CONF=${slurm.env.SLURM_CONF}`).filter(({ command, parent }) =>
        /^srun /.test(command) && command.includes(`--jobid=${job!.id}`) && !isSrun(parent)
      );
      Deno.kill(-srun!.group, "SIGKILL");
      await until("the group is gone", () => groupMembers(srun!.group).length === 0);
      // The task has been told nothing.
      assert(processState(pid) !== undefined, "Slurm itself has ended the task");
      await limited("the error", assertRejects(() => children.receive(), GatewayClosedError), NOTICED_MS);
      await gone(pid, NOTICED_MS);
      await slurm.clean(LEFT_MS);
      assertEquals((await slurm.jobs()).map(({ id, state }) => [id, state]), [[job!.id, "RUNNING"]]);
    }
    await slurm.run("scancel", job!.id);
  });
}

/** Words before a command that give it variables; this program's environment is that of all test files. */
function asIn(env: Readonly<Record<string, string>>): string {
  return ["env", ...Object.entries(env).map(([name, value]) => `${name}=${value}`)].join(" ");
}

function isSrun(pid: number): boolean {
  return processState(pid)?.command.startsWith("srun ") ?? false;
}
