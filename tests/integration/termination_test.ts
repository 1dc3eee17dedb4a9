/** Ends in bounded time: what terminate() promises, with a truthful report, whatever the far side is doing. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import type { ProcessEnd, SpawnedProcess } from "../../gateway/process/process.ts";
import { stop } from "../../gateway/stop.ts";
import type { GatewayExit } from "../../gateway/stop.ts";
import type { Gateway } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { gone, groupGone, processState, sameMark } from "../helpers/leaks.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";
import { forEachKind, SEPARATE } from "./kinds.ts";

/** Starts a child with a child of its own, both deaf to polite signals; resolves with both, and the execution's process. */
async function startFamily(gateway: Gateway): Promise<number[]> {
  const channel = gateway.remoteExec(`
    const child = new Deno.Command("sh", {
      args: ["-c", "trap '' TERM INT HUP; sleep 1000 & echo $!; while true; do wait; done"],
      stdout: "piped",
    }).spawn();
    const { value } = await child.stdout.getReader().read();
    await channel.send([child.pid, Number(new TextDecoder().decode(value)), Deno.pid]);
    await new Promise(() => {});
  `);
  return await channel.receive() as number[];
}

forEachKind("terminate() ends children and grandchildren of remote code with it", async ({ open, group }) => {
  const gateway = await open("allow-run=sh");
  const { pid } = await gateway.remoteInfo();
  const [child, grandchild, execution] = await startFamily(gateway);
  // The shell tells of it before it has become that.
  await until("the grandchild sleeps", () => processState(grandchild!)?.command.startsWith("sleep") ?? false);
  assert(processState(child!) !== undefined);
  const [end] = await limited("terminate", group.terminate(), 8_000);
  assertEquals([end!.code, end!.signal, end!.forced, end!.reason], [0, undefined, false, "requested"]);
  await gone(child!);
  await gone(grandchild!);
  await groupGone(execution!);
  await groupGone(pid);
}, { alone: true, local: true });

/** Ways for a child to leave the process group of its starter, or all relation to it. */
const LEAVINGS = [
  ["by detached", "sleep 1001"],
  ["by setsid", "setsid sleep 1002 & wait"],
  ["as a daemon", "(setsid sh -c 'sleep 1003; true' &) ; sleep 1004"],
] as const;

for (const [how, script] of LEAVINGS) {
  forEachKind(`terminate() kills what has left the process group ${how}`, async ({ open, group }) => {
    const gateway = await open("allow-run");
    const { pid } = await gateway.remoteInfo();
    const channel = gateway.remoteExec(
      async (channel, { script }: { script: string }) => {
        const child = new Deno.Command("sh", { args: ["-c", script], detached: true }).spawn();
        await channel.send(child.pid);
        await new Promise(() => {});
      },
      { script },
    );
    const child = await channel.receive() as number;
    const sleepers = script.match(/sleep/g)!.length;
    const strays = await until("the sleepers sleep", () => {
      const found = sameMark(child).filter((one) => one.command.startsWith("sleep"));
      return found.length === sleepers && found;
    });
    const [end] = await limited("terminate", group.terminate(), 8_000);
    assertEquals(end!.reason, "requested");
    for (const stray of [child, ...strays.map((one) => one.pid)]) await gone(stray);
    await groupGone(pid);
  }, { alone: true, local: true });
}

forEachKind("terminate() ends starts that are under way", async ({ kind, group }) => {
  const starting = group.makeGateway(kind.spec, { stderr: "null" });
  const ended = assertRejects(() => starting, DOMException, "terminated");
  await limited("terminate", group.terminate());
  await limited("the start", ended);
  assertEquals(group.size, 0);
  // The group can be used again.
  const gateway = await group.makeGateway(kind.spec, { stderr: "null" });
  assertEquals(await gateway.call(() => 1), 1);
}, { alone: true });

forEachKind("terminate() kills the whole tree of a process that is stopped", async ({ open, group }) => {
  const gateway = await open("allow-run=sh");
  const { pid } = await gateway.remoteInfo();
  const [child, grandchild, execution] = await startFamily(gateway);
  for (const one of new Set([child!, execution!, pid])) Deno.kill(one, "SIGSTOP");
  const [end] = await limited("terminate", group.terminate({ timeout: 300 }));
  assertEquals([end!.code, end!.signal, end!.forced, end!.reason], [137, "SIGKILL", true, "requested"]);
  for (const one of [child!, grandchild!, execution!, pid]) await gone(one);
  await groupGone(execution!);
  await groupGone(pid);
}, { alone: true, local: true });

forEachKind("terminate() kills a process group that stands still with its guard", async ({ open, group }) => {
  const gateway = await open("allow-run=sh");
  const { pid } = await gateway.remoteInfo();
  const [child, grandchild, execution] = await startFamily(gateway);
  const groups = new Set([execution!, pid].map((one) => processState(one)!.group));
  for (const one of groups) Deno.kill(-one, "SIGSTOP");
  const [end] = await limited("terminate", group.terminate({ timeout: 300 }));
  assertEquals([end!.code, end!.signal, end!.forced, end!.reason], [137, "SIGKILL", true, "requested"]);
  for (const one of [child!, grandchild!, execution!, pid]) await gone(one);
  for (const one of groups) await groupGone(one);
}, { alone: true, local: true, models: ["worker", "process"] });

