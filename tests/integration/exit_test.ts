/** The end of a gateway: asked for, waited for, or suffered. */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import {
  type Channel,
  ChannelClosedError,
  EOFError,
  type Gateway,
  GatewayClosedError,
  TimeoutError,
} from "../../mod.ts";
import { gone, groupGone, processState } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind, SEPARATE } from "./kinds.ts";

forEachKind("exit() leaves the group at once and ends the process", async ({ open, group }) => {
  const gateway = await open("id=alpha");
  gateway.exit();
  assertEquals([group.size, group.has("alpha"), group.get("alpha")], [0, false, undefined]);
  gateway.exit();
  const end = await gateway.join();
  assertEquals(end, {
    id: "alpha",
    code: 0,
    signal: undefined,
    forced: false,
    reason: "requested",
    stderrTail: "",
  });
  assert(!gateway.hasReceiver());
  gateway.exit();
  assertEquals(await gateway.closed, end);
  assertEquals(await gateway.join({ timeout: 0 }), end);
}, { alone: true });

forEachKind("exit() ends the process although remote code waits", async ({ open }) => {
  const gateway = await open();
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec(`channel.send(1); await channel.receive(); await new Promise(() => {})`);
  await channel.receive();
  gateway.exit();
  const end = await gateway.join({ timeout: 5_000 });
  assertEquals([end.forced, end.reason], [false, "requested"]);
  await groupGone(pid);
}, { local: true });

forEachKind("exit() ends the process although remote code is in a busy loop", async ({ open, endless }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`await channel.send(1); ${endless}`);
  await channel.receive();
  gateway.exit();
  const end = await gateway.join({ timeout: 5_000 });
  assertEquals(end.reason, "requested");
}, { models: SEPARATE });

forEachKind("exit() ends every channel with an EOFError", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`channel.send(1); await channel.receive()`);
  const idle = gateway.newChannel();
  await until("the item is there", async () => {
    const poll = channel.receive({ timeout: 0 });
    return await poll.then(() => true, () => false);
  });
  const waiting = assertRejects(() => channel.receive(), EOFError);
  gateway.exit();
  await waiting;
  await gateway.join();
  for (const one of [channel, idle]) {
    assert(one.isClosed());
    for (let i = 0; i < 2; i++) await assertRejects(() => one.receive(), EOFError);
    await assertRejects(() => one.send(1), ChannelClosedError);
    assertEquals(await Array.fromAsync(one), []);
    await one.waitClose();
  }
});

forEachKind("exit() lets arrived items stay readable", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`for (const i of [1, 2, 3]) channel.send(i)`);
  await channel.waitClose();
  gateway.exit();
  await gateway.join();
  assertEquals(await Array.fromAsync(channel), [1, 2, 3]);
});

forEachKind("join() rejects with TimeoutError while the gateway lives", async ({ open }) => {
  const gateway = await open();
  await assertRejects(() => gateway.join({ timeout: 20 }), TimeoutError);
  const signal = AbortSignal.abort(new RangeError("enough"));
  await assertRejects(() => gateway.join({ signal }), RangeError, "enough");
  assertEquals(await gateway.remoteExec("channel.send(1)").receive(), 1);
});

forEachKind("[Symbol.asyncDispose]() ends the gateway", async ({ open, group }) => {
  let gateway: Gateway;
  {
    await using inner = await open();
    gateway = inner;
    assertEquals(await inner.remoteExec("channel.send(1)").receive(), 1);
  }
  assertEquals(group.size, 0);
  assertEquals((await gateway.closed).reason, "requested");
  assert(!gateway.hasReceiver());
  await gateway[Symbol.asyncDispose]();
}, { alone: true });

/** Kills the process behind the gateway and waits until this side knows. */
async function crash(gateway: Gateway, signal: Deno.Signal = "SIGKILL"): Promise<void> {
  Deno.kill((await gateway.remoteInfo()).pid, signal);
  await gateway.closed;
}

