/** A peer that falls silent is found out, on both sides: processes that are stopped or busy, a link that is dead. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type Gateway, GatewayClosedError, Group, XSpec } from "../../mod.ts";
import { planProcess } from "../../gateway/process/plan.ts";
import { test } from "../helpers/bounded.ts";
import { gone, LeakCheck, processState } from "../helpers/leaks.ts";
import { SilentRelay } from "../helpers/silent_relay.ts";
import { SharedServer } from "../helpers/socket_server.ts";
import { limited, until } from "../helpers/wait.ts";
import { end, start } from "./program.ts";

const KEEPALIVE_MS = 400;
/** Silence is noticed at the first look after three intervals; a busy machine looks late. */
const NOTICED_MS = 4 * KEEPALIVE_MS + 3_000;

const SERVER = new SharedServer();
Deno.test.afterAll(() => SERVER.stop());

/** Registers a test with a group, which leaves nothing. */
function testInGroup(name: string, body: (group: Group) => Promise<void>): void {
  test(name, async () => {
    const leaks = new LeakCheck();
    {
      await using group = new Group();
      await body(group);
    }
    await leaks.done();
  });
}

async function foundDead(gateway: Gateway, waiting: Promise<unknown>): Promise<void> {
  const error = await limited("the error", assertRejects(() => waiting, GatewayClosedError), NOTICED_MS);
  assertMatch((error as Error).message, /no sign of life for 1200 ms/);
  assertMatch((await limited("the end", gateway.closed, NOTICED_MS)).reason, /no sign of life/);
}

test("the far side is told the interval that this side has", () => {
  const cases: [spec: string, ms: number][] = [
    ["ssh=a", 15_000],
    ["command=a", 15_000],
    ["podman=a", 15_000],
    ["docker=a", 15_000],
    ["kubectl=a", 15_000],
    ["slurm", 15_000],
    ["socket=a:1", 15_000],
    ["popen", 0],
    ["ssh=a//keepalive=0", 0],
    ["popen//keepalive=70", 70],
  ];
  for (const [spec, ms] of cases) {
    const plan = planProcess(new XSpec(spec), { name: "gw", deno: [], cwd: "/", trace: undefined });
    assertEquals(plan.config.keepalive, ms, spec);
  }
});

testInGroup("keepalive=0 lets a far side be silent for as long as it likes", async (group) => {
  const [watched, unwatched] = [
    await group.makeGateway(`popen//keepalive=${KEEPALIVE_MS}`, { stderr: "null" }),
    await group.makeGateway("popen//keepalive=0", { stderr: "null" }),
  ];
  const pids = [(await watched.remoteInfo()).pid, (await unwatched.remoteInfo()).pid];
  const silent = unwatched.call(() => 42);
  assertEquals(await silent, 42);
  for (const pid of pids) Deno.kill(pid, "SIGSTOP");
  const later = unwatched.call(() => 43);
  await foundDead(watched, watched.call(() => 1));
  assert(unwatched.hasReceiver());
  Deno.kill(pids[1]!, "SIGCONT");
  assertEquals(await later, 43);
});

testInGroup("a far side that is stopped for less than the limit goes on", async (group) => {
  const gateway = await group.makeGateway("popen//keepalive=1500", { stderr: "null" });
  const clock = await group.makeGateway("popen//keepalive=500", { stderr: "null" });
  const pids = [(await gateway.remoteInfo()).pid, (await clock.remoteInfo()).pid];
  const channel = gateway.remoteExec("for await (const one of channel) await channel.send(one);");
  await channel.send(0);
  assertEquals(await channel.receive(), 0);
  for (const pid of pids) Deno.kill(pid, "SIGSTOP");
  for (let i = 1; i <= 50; i++) await channel.send(i);
  // By then it has been silent for more than one interval of its own, and for less than three.
  await limited("the end of the other one", clock.closed, 4_400);
  Deno.kill(pids[0]!, "SIGCONT");
  for (let i = 1; i <= 50; i++) assertEquals(await channel.receive(), i);
  assert(gateway.hasReceiver());
});