forEachKind(
  "terminate() of a worker gateway ends the processes that its code has started",
  async (setting) => {
    const gateway = await setting.open("allow-run=sleep");
    const channel = gateway.remoteExec(`
    const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
    await channel.send(child.pid);
    await child.status;
  `);
    const child = await channel.receive() as number;
    assert(processState(child) !== undefined);
    const [end] = await limited("terminate", setting.group.terminate(), 8_000);
    assertEquals(end!.forced, false);
    await gone(child);
  },
  { inside: true },
);

forEachKind("terminate() ends a gateway while both sides write without pause", async ({ open, group }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const others = await channel.receive();
    await channel.send("up");
    const bytes = new Uint8Array(500_000);
    await Promise.all(others.map(async (other) => { while (true) await other.send(bytes) }));
  `);
  const others = Array.from({ length: 10 }, () => gateway.newChannel());
  await channel.send(others);
  assertEquals(await channel.receive(), "up");
  const bytes = new Uint8Array(500_000);
  // Nobody reads on either side, but for one: so all the others hold full windows, and one keeps the link busy.
  const writes = others.map(async (other) => {
    while (true) await other.send(bytes);
  });
  const settled = Promise.allSettled(writes);
  for (let i = 0; i < 20; i++) await others[0]!.receive();
  const [end] = await limited("terminate", group.terminate(), 8_000);
  assertEquals([end!.forced, end!.reason], [false, "requested"]);
  for (const { status } of await limited("the writes", settled)) assertEquals(status, "rejected");
}, { alone: true });

forEachKind("terminate() ends a busy loop behind a full pipe", async ({ open, group }) => {
  const gateway = await open();
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec(`
    const others = await channel.receive();
    others.length = 0;
    await channel.send("up");
    await new Promise((resolve) => setTimeout(resolve));
    while (true) {}
  `);
  const others = Array.from({ length: 20 }, () => gateway.newChannel());
  await channel.send(others);
  assertEquals(await channel.receive(), "up");
  const settled = Promise.allSettled(others.map((other) => other.send(new Uint8Array(2_000_000))));
  const [end] = await limited("terminate", group.terminate({ timeout: 500 }));
  assertEquals(end!.reason, "requested");
  await limited("the sends", settled);
  await groupGone(pid);
}, { alone: true, local: true });

forEachKind("terminate() with no time at all leaves nothing", async ({ open, group }) => {
  const gateways = [await open(), await open()];
  const pids = await Promise.all(gateways.map(async (gateway) => (await gateway.remoteInfo()).pid));
  await gateways[0]!.remoteExec(`await channel.send("up"); while (true) {}`).receive();
  const ends = await limited("terminate", group.terminate({ timeout: 0 }));
  assertEquals(ends.map(({ reason }) => reason), ["requested", "requested"]);
  for (const pid of pids) await groupGone(pid);
}, { alone: true, local: true });

forEachKind("terminate() reports of each gateway how that one ended", async ({ open, group, kind }) => {
  const [idle, stopped, busy, crashed] = await Promise.all([open(), open(), open(), open()]);
  await busy!.remoteExec(`await channel.send("up"); while (true) {}`).receive();
  Deno.kill((await stopped!.remoteInfo()).pid, "SIGSTOP");
  Deno.kill((await crashed!.remoteInfo()).pid, "SIGKILL");
  const { reason, ...how } = await crashed!.closed;
  assertEquals(how, { id: crashed!.id, code: 137, signal: "SIGKILL", forced: false, stderrTail: "" });
  assertMatch(reason, /SIGKILL/);
  const requested = { forced: false, reason: "requested", stderrTail: "" };
  // Those that go by themselves get all the time that they may need.
  assertEquals(await idle!.terminate(), { ...requested, id: idle!.id, code: 0, signal: undefined });
  // Where executions have isolates of their own, the agent of a busy one hears of the end and goes by itself.
  const own = SEPARATE.includes(kind.model);
  if (own) assertEquals(await busy!.terminate(), { ...requested, id: busy!.id, code: 0, signal: undefined });
  assertEquals(new Set(group), new Set(own ? [stopped] : [stopped, busy]));
  const ends = await limited("terminate", group.terminate({ timeout: 500 }));
  const end = (gateway: Gateway | undefined): GatewayExit => ends.find(({ id }) => id === gateway!.id)!;
  assertEquals(end(stopped), {
    ...requested,
    id: stopped!.id,
    code: 137,
    signal: "SIGKILL",
    forced: true,
  });
  // ssh passes no signal on: the end of its connection is the end.
  const signal = kind.farSide === undefined ? "SIGTERM" : "SIGKILL";
  const told = { id: busy!.id, code: kind.farSide === undefined ? 143 : 137, signal, forced: true };
  if (!own) assertEquals(end(busy), { ...requested, ...told });
}, { alone: true, local: true });

for (const code of [0, 7]) {
  forEachKind(`closed reports that the process ended itself with code ${code}`, async ({ open, group }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`console.error("last words"); Deno.exit(${code})`);
    const end = await limited("the end", gateway.closed);
    assertEquals([end.code, end.signal, end.forced], [code, undefined, false]);
    assertEquals(end.reason, `the process ended with code ${code}`);
    assertMatch(end.stderrTail, /last words/);
    assert(channel.isClosed() && !gateway.hasReceiver());
    assertEquals(group.size, 0);
  }, { alone: true, models: ["main"] });
}

forEachKind("terminate() prints nothing of executions that are under way", async ({ open, group }) => {
  const gateway = await open("", { stderr: "piped" });
  const output = new TextTap(gateway.stderr!);
  const sources = [
    `await channel.send("up"); await channel.receive()`,
    `await channel.send("up"); await new Promise((resolve) => setTimeout(resolve, 1e8))`,
    `await channel.send("up"); for await (const item of channel) await channel.send(item)`,
    `while (true) { await channel.send("up"); await new Promise((resolve) => setTimeout(resolve)) }`,
  ];
  const channels = sources.map((source) => gateway.remoteExec(source));
  for (const channel of channels) assertEquals(await channel.receive(), "up");
  const [end] = await limited("terminate", group.terminate(), 8_000);
  await output.ended;
  assertEquals([output.text, end!.stderrTail, end!.forced], ["", "", false]);
}, { alone: true });

forEachKind(
  "exit() returns at once while remote code sleeps, and its process goes",
  async ({ open, group }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    await channel.send("up");
    await new Promise((resolve) => setTimeout(resolve, 1e8));
  `);
    assertEquals(await channel.receive(), "up");
    assertEquals(gateway.exit(), undefined);
    assertEquals(group.size, 0);
    const { forced, reason } = await gateway.join({ timeout: 5_000 });
    assertEquals([forced, reason], [false, "requested"]);
    await channel.waitClose();
  },
  { alone: true },
);

