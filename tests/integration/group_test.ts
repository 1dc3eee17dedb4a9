/** Groups: ids, order, finding, and ending all in bounded time. */

import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { defaultGroup, type Gateway, Group, makeGateway, XSpec, XSpecError } from "../../mod.ts";
import { groupGone } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind, forPopen } from "./kinds.ts";

const QUIET = { stderr: "null" } as const;

forPopen("a group counts, orders and finds its gateways", async ({ group, open }) => {
  assertEquals([group.size, [...group].length, group.get(0), group.get("gw0")], [0, 0, undefined, undefined]);
  const first = await open();
  const second = await open("id=beta");
  const third = await open();
  assertEquals([...group].map((gateway) => gateway.id), ["gw0", "beta", "gw1"]);
  assertEquals(group.size, 3);
  assert(group.get(0) === first && group.get(1) === second && group.get("gw1") === third);
  assert(group.has("beta") && group.has(second) && !group.has("gamma"));
  second.exit();
  assertEquals([...group].map((gateway) => gateway.id), ["gw0", "gw1"]);
  assert(!group.has(second) && group.get("beta") === undefined && group.get(1) === third);
  await second.join();
  assertEquals((await group.terminate()).map((end) => end.reason), ["requested", "requested"]);
  assertEquals([group.size, [...group]], [0, []]);
  assertEquals(await group.terminate(), []);
});

forPopen("allocateId() gives ids in order, and leaves those that are there", async ({ group }) => {
  const specs = ["popen", "popen//id=mine", "popen"].map((text) => new XSpec(text));
  for (const spec of specs) group.allocateId(spec);
  assertEquals(specs.map((spec) => spec.id), ["gw0", "mine", "gw1"]);
  const gateway = await group.makeGateway(specs[2], QUIET);
  assertEquals(gateway.id, "gw1");
  assertThrows(() => group.allocateId(new XSpec("popen//id=gw1")), XSpecError);
});

forPopen("makeGateway() refuses a taken id before anything is started", async ({ group, open }) => {
  await open("id=alpha");
  const starting = group.makeGateway("popen//id=beta", QUIET);
  for (const id of ["alpha", "beta"]) {
    // With a command that would leave a trace if it were run.
    const error = await assertRejects(
      () => group.makeGateway(`popen//id=${id}//deno=false`, QUIET),
      XSpecError,
    );
    assertEquals((error as XSpecError).key, "id");
    assert((error as Error).message.includes(id));
  }
  await starting;
  assertEquals(group.size, 2);
});

forPopen("makeGateway() does not give an id that was asked for to another gateway", async ({ group }) => {
  const ids = await Promise.all(
    ["popen", "popen//id=gw1", "popen"].map(async (spec) => (await group.makeGateway(spec, QUIET)).id),
  );
  assertEquals(ids, ["gw0", "gw1", "gw2"]);
});

forPopen("an id is free again when its gateway has left", async ({ group, open }) => {
  const first = await open("id=alpha");
  await first[Symbol.asyncDispose]();
  const second = await open("id=alpha");
  assert(second !== first && group.get("alpha") === second);
  assertEquals(await second.remoteExec("channel.send(1)").receive(), 1);
});

forPopen("defaultSpec is what makeGateway() makes without a spec", async ({ group }) => {
  group.defaultSpec = "popen//env:MINE=yes";
  const gateway = await group.makeGateway(undefined, QUIET);
  assertEquals(await gateway.remoteExec(`channel.send(Deno.env.get("MINE"))`).receive(), "yes");
  group.defaultSpec = "nothing";
  await assertRejects(() => group.makeGateway(), XSpecError);
});

forPopen("Group.create() starts all, in the order of the specs", async () => {
  await using group = await Group.create(["popen", { popen: true, id: "mine" }, new XSpec("popen")], QUIET);
  assertEquals([...group].map((gateway) => gateway.id), ["gw0", "mine", "gw1"]);
  const answers = [...group].map((gateway) =>
    gateway.remoteExec("channel.send(channel.gateway.id)").receive()
  );
  assertEquals(await Promise.all(answers), ["gw0", "mine", "gw1"]);
});

forPopen("Group.create() refuses wrong specs and double ids before anything is started", async () => {
  await assertRejects(() => Group.create(["popen//deno=false", "nothing"]), XSpecError);
  await assertRejects(() => Group.create(["popen//deno=false//id=a", "popen//deno=false//id=a"]), XSpecError);
  await assertRejects(
    () => Group.create(["popen//deno=false//id=gw0", "popen", "popen//id=gw0"]),
    XSpecError,
  );
  assertEquals((await Group.create([])).size, 0);
  for (const specs of [["popen//id=gw0", "popen"], ["popen", "popen//id=gw0"]]) {
    await using group = await Group.create(specs, QUIET);
    assertEquals([...group].map((gateway) => gateway.id).sort(), ["gw0", "gw1"]);
  }
  // With a command that would leave a trace if it were run.
  const trace = `${await Deno.makeTempDir()}/started`;
  const tell = `popen//deno=sh -c "touch ${trace}"`;
  for (const wrong of [`${tell}//id=a`, "worker//chdir=/tmp", "ssh=host command", "popen//via=a"]) {
    const first = wrong.includes("id=a") ? wrong : tell;
    await assertRejects(() => Group.create([first, wrong]), XSpecError);
  }
  await assertRejects(() => Deno.stat(trace), Deno.errors.NotFound);
});

