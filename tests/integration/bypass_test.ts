/** The links of executions past the router: what they may not give away, and that they end with what they belong to. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type Channel, type Gateway, makeGateway, RemoteError } from "../../mod.ts";
import { exists } from "../helpers/folder.ts";
import { until } from "../helpers/wait.ts";

/** Executions of both models bring links. */
function forEachModel(name: string, body: (spec: string) => Promise<void>): void {
  for (const model of ["worker", "process"]) {
    Deno.test(`${name} [${model}]`, () => body(`popen//execmodel=${model}`));
  }
}

/** Where links are brought to, as the arguments of a gateway's process say. */
async function placeOf(gateway: Gateway): Promise<string> {
  const { pid } = await gateway.remoteInfo();
  return /"path":"([^"]+)"/.exec(decodeURIComponent(Deno.readTextFileSync(`/proc/${pid}/cmdline`)))![1]!;
}

forEachModel("an execution holds no permission for the socket that its own link came by", async (spec) => {
  await using gateway = await makeGateway(spec);
  const path = await placeOf(gateway);
  assert(exists(path), "the place for further links is there as long as the gateway is");
  for (let i = 0; i < 3; i++) {
    const channel = gateway.remoteExec(async (channel, { path }: { path: string }) => {
      const states = [
        { name: "read", path } as const,
        { name: "write", path } as const,
        { name: "net", host: `unix:${path}` } as const,
      ].map((one) => Deno.permissions.querySync(one).state);
      const refused = await Deno.connect({ transport: "unix", path }).then(() => "none", ({ name }) => name);
      await channel.send([...states, refused]);
    }, { path });
    assertEquals(await channel.receive(), ["prompt", "prompt", "prompt", "NotCapable"]);
  }
});

Deno.test("what an execution gives back of its permissions the others keep", async () => {
  for (const model of ["worker", "process"]) {
    await using gateway = await makeGateway(`popen//allow-read=/etc//execmodel=${model}`);
    const read = `await Deno.stat("/etc/passwd"); await channel.send("read");`;
    const first = gateway.remoteExec(`Deno.permissions.revokeSync({ name: "read" }); ${read}`);
    await assertRejects(() => first.receive(), RemoteError, "Requires read access");
    for (let i = 0; i < 3; i++) assertEquals(await gateway.remoteExec(read).receive(), "read");
  }
});

/** The sockets that were connected to a place, and the one that listens there; all bear its path. */
function socketsAt(path: string): number {
  return Deno.readTextFileSync("/proc/net/unix").split("\n").filter((line) => line.endsWith(` ${path}`))
    .length;
}

forEachModel("links end with their executions, however these end, and their place with it", async (spec) => {
  const gateway = await makeGateway(spec, { stderr: "null" });
  const path = await placeOf(gateway);
  const busy = gateway.remoteExec(`await channel.send(0); while (true);`);
  await busy.receive();
  const channels = Array.from(
    { length: 5 },
    () => gateway.remoteExec(`await channel.send(1); await channel.receive()`),
  );
  for (const channel of channels) await channel.receive();
  assert(socketsAt(path) >= 2 + 6, "a link for each");
  for (const channel of channels) await channel.send(1);
  for (const channel of channels) await channel.waitClose();
  busy.kill();
  await assertRejects(() => busy.waitClose(), RemoteError);
  // What is left is the gateway's own connection, the place for others, and the link of a spare.
  await until("few links are left", () => socketsAt(path) <= 3);
  await gateway.terminate(500);
  await until("no link is left", () => socketsAt(path) === 0);
  await until("no place is left", () => !exists(path));
});

forEachModel("a channel of an execution that is killed ends though that never yields", async (spec) => {
  await using gateway = await makeGateway(spec);
  const inner = gateway.newChannel();
  const busy = gateway.remoteExec(`
    const inner = await channel.receive();
    await inner.send("here");
    while (true);
  `);
  await busy.send(inner);
  assertEquals(await inner.receive(), "here");
  busy.kill(new Error("enough"));
  await assertRejects(() => inner.waitClose(), RemoteError, "enough");
  assertEquals(await gateway.remoteExec(`await channel.send(1)`).receive(), 1);
});

forEachModel("status counts the channels of executions with links of their own once", async (spec) => {
  await using gateway = await makeGateway(spec);
  const channel = gateway.remoteExec(`for await (const one of channel) await one.send("met");`);
  const inner = Array.from({ length: 3 }, () => gateway.newChannel());
  for (const one of inner) {
    await channel.send(one);
    assertEquals(await one.receive(), "met");
  }
  const { numChannels, numExecuting, channels } = await gateway.remoteStatus();
  assertEquals([numChannels, numExecuting, channels.length], [4, 1, 4]);
});

forEachModel("status counts no execution whose channel has closed", async (spec) => {
  await using gateway = await makeGateway(spec);
  for (let i = 0; i < 12; i++) {
    await gateway.remoteExec(`await channel.send(1)`).waitClose();
    assertEquals((await gateway.remoteStatus()).numExecuting, 0);
  }
});

Deno.test("an execution cannot open what another one has opened by its link", async () => {
  await using gateway = await makeGateway("popen");
  const victim = gateway.remoteExec(`
    const inner = channel.gateway.newChannel();
    await channel.send(inner);
    for await (const item of inner) await inner.send(item);
  `);
  const inner = await victim.receive() as Channel;
  const ids = (await gateway.remoteStatus()).channels.map(({ id }) => id).filter((id) => id % 2 === 0);
  assertEquals(ids.length, 1);
  // With less than its gateway it has no link, and its frames pass the router.
  const forger = gateway.remoteExec(
    async (channel, { id }: { id: number }) => {
      const { push } = Array.prototype;
      let forged = 0;
      Array.prototype.push = function (...items: unknown[]): number {
        const [frame] = items;
        if (frame instanceof Uint8Array && frame.length === 18 && frame[0] === 17) {
          new DataView(frame.buffer).setUint32(4, id);
          forged++;
        }
        return push.apply(this, items);
      };
      await channel.send(channel.gateway.newChannel());
      Array.prototype.push = push;
      await channel.send(forged);
      await new Promise(() => {});
    },
    { id: ids[0]! },
    { permissions: {} },
  );
  assert((await forger.receive() as Channel).isClosed(), "what could not be opened");
  assertEquals(await forger.receive(), 1);
  await inner.send("mine");
  assertEquals(await inner.receive(), "mine");
  assert((await gateway.remoteStatus()).channels.some(({ id }) => id === ids[0]));
});