test(
  "a caller that is stopped for longer than the limit is reported dead, and its far side has ended",
  async () => {
    for (const model of ["worker", "main", "process"]) {
      const program = start("kept_alive.ts", [`popen//keepalive=${KEEPALIVE_MS}//execmodel=${model}`]);
      try {
        await program.stdout.has("10 calls");
        const pid = Number(/far side (\d+)/.exec(program.stdout.text)![1]);
        program.process.kill("SIGSTOP");
        // Nothing of it has been closed, and nobody has killed anything.
        await gone(pid, NOTICED_MS);
        program.process.kill("SIGCONT");
        await program.stdout.has("ended: GatewayClosedError");
      } finally {
        if (processState(program.process.pid) !== undefined) program.process.kill("SIGCONT");
        assertEquals((await end(program)).code, 0);
      }
    }
  },
  40_000,
);

test("a caller that is stopped for less than the limit goes on", async () => {
  const program = start("kept_alive.ts", ["popen//keepalive=1500"]);
  const clock = start("kept_alive.ts", ["popen//keepalive=500"]);
  const pidOf = async ({ stdout }: typeof program): Promise<number> => {
    await stdout.has("10 calls");
    return Number(/far side (\d+)/.exec(stdout.text)![1]);
  };
  try {
    const [pid, other] = [await pidOf(program), await pidOf(clock)];
    program.process.kill("SIGSTOP");
    clock.process.kill("SIGSTOP");
    const calls = program.stdout.text.length;
    // More than one interval of its own, and less than three.
    await gone(other, 4_400);
    program.process.kill("SIGCONT");
    await until("it calls on", () => program.stdout.text.length > calls + 20);
    assert(processState(pid) !== undefined);
  } finally {
    for (const one of [program, clock]) {
      one.process.kill("SIGCONT");
      one.process.kill("SIGTERM");
      await end(one);
    }
  }
});

for (const model of ["worker", "main", "process"]) {
  testInGroup(`both sides of a dead link to a server end in time [${model}]`, async (group) => {
    const server = await SERVER.get();
    await using relay = new SilentRelay(server.port);
    const spec = `socket=127.0.0.1:${relay.port}//token_file=${server.tokenFile}//execmodel=${model}`;
    const gateway = await group.makeGateway(`${spec}//keepalive=${KEEPALIVE_MS}`, { stderr: "null" });
    const { pid } = await gateway.remoteInfo();
    const channel = gateway.remoteExec("await channel.send(1); await new Promise(() => {});");
    await channel.receive();
    relay.cut();
    await foundDead(gateway, channel.receive());
    // The relay still holds both connections.
    await gone(pid, NOTICED_MS);
  });
}

testInGroup("a link to a server that is mended in time goes on", async (group) => {
  const server = await SERVER.get();
  await using relay = new SilentRelay(server.port);
  const spec = `socket=127.0.0.1:${relay.port}//token_file=${server.tokenFile}`;
  const gateway = await group.makeGateway(`${spec}//keepalive=1500`, { stderr: "null" });
  const clock = await group.makeGateway(`${spec}//keepalive=500`, { stderr: "null" });
  const channel = gateway.remoteExec("for await (const one of channel) await channel.send(one);");
  await channel.send(0);
  assertEquals(await channel.receive(), 0);
  relay.cut();
  for (let i = 1; i <= 50; i++) await channel.send(i);
  await limited("the end of the other one", clock.closed, 4_400);
  relay.mend();
  for (let i = 1; i <= 50; i++) assertEquals(await channel.receive(), i);
});

const BUSY_MS = 8 * KEEPALIVE_MS;

function compute(ms: number): number {
  const started = performance.now();
  while (performance.now() - started < ms);
  return ms;
}

testInGroup("what computes for long in execmodel=main is taken for dead", async (group) => {
  const spec = `popen//execmodel=main//keepalive=${KEEPALIVE_MS}`;
  const gateway = await group.makeGateway(spec, { stderr: "null" });
  await foundDead(gateway, gateway.call(compute, BUSY_MS));
});

testInGroup("in the other models it may compute for as long as it likes", async (group) => {
  await Promise.all(["worker", "process"].map(async (model) => {
    const spec = `popen//execmodel=${model}//keepalive=${KEEPALIVE_MS}`;
    const gateway = await group.makeGateway(spec, { stderr: "null" });
    assertEquals(await gateway.call(compute, BUSY_MS), BUSY_MS);
  }));
});
