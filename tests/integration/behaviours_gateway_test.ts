/** What execnet's own suite asks of gateways, where the tests beside this one do not show it yet. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { RemoteError } from "../../mod.ts";
import * as everything from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { limited } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared, forPopen } from "./kinds.ts";
import { end, start } from "./program.ts";

Deno.test("mod.ts exports every error, with its name on the prototype and its parent", () => {
  const parents: [name: string, parent: string][] = [
    ["XSpecError", "Error"],
    ["ConnectError", "Error"],
    ["HostNotFoundError", "ConnectError"],
    ["EOFError", "Error"],
    ["GatewayClosedError", "EOFError"],
    ["ChannelClosedError", "Error"],
    ["RemoteError", "Error"],
    ["TimeoutError", "Error"],
    ["DataFormatError", "Error"],
    ["DumpError", "DataFormatError"],
    ["LoadError", "DataFormatError"],
  ];
  const classes = { Error, ...everything } as unknown as Record<string, ErrorConstructor>;
  for (const [name, parent] of parents) {
    assertEquals(Object.getPrototypeOf(classes[name]), classes[parent], name);
    assert(Object.hasOwn(classes[name]!.prototype, "name"), name);
    assertEquals(classes[name]!.prototype.name, name);
  }
});

forEachKind("the start of a gateway loads no code from anywhere", async ({ open }) => {
  await withFolder(async (folder) => {
    const gateway = await open(`deno=env DENO_DIR=${folder} ${Deno.execPath()}`);
    assertEquals(await gateway.remoteExec("channel.send(1)").receive(), 1);
    const info = await gateway.remoteInfo();
    assertEquals(info.deno, Deno.version.deno);
    // Deno makes the folders of its cache in advance.
    const places = [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory);
    const loaded = places.flatMap(({ name }) => [...Deno.readDirSync(`${folder}/${name}`)]);
    assertEquals(loaded, []);
  });
}, { popen: true });

forEachKindShared("an exception of a function shows the caller's own file and line", async ({ open }) => {
  const gateway = await open();
  const error = await assertRejects(
    () =>
      gateway.remoteExec(function job(): never {
        throw new RangeError("why"); // The line that is looked for.
      }).waitClose(),
    RemoteError,
  ) as RemoteError;
  const lines = (await Deno.readTextFile(new URL(import.meta.url))).split("\n");
  const line = lines.findIndex((text) => text.endsWith("// The line that is looked for.")) + 1;
  assert(error.remoteStack!.includes(`${import.meta.url}:${line}:`), error.remoteStack);
  assertMatch(error.formatted, /RangeError: why\n.*behaviours_gateway_test\.ts/);
});

forEachKind(
  "a gateway starts in the working directory that its program has at that time",
  async ({ kind }) => {
    await withFolder(async (folder) => {
      const program = start("chdir.ts", [`${kind.spec}//allow-read`, folder]);
      const { code } = await end(program);
      assertEquals([code, program.stdout.text], [0, `${folder} here\n`], program.stderr.text);
    });
  },
  { popen: true },
);

forEachKind("chdir through a symbolic link leads to the folder itself", async ({ open }) => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/real`);
    await Deno.symlink(`${folder}/real`, `${folder}/link`);
    const gateway = await open(`allow-read//chdir=${folder}/link`);
    assertEquals(await gateway.remoteExec(`channel.send(Deno.cwd())`).receive(), `${folder}/real`);
    assertEquals((await gateway.remoteInfo()).cwd, `${folder}/real`);
  });
}, { local: true });

forPopen("makeGateway() makes popen of an empty spec, with this Deno and this folder", async ({ group }) => {
  const gateway = await group.makeGateway("", { stderr: "null" });
  assertEquals(String(gateway.spec), "popen//id=gw0");
  const { deno, cwd, pid } = await gateway.remoteInfo();
  assertEquals([deno, cwd], [Deno.version.deno, Deno.cwd()]);
  assertEquals(await Deno.realPath(`/proc/${pid}/exe`), await Deno.realPath(Deno.execPath()));
});

/** Writes bytes that are no frame to every socket of its process, the connection among them. */
const HOSTILE = `
  const libc = Deno.dlopen("libc.so.6", { write: { parameters: ["i32", "buffer", "usize"], result: "isize" } });
  const sockets = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name).filter((name) => {
    try {
      const target = Deno.readLinkSync("/proc/self/fd/" + name);
      return Number(name) > 2 && target.startsWith("socket:") || name === "4" && target.startsWith("pipe:");
    } catch {
      return false;
    }
  });
  await channel.send("up");
  await channel.receive();
  for (const socket of sockets) libc.symbols.write(Number(socket), new Uint8Array(64).fill(0xff), 64n);
  await channel.receive();
`;
const ECHO = `for await (const item of channel) await channel.send(item)`;

forEachKind(
  "bytes that are no frames end their gateway with the reason, and no other one",
  async ({ open }) => {
    const gateway = await open("allow-all");
    const other = (await open()).remoteExec(ECHO);
    const neighbour = gateway.remoteExec(ECHO);
    const channel = gateway.remoteExec(HOSTILE);
    assertEquals(await channel.receive(), "up");
    await channel.send("go");
    // On links of their own these may end before the gateway does.
    for (const one of [channel, neighbour]) {
      await limited(
        "the end",
        assertRejects(() => one.receive(), Error),
      );
    }
    const { reason } = await limited("the end of the gateway", gateway.closed);
    assertMatch(reason, /^ProtocolError/);
    await other.send(1);
    assertEquals(await other.receive(), 1);
  },
  { ownProcess: true, models: ["worker", "main"] },
);

forEachKind("bytes that are no frames end their execution alone", async ({ open }) => {
  const gateway = await open("allow-all");
  const neighbour = gateway.remoteExec(ECHO);
  await neighbour.send(0);
  assertEquals(await neighbour.receive(), 0);
  const channel = gateway.remoteExec(HOSTILE);
  assertEquals(await channel.receive(), "up");
  await channel.send("go");
  const error = await limited("the end", assertRejects(() => channel.receive(), RemoteError)) as RemoteError;
  assertEquals(error.remoteName, "ProtocolError");
  await neighbour.send(1);
  assertEquals(await neighbour.receive(), 1);
  assertEquals((await gateway.remoteStatus()).numExecuting, 1);
}, { models: ["process"] });

forEachKind("exec goes on after executions that failed in every way", async ({ open }) => {
  const gateway = await open();
  const failures = [
    `throw new Error("why")`,
    `const = 1`,
    `await channel.close()`,
    `await channel.send(() => {})`,
    `await Promise.reject("why")`,
  ];
  for (const source of failures) {
    await assertRejects(() => gateway.remoteExec(source).waitClose(), RemoteError);
    assertEquals(await gateway.remoteExec(`channel.send(await channel.gateway.id.length)`).receive(), 3);
  }
  assertEquals(await gateway.call(() => 1), 1);
  assertEquals((await gateway.remoteStatus()).numRunaway, 0);
});