/** A process that does what the test says when it is told to end. */
function fakeProcess(
  deaf: boolean,
): { process: SpawnedProcess; closed: Promise<GatewayExit>; told: string[] } {
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<GatewayExit>();
  const end = (signal: string): void => {
    told.push(signal);
    if (!deaf) resolve({ id: "x", code: 1, signal, forced: false, reason: "requested", stderrTail: "" });
  };
  const process = {
    pid: 1,
    ended: new Promise<ProcessEnd>(() => {}),
    output: undefined,
    connected: Promise.reject(new Error("never")),
    terminate: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    forced: true,
    keepAlive: () => {},
  } satisfies SpawnedProcess;
  process.connected.catch(() => {});
  return { process, closed: promise, told };
}

test("stop() comes back though the system does not end the process, and ends the others", async () => {
  const stuck = fakeProcess(true);
  const others = Array.from({ length: 9 }, () => fakeProcess(false));
  const ends = await limited(
    "all",
    Promise.all([stuck, ...others].map(({ process, closed }) => stop("x", process, closed, 20))),
    8_000,
  );
  assertEquals(stuck.told, ["SIGTERM", "SIGKILL"]);
  assertEquals([ends[0]!.code, ends[0]!.forced], [-1, true]);
  assertMatch(ends[0]!.reason, /has not ended/);
  for (const [i, { told }] of others.entries()) {
    assertEquals([told, ends[i + 1]!.signal], [["SIGTERM"], "SIGTERM"]);
  }
});

test("stop() does not kill what ends in time", async () => {
  const fakes = Array.from({ length: 10 }, () => fakeProcess(true));
  const end: GatewayExit = {
    id: "x",
    code: 0,
    signal: undefined,
    forced: false,
    reason: "requested",
    stderrTail: "",
  };
  const ends = await Promise.all(fakes.map(({ process }) => stop("x", process, Promise.resolve(end), 5_000)));
  assertEquals(ends, fakes.map(() => end));
  assertEquals(fakes.flatMap(({ told }) => told), []);
});

forEachKind(
  "a gateway whose group was left before its end is ended by terminate() all the same",
  async (setting) => {
    const gateway = await setting.open();
    const { pid } = await gateway.remoteInfo();
    Deno.kill(pid, "SIGSTOP");
    gateway.exit();
    assertEquals(setting.group.size, 0);
    const [end] = await limited("terminate", setting.group.terminate({ timeout: 300 }));
    assertEquals([end!.forced, end!.signal], [true, "SIGKILL"]);
    await until("it is known to have ended", () => !gateway.hasReceiver());
    await groupGone(pid);
  },
  { local: true, alone: true },
);

forEachKind("terminate() gives as long as it was told, and not what exit() gives", async ({ open }) => {
  const gateway = await open();
  const { pid } = await gateway.remoteInfo();
  Deno.kill(pid, "SIGSTOP");
  const ended = gateway.terminate(60_000);
  // Longer than exit() waits.
  await new Promise((resolve) => setTimeout(resolve, 5_500));
  Deno.kill(pid, "SIGCONT");
  const { forced, code, reason } = await ended;
  assertEquals([forced, code, reason], [false, 0, "requested"]);
}, { local: true, alone: true, models: ["main"] });