async function assertDead(channel: Channel, signal: string, tail: string): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const error = await assertRejects(() => channel.receive(), EOFError) as GatewayClosedError;
    assertInstanceOf(error, GatewayClosedError);
    assertEquals(error.signal, signal);
    assertMatch(error.stderrTail, new RegExp(tail));
    assert(error.message.includes(signal), error.message);
  }
  await assertRejects(() => channel.send(1), ChannelClosedError);
  await assertRejects(() => channel.waitClose(), GatewayClosedError);
  await assertRejects(async () => {
    for await (const _ of channel);
  }, GatewayClosedError);
}

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  forEachKind(
    `a remote process that is ended by ${signal} ends every channel with GatewayClosedError`,
    async (setting) => {
      const gateway = await setting.open();
      const { pid } = await gateway.remoteInfo();
      const channel = gateway.remoteExec(
        `console.error("last words"); channel.send(1); await channel.receive()`,
      );
      const other = gateway.remoteExec(`channel.send(2); await channel.receive()`);
      assertEquals([await channel.receive(), await other.receive()], [1, 2]);
      await until("the words are there", async () => {
        await gateway.remoteStatus();
        return true;
      });
      const waiting = limited("a receive", assertRejects(() => other.receive(), GatewayClosedError));
      await crash(gateway, signal);
      const error = await waiting as GatewayClosedError;
      assertEquals([error.signal, error.requested], [signal, false]);
      const end = await gateway.closed;
      assertEquals([end.signal, end.forced], [signal, false]);
      assertMatch(end.reason, new RegExp(signal));
      await assertDead(channel, signal, "last words");
      await assertDead(other, signal, "last words");
      assert(!gateway.hasReceiver());
      assertEquals(setting.group.size, 0);
      await groupGone(pid);
    },
    { local: true, alone: true },
  );
}

forEachKind("an item that had arrived before the crash can be received after it", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`channel.send(1); channel.send(2); await channel.receive()`);
  assertEquals(await channel.receive(), 1);
  assertEquals(await channel.receive(), 2);
  const done = gateway.remoteExec(`channel.send(3)`);
  await done.waitClose();
  await crash(gateway);
  assertEquals(await done.receive(), 3);
}, { local: true });

forEachKind("what a crashed process has started is gone with it", async ({ open }) => {
  const gateway = await open("allow-run=sleep");
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec(`
    const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
    channel.send([child.pid, Deno.pid]);
    await child.status;
  `);
  const [child, execution] = await channel.receive() as number[];
  await crash(gateway);
  await gone(child!);
  await groupGone(execution!);
  await groupGone(pid);
}, { local: true });

forEachKind("what a gateway has started is gone with it", async ({ open }) => {
  const gateway = await open("allow-run=sh");
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec(`
    const child = new Deno.Command("sh", { args: ["-c", "trap '' TERM HUP INT; sleep 1000 & wait"] }).spawn();
    channel.send([child.pid, Deno.pid]);
    await child.status;
  `);
  const [child, execution] = await channel.receive() as number[];
  const { group } = processState(execution!)!;
  assertEquals(processState(child!)!.group, group);
  await gateway[Symbol.asyncDispose]();
  await gone(child!);
  await groupGone(group);
  await gone(pid);
}, { local: true });

forEachKind("a stopped process is killed after the time for exiting", async ({ open }) => {
  const gateway = await open();
  const { pid } = await gateway.remoteInfo();
  Deno.kill(pid, "SIGSTOP");
  const end = await limited("the end", gateway.terminate(300), 4_000);
  assertEquals([end.forced, end.signal, end.reason], [true, "SIGKILL", "requested"]);
  await groupGone(pid);
}, { local: true });

forEachKind("a gateway that is killed is reported, and later calls say so", async ({ open }) => {
  const gateway = await open();
  await crash(gateway);
  await assertRejects(() => gateway.remoteStatus(), GatewayClosedError);
  let thrown: unknown;
  try {
    gateway.remoteExec("channel.send(1)");
  } catch (error) {
    thrown = error;
  }
  assertInstanceOf(thrown, GatewayClosedError);
  assertMatch((thrown as Error).message, /SIGKILL/);
}, { local: true });
