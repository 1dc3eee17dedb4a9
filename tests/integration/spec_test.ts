/** The keys of a spec that shape the far side's process. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { GatewayClosedError, makeGateway, RemoteError, XSpecError } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { forEachKind, forPopen } from "./kinds.ts";

const CWD = `await channel.send([Deno.cwd()])`;

forEachKind("env:NAME is set, and exactly it may be read", async ({ open }) => {
  const gateway = await open("env:FIRST=one=1//env:SECOND= two 'words\" $HOME //env:EMPTY=");
  const channel = gateway.remoteExec(`
    const read = (name) => { try { return Deno.env.get(name) ?? null } catch (error) { return error.name } };
    channel.send(["FIRST", "SECOND", "EMPTY", "HOME", "THIRD"].map(read));
  `);
  assertEquals(await channel.receive(), ["one=1", " two 'words\" $HOME ", "", "NotCapable", "NotCapable"]);
}, { ownProcess: true });

forEachKind("env:NAME is seen by child processes", async ({ open }) => {
  const channel = (await open("env:MINE=yes//allow-run=sh")).remoteExec(`
    const { stdout } = await new Deno.Command("sh", { args: ["-c", "echo $MINE"] }).output();
    channel.send(new TextDecoder().decode(stdout));
  `);
  assertEquals(await channel.receive(), "yes\n");
}, { ownProcess: true });

forEachKind(
  "a gateway starts in the working directory that the program has at that time",
  async ({ kind, open }) => {
    const gateway = await open("allow-read");
    assertEquals(await gateway.remoteExec(CWD).receive(), [kind.folder ?? Deno.cwd()]);
  },
  { local: true },
);

forEachKind("chdir is made with its parents, whatever its name", async ({ open }) => {
  await withFolder(async (folder) => {
    for (const name of ["a/b/c", "with space", `quo'te"s`, "$HOME `x` ;", "-dash", "ünï"]) {
      const gateway = await open(`allow-read//chdir=${folder}/${name}`);
      assertEquals(await gateway.remoteExec(CWD).receive(), [`${folder}/${name}`]);
      assertEquals((await gateway.remoteInfo()).cwd, `${folder}/${name}`);
    }
  });
}, { local: true });

forEachKind("chdir may be relative to the program's own", async ({ open }) => {
  await withFolder(async (folder) => {
    const up = Deno.cwd().split("/").slice(1).map(() => "..").join("/");
    const gateway = await open(`allow-read//chdir=${up}${folder}/sub`);
    assertEquals(await gateway.remoteExec(CWD).receive(), [`${folder}/sub`]);
  });
}, { local: true });

forEachKind("the working directory is known without a permission to read", async ({ open }) => {
  await withFolder(async (folder) => {
    const gateway = await open(`chdir=${folder}`);
    assertEquals((await gateway.remoteInfo()).cwd, folder);
    assertEquals((await gateway.remoteInfo({ update: true })).cwd, folder);
  });
}, { local: true });

forPopen("chdir that cannot be made is an error that names it, before anything runs", async ({ open }) => {
  const error = await assertRejects(() => open("chdir=/dev/null/x")) as Error;
  assert(error.message.includes("/dev/null/x"), error.message);
});

forEachKind("nice is added to the scheduling priority", async ({ open }) => {
  const gateway = await open("nice=5");
  const { pid } = await gateway.remoteInfo();
  const niceness = (id: number): number => {
    const stat = Deno.readTextFileSync(`/proc/${id}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  };
  assertEquals(niceness(pid), niceness(Deno.pid) + 5);
  const channel = gateway.remoteExec(`await channel.send(Deno.pid); await channel.receive()`);
  assertEquals(niceness(await channel.receive() as unknown as number), niceness(Deno.pid) + 5);
  await channel.send(1);
}, { local: true });

forEachKind("memory limits the heap", async ({ open }) => {
  const gateway = await open("memory=64M");
  const channel = gateway.remoteExec(`
    channel.send("up");
    await channel.receive();
    const hoard = [];
    for (let i = 0; i < 50_000; i++) hoard.push(new Array(1_000).fill(i));
    channel.send(hoard.length);
  `);
  assertEquals(await channel.receive(), "up");
  await channel.send("go");
  const error = await assertRejects(() => channel.receive());
  assert(error instanceof RemoteError || error instanceof GatewayClosedError, String(error));
}, { ownProcess: true, limit: 30_000 });

forEachKind("without memory the same code has room", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const hoard = [];
    for (let i = 0; i < 20_000; i++) hoard.push(new Array(1_000).fill(i));
    channel.send(hoard.length);
  `);
  assertEquals(await channel.receive(), 20_000);
}, { ownProcess: true, limit: 30_000 });

forEachKind("deno may be a path, with spaces and further words", async ({ open }) => {
  await withFolder(async (folder) => {
    await Deno.symlink(Deno.execPath(), `${folder}/my deno`);
    for (
      const deno of [
        Deno.execPath(),
        `"${folder}/my deno"`,
        `env MINE=1 ${Deno.execPath()}`,
        `env '${folder}/my deno'`,
      ]
    ) {
      const gateway = await open(`deno=${deno}`);
      assertEquals(await gateway.remoteExec("channel.send(Deno.version.deno)").receive(), Deno.version.deno);
    }
  });
}, { popen: true });

forPopen("makeGateway() starts popen when nothing else is said", async () => {
  await using gateway = await makeGateway(undefined, { stderr: "null" });
  assert(gateway.spec.popen);
  assertEquals((await gateway.remoteInfo()).deno, Deno.version.deno);
  await using second = await makeGateway({ popen: true, env: { A: "1" } }, { stderr: "null" });
  assertEquals(await second.remoteExec(`channel.send(Deno.env.get("A"))`).receive(), "1");
});

forPopen("makeGateway() refuses a wrong spec before anything is started", async ({ group }) => {
  for (
    const spec of ["nothing", "popen//popen", "popen//execmodel=thread", "popen//allow-raed", "popen//ssh=x"]
  ) {
    await assertRejects(() => group.makeGateway(spec), XSpecError);
  }
  assertEquals(group.size, 0);
});