forPopen("makeGateway() of the module makes it in the default group", async () => {
  const before = defaultGroup.size;
  await using gateway = await makeGateway("popen", QUIET);
  assert(gateway.group === defaultGroup && defaultGroup.has(gateway));
  assertEquals(defaultGroup.size, before + 1);
  gateway.exit();
  assertEquals(defaultGroup.size, before);
});

forEachKind("four gateways at once each answer", async ({ open }) => {
  const gateways = await Promise.all([1, 2, 3, 4].map(() => open()));
  const pids = await Promise.all(
    gateways.map((gateway) => gateway.remoteExec("channel.send(Deno.pid)").receive()),
  );
  assertEquals(new Set(pids).size, 4);
}, { ownProcess: true });

forEachKind("terminate() ends gateways that wait, work and idle, and says how", async ({ open, group }) => {
  const gateways = [await open(), await open(), await open()];
  const pids = await Promise.all(gateways.map(async (gateway) => (await gateway.remoteInfo()).pid));
  await gateways[0]!.remoteExec(`channel.send(1); await channel.receive()`).receive();
  await gateways[1]!.remoteExec(`channel.send(1); for (;;) await new Promise((f) => setTimeout(f, 1))`)
    .receive();
  const ends = await group.terminate();
  for (const end of ends) assertEquals([end.code, end.forced, end.reason], [0, false, "requested"]);
  assertEquals(ends.length, 3);
  for (const pid of pids) await groupGone(pid);
}, { alone: true, local: true });

forEachKind("terminate() kills a gateway whose process is stopped, and no other", async ({ open, group }) => {
  const gateways = [await open(), await open()];
  const { pid } = await gateways[0]!.remoteInfo();
  Deno.kill(pid, "SIGSTOP");
  const [stopped, fine] = await limited("terminate", group.terminate({ timeout: 300 }), 4_000);
  assertEquals([stopped!.forced, stopped!.signal], [true, "SIGKILL"]);
  assertEquals([fine!.forced, fine!.code], [false, 0]);
  assertEquals(group.size, 0);
  await groupGone(pid);
}, { alone: true, local: true });

forEachKind("terminate() ends in bounded time with a full pipe", async ({ open, group }) => {
  const gateway = await open();
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec(
    `channel.send("up"); await channel.receive(); await new Promise(() => {})`,
  );
  await channel.receive();
  Deno.kill(pid, "SIGSTOP");
  // Many channels, each with a window's worth of bytes that nobody takes any more.
  const sends: Promise<unknown>[] = [];
  for (let i = 0; i < 20; i++) {
    const other = gateway.newChannel();
    sends.push(channel.send(other), other.send(new Uint8Array(2_000_000)));
  }
  const settled = Promise.allSettled(sends);
  const started = performance.now();
  const [end] = await limited("terminate", group.terminate({ timeout: 300 }), 4_000);
  assert(performance.now() - started < 3_000);
  assertEquals(end!.forced, true);
  await limited("the sends", settled);
  await groupGone(pid);
}, { alone: true, local: true });

forEachKind("terminate() ends a busy loop", async ({ open, group }) => {
  const gateway = await open();
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec(`await channel.send("up"); while (true) {}`);
  await channel.receive();
  const [end] = await limited("terminate", group.terminate({ timeout: 500 }), 5_000);
  assertEquals(end!.reason, "requested");
  await groupGone(pid);
}, { alone: true, local: true });

forEachKind("terminate() of many is as slow as one", async ({ open, group }) => {
  const gateways: Gateway[] = await Promise.all([1, 2, 3, 4, 5].map(() => open()));
  for (const gateway of gateways) Deno.kill((await gateway.remoteInfo()).pid, "SIGSTOP");
  const started = performance.now();
  const ends = await group.terminate({ timeout: 500 });
  assert(performance.now() - started < 3_000);
  assert(ends.every((end) => end.forced));
}, { alone: true, local: true });

forPopen("terminate() and asyncDispose may be called twice at once", async ({ open, group }) => {
  const gateway = await open();
  const [[first], second] = await Promise.all([group.terminate(), group.terminate()]);
  assertEquals(first!.reason, "requested");
  assertEquals(second.length <= 1, true);
  await gateway[Symbol.asyncDispose]();
});

forPopen("terminate() refuses a timeout that is none", async ({ open, group }) => {
  const gateway = await open();
  for (const timeout of [-1, NaN]) {
    await assertRejects(() => group.terminate({ timeout }), RangeError);
    await assertRejects(() => gateway.terminate(timeout), RangeError);
  }
  await assertRejects(() => gateway.terminate({ timeout: 5 } as unknown as number), TypeError);
  assertEquals(group.size, 1);
});

forPopen("await using ends all gateways of a group", async () => {
  let pids: number[];
  {
    await using group = await Group.create(["popen", "popen"], QUIET);
    pids = await Promise.all([...group].map(async (gateway) => (await gateway.remoteInfo()).pid));
  }
  for (const pid of pids) await until("it is gone", () => groupGone(pid).then(() => true));
});
