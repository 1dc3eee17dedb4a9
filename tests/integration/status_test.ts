/** What a gateway says of itself, busy or not. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { GatewayClosedError, TimeoutError } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { processState } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared, SEPARATE } from "./kinds.ts";

forEachKind("remoteStatus() of an idle gateway counts nothing and leaves nothing", async ({ open, kind }) => {
  const gateway = await open();
  for (let i = 0; i < 3; i++) {
    const status = await gateway.remoteStatus();
    assertEquals([status.numExecuting, status.numQueued, status.numChannels, status.numRunaway], [
      0,
      0,
      0,
      0,
    ]);
    assertEquals(status.execmodel, kind.model);
    assert(status.rss > 1024 * 1024 && status.uptime >= 0);
  }
});

forEachKindShared("remoteStatus() counts executions and channels, and forgets them", async ({ open }) => {
  const gateway = await open();
  const channels = [1, 2].map(() => gateway.remoteExec(`channel.send(1); await channel.receive()`));
  for (const channel of channels) await channel.receive();
  const busy = await gateway.remoteStatus();
  assertEquals([busy.numExecuting, busy.numChannels], [2, 2]);
  const other = gateway.newChannel();
  await channels[0]!.send(other);
  await channels[1]!.send(1);
  for (const channel of channels) await channel.waitClose();
  await other.close();
  await until("all are forgotten", async () => {
    const { numExecuting, numChannels } = await gateway.remoteStatus();
    return numExecuting === 0 && numChannels === 0;
  });
});

forEachKindShared("remoteStatus() is answered while every execution is busy", async ({ open, endless }) => {
  const gateway = await open();
  const channels = [1, 2].map(() => gateway.remoteExec(`await channel.send(1); ${endless}`));
  for (const channel of channels) await channel.receive();
  const status = await gateway.remoteStatus({ timeout: 5_000 });
  assertEquals(status.numExecuting, 2);
}, { models: SEPARATE });

forEachKindShared("remoteStatus() has a timeout and a signal, and goes on afterwards", async ({ open }) => {
  const gateway = await open();
  await assertRejects(() => gateway.remoteStatus({ timeout: 0 }), TimeoutError);
  const signal = AbortSignal.abort(new RangeError("enough"));
  await assertRejects(() => gateway.remoteStatus({ signal }), RangeError, "enough");
  await assertRejects(() => gateway.remoteStatus({ timeout: -1 }), RangeError);
  assertEquals((await gateway.remoteStatus()).numExecuting, 0);
});

forEachKind("remoteStatus() waits for a gateway whose only isolate is busy", async ({ open }) => {
  await withFolder(async (folder) => {
    const enough = `${folder}/enough`;
    const gateway = await open(`allow-read=${folder}`);
    const channel = gateway.remoteExec(`
      await channel.send(1);
      const there = () => { try { return Deno.statSync(${JSON.stringify(enough)}) } catch {} };
      while (!there());
    `);
    await channel.receive();
    await assertRejects(() => gateway.remoteStatus({ timeout: 20 }), TimeoutError);
    await Deno.writeTextFile(enough, "");
    assertEquals((await gateway.remoteStatus()).numRunaway, 0);
  });
}, { models: ["main"] });

forEachKindShared("many requests at once are all answered", async ({ open }) => {
  const gateway = await open();
  const answers = await Promise.all(Array.from({ length: 200 }, () => gateway.remoteStatus()));
  assert(answers.every((answer) => answer.numExecuting === 0));
});

forEachKind("remoteInfo() says what the process is", async ({ kind, open }) => {
  const gateway = await open("allow-read=/var/log,/etc//allow-env=HOME//env:MINE=1");
  const info = await gateway.remoteInfo();
  assertEquals([info.os, info.arch], [Deno.build.os, Deno.build.arch]);
  assertEquals([info.deno, info.v8, info.typescript], [
    Deno.version.deno,
    Deno.version.v8,
    Deno.version.typescript,
  ]);
  assertEquals(info.cwd, kind.folder ?? Deno.cwd());
  assert(info.pid !== Deno.pid && processState(info.pid) !== undefined);
  assertEquals(info.permissions.toSorted(), ["allow-env=HOME,MINE", "allow-read=/var/log,/etc"]);
  assertEquals(info.hostname, undefined);
}, { local: true });

forEachKind("remoteInfo() knows the host's name where that is allowed", async ({ open }) => {
  const info = await (await open("allow-sys=hostname")).remoteInfo();
  assertEquals(info.hostname, Deno.hostname());
}, { local: true });

forEachKindShared("remoteInfo() of a gateway that may do nothing names nothing", async ({ open }) => {
  assertEquals((await (await open()).remoteInfo()).permissions, []);
});

forEachKind("remoteInfo() is remembered until an update is asked for", async ({ open }) => {
  const gateway = await open("allow-read//allow-write");
  const before = await gateway.remoteInfo();
  const channel = gateway.remoteExec(
    `Deno.chdir("/"); await channel.send(Deno.cwd()); await channel.receive()`,
  );
  assertEquals(await channel.receive(), "/");
  assertEquals((await gateway.remoteInfo()).cwd, before.cwd);
  assertEquals((await gateway.remoteInfo({ update: true })).cwd, "/");
  assertEquals((await gateway.remoteInfo()).cwd, "/");
  await channel.send(1);
  // In a worker gateway this would be the working directory of all tests.
}, { models: ["main"], ownProcess: true });

forEachKindShared("remoteInfo() is a copy", async ({ open }) => {
  const gateway = await open();
  const info = await gateway.remoteInfo();
  info.cwd = "changed";
  info.permissions.push("changed");
  assert((await gateway.remoteInfo()).cwd !== "changed");
  assertEquals((await gateway.remoteInfo()).permissions, []);
});

forEachKind("requests to a gateway that has ended reject with GatewayClosedError", async ({ open }) => {
  const gateway = await open();
  const info = await gateway.remoteInfo();
  gateway.exit();
  await gateway.join();
  await assertRejects(() => gateway.remoteStatus(), GatewayClosedError);
  await assertRejects(() => gateway.remoteInfo({ update: true }), GatewayClosedError);
  assertEquals(await gateway.remoteInfo(), info);
});

forEachKind("a request that waits rejects when the gateway is killed", async ({ open }) => {
  const gateway = await open();
  const { pid } = await gateway.remoteInfo();
  Deno.kill(pid, "SIGSTOP");
  const status = assertRejects(() => gateway.remoteStatus(), GatewayClosedError);
  Deno.kill(pid, "SIGKILL");
  await status;
}, { local: true });

forEachKind("a gateway has its spec, its group and its id", async ({ open, group, kind }) => {
  const gateway = await open("id=alpha");
  assertEquals([gateway.id, gateway.spec.execmodel, gateway.hasReceiver()], ["alpha", kind.model, true]);
  assert(gateway.group === group && group.get("alpha") === gateway && group.has(gateway));
  assert(Deno.inspect(gateway).includes("Gateway"));
  assert(`${gateway}`.length > 0);
}, { alone: true });
