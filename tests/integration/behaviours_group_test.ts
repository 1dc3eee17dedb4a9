/** What execnet's own suite and its examples ask of groups, for gateways of every kind. */

import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { defaultGroup, type Gateway, Group, makeGateway, XSpec, XSpecError } from "../../mod.ts";
import { limited } from "../helpers/wait.ts";
import { forEachKind } from "./kinds.ts";

const QUIET = { stderr: "null" } as const;

forEachKind("a group counts, orders, finds and forgets gateways of its kind", async ({ group, open }) => {
  const first = await open();
  const second = await open("id=beta");
  const third = await open();
  assertEquals([...group].map(({ id }) => id), ["gw0", "beta", "gw1"]);
  assertEquals([group.size, group.get(0), group.get("beta"), group.get(-1)], [3, first, second, third]);
  assert(group.has(third) && group.has("gw1") && !group.has("gw2") && group.get("gw2") === undefined);
  second.exit();
  assertEquals([group.size, group.get("beta"), group.get(1)], [2, undefined, third]);
  await second.join();
  const copy: Gateway[] = [];
  for (const gateway of group) {
    gateway.exit();
    copy.push(gateway);
  }
  assertEquals([copy, group.size, [...group]], [[first, third], 0, []]);
  assert(Deno.inspect(group).includes("Group"));
}, { alone: true });

forEachKind("ids are given before the start, and explicit ones are kept", async ({ group, kind }) => {
  const specs = [kind.spec, `${kind.spec}//id=mine`, kind.spec].map((text) => new XSpec(text));
  for (const spec of specs) group.allocateId(spec);
  assertEquals(specs.map(({ id }) => id), ["gw0", "mine", "gw1"]);
  const gateways = await Promise.all(specs.toReversed().map((spec) => group.makeGateway(spec, QUIET)));
  assertEquals(gateways.map(({ id }) => id), ["gw1", "mine", "gw0"]);
  const next = await group.makeGateway(kind.spec, QUIET);
  assertEquals(next.id, "gw2");
  assertEquals(await next.remoteExec(`channel.send(channel.gateway.id)`).receive(), "gw2");
}, { alone: true });

forEachKind(
  "an id that is taken is refused, and nothing is started for it",
  async ({ group, open, kind }) => {
    const gateway = await open("id=alpha");
    const starting = group.makeGateway(`${kind.spec}//id=beta`, QUIET);
    for (const id of ["alpha", "beta"]) {
      const error = await assertRejects(() => group.makeGateway(`${kind.spec}//id=${id}`, QUIET), XSpecError);
      assertEquals((error as XSpecError).key, "id");
      assertThrows(() => group.allocateId(new XSpec(`${kind.spec}//id=${id}`)), XSpecError, id);
    }
    await starting;
    assertEquals([...group].map(({ id }) => id), ["alpha", "beta"]);
    assertEquals(await gateway.remoteExec(`channel.send(1)`).receive(), 1);
    // The leak check of these tests fails where a refused gateway has left a process behind.
    assertEquals((await group.terminate()).length, 2);
  },
  { alone: true },
);

forEachKind(
  "defaultSpec is what a group makes, and a wrong one is an XSpecError",
  async ({ group, kind }) => {
    group.defaultSpec = kind.spec;
    const gateway = await group.makeGateway(undefined, QUIET);
    assertEquals([gateway.spec.type, gateway.spec.execmodel], [
      new XSpec(kind.spec).type,
      kind.model,
    ]);
    group.defaultSpec = "hello=world";
    await assertRejects(() => group.makeGateway(), XSpecError, "gateway type");
    assertEquals(group.size, 1);
  },
  { alone: true },
);

forEachKind("defaultSpec may give every gateway a folder of its own", async ({ group, kind }) => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    const gateways: Gateway[] = [];
    for (const name of ["a", "b"]) {
      group.defaultSpec = `${kind.spec}//chdir=${folder}/${name}`;
      gateways.push(await group.makeGateway(undefined, QUIET));
    }
    const infos = await Promise.all(gateways.map((gateway) => gateway.remoteInfo()));
    assertEquals(infos.map(({ cwd }) => cwd), [`${folder}/a`, `${folder}/b`]);
    await group.terminate();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, { alone: true, ownProcess: true });

forEachKind("makeGateway() of the module puts every kind in the default group", async ({ kind }) => {
  await using gateway = await makeGateway(kind.spec, QUIET);
  assert(defaultGroup.has(gateway) && defaultGroup.get(gateway.id) === gateway);
  assert(gateway.group === defaultGroup);
  gateway.exit();
  assert(!defaultGroup.has(gateway) && defaultGroup.get(gateway.id) === undefined);
}, { alone: true });

forEachKind("group.remoteExec() of a function gives each gateway the kwargs", async ({ group, open }) => {
  await Promise.all([open("id=a"), open("id=b"), open("id=c")]);
  const ids = [...group].map(({ id }) => id);
  const all = group.remoteExec(async (channel, { add }: { add: number }) => {
    await channel.send([channel.gateway.id, await channel.receive() as number + add]);
  }, { add: 2 });
  await all.sendEach(40);
  assertEquals(await all.receiveEach(), ids.map((id) => [id, 42]));
  await all.waitClose();
}, { alone: true });

forEachKind(
  "terminate() ends every gateway once, and a second time does nothing",
  async ({ group, open }) => {
    const gateways = [await open(), await open()];
    const ends = await group.terminate();
    assertEquals(ends.map(({ code, forced, reason }) => [code, forced, reason]), [
      [0, false, "requested"],
      [0, false, "requested"],
    ]);
    assertEquals(await Promise.all(gateways.map(({ closed }) => closed)), ends);
    assertEquals([group.size, await group.terminate(), group.size], [0, [], 0]);
    assert(gateways.every((gateway) => !gateway.hasReceiver()));
    const again = await open();
    assertEquals([again.id, group.size], ["gw2", 1]);
  },
  { alone: true },
);

forEachKind(
  "terminate() ends remote code that receives, and remote code that sleeps",
  async ({ group, open }) => {
    const sources = [
      `await channel.send("up"); await channel.receive()`,
      `await channel.send("up"); await new Promise((resolve) => setTimeout(resolve, 1e8))`,
    ];
    const gateways = await Promise.all(sources.map(() => open()));
    const channels = gateways.map((gateway, i) => gateway.remoteExec(sources[i]!));
    for (const channel of channels) assertEquals(await channel.receive(), "up");
    const ends = await limited("the end", group.terminate({ timeout: 4_000 }), 8_000);
    assertEquals(ends.map(({ forced, reason }) => [forced, reason]), [[false, "requested"], [
      false,
      "requested",
    ]]);
    assert(channels.every((channel) => channel.isClosed()));
  },
  { alone: true },
);

forEachKind(
  "Group.create() starts its kind in parallel, and await using ends all of them",
  async ({ kind }) => {
    let gateways: Gateway[];
    {
      await using group = await Group.create([kind.spec, `${kind.spec}//id=b`], QUIET);
      gateways = [...group];
      assertEquals(gateways.map(({ id }) => id), ["gw0", "b"]);
      assertEquals(await group.remoteExec(`channel.send(1)`).receiveEach(), [1, 1]);
    }
    for (const { closed } of gateways) assertEquals((await closed).reason, "requested");
  },
  { alone: true },
);
