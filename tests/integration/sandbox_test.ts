/** What remote code may touch: nothing by default, and otherwise exactly what its spec says. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type PermissionsInit, RemoteError } from "../../mod.ts";
import { meetingFolders } from "../helpers/leaks.ts";
import { forEachKind, forEachKindShared, SEPARATE } from "./kinds.ts";

/** Each source must fail where nothing is allowed. */
const FORBIDDEN: readonly [name: string, source: string][] = [
  ["reading a file", `await Deno.readTextFile("/etc/hostname")`],
  ["reading a file by node:fs", `(await import("node:fs")).readFileSync("/etc/hostname")`],
  ["listing a folder", `for await (const _ of Deno.readDir("/"));`],
  ["writing a file", `await Deno.writeTextFile("/tmp/execnet_forbidden", "x")`],
  ["making a temporary file", `await Deno.makeTempFile()`],
  ["connecting by TCP", `await Deno.connect({ port: 1 })`],
  ["connecting by a Unix socket", `await Deno.connect({ transport: "unix", path: "/run/nothing" })`],
  ["listening", `Deno.listen({ port: 0 })`],
  ["fetching", `await fetch("http://127.0.0.1:1/")`],
  ["reading a variable", `Deno.env.get("HOME") ?? ""`],
  ["listing variables", `Deno.env.toObject()`],
  ["setting a variable", `Deno.env.set("X", "1")`],
  ["running a program", `await new Deno.Command("true").output()`],
  ["running this Deno", `await new Deno.Command(Deno.execPath()).output()`],
  ["running a program by node", `(await import("node:child_process")).execFileSync("true")`],
  ["asking for the host's name", `Deno.hostname()`],
  ["sending a signal", `Deno.kill(1, "SIGCONT")`],
  ["loading a library", `Deno.dlopen("/lib/libc.so.6", {})`],
  ["importing a local file", `await import("file:///etc/hostname")`],
  ["importing by https", `await import("https://deno.land/std@0.224.0/version.ts")`],
  ["importing by http", `await import("http://127.0.0.1:1/x.ts")`],
  ["importing from jsr", `await import("jsr:@std/assert@1")`],
  ["importing from npm", `await import("npm:left-pad@1.3.0")`],
  ["importing from npm statically", `import pad from "npm:left-pad@1.3.0"; pad;`],
  ["importing from jsr statically", `import * as assert from "jsr:@std/assert@1"; assert;`],
  [
    "a worker that may do more",
    `
    const worker = new Worker("data:text/javascript,", { type: "module", deno: { permissions: "all" } });
    worker.terminate();
  `,
  ],
  [
    "asking for permission",
    `if ((await Deno.permissions.request({ name: "read" })).state !== "granted") throw new Error("no")`,
  ],
];

/** What only the flags of a process can forbid: a Worker of a program that may import from npm may, too. */
const ALLOWED_INSIDE = ["importing from npm", "importing from npm statically"];

forEachKindShared("remote code may do nothing by default", async ({ open, kind }) => {
  const gateway = await open();
  const done: string[] = [];
  for (const [name, source] of FORBIDDEN) {
    const channel = gateway.remoteExec(`${source}\n;await channel.send("was allowed");`);
    const outcome = await channel.receive().catch((error: unknown) => error);
    if (!(outcome instanceof RemoteError)) done.push(name);
    await channel.waitClose().catch(() => {});
  }
  assertEquals(done, kind.ownProcess ? [] : ALLOWED_INSIDE);
}, { limit: 60_000 });

forEachKindShared(
  "remote code may do nothing by default: every permission is denied or to be asked for",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`
    const names = ["read", "write", "net", "env", "run", "sys", "ffi"];
    const granted = names.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
    await channel.send(granted);
  `);
    assertEquals(await channel.receive(), []);
  },
);

forEachKind("a spec with other imports still loads nothing by default", async ({ open }) => {
  const gateway = await open("allow-read//allow-net//allow-env//allow-run");
  for (
    const what of ["npm:left-pad@1.3.0", "jsr:@std/assert@1", "https://deno.land/std@0.224.0/version.ts"]
  ) {
    await assertRejects(() => gateway.remoteExec(`await import("${what}")`).waitClose(), RemoteError);
    await assertRejects(
      () => gateway.remoteExec(`import * as x from "${what}"; x;`).waitClose(),
      RemoteError,
    );
  }
}, { ownProcess: true });

forEachKind("allow-read=folder allows that folder exactly", async ({ open }) => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/inside`, "in");
    await Deno.writeTextFile(`${folder}-outside`, "out");
    const channel = (await open(`allow-read=${folder}`)).remoteExec(`
      const folder = await channel.receive();
      const read = (path) => Deno.readTextFile(path).catch((error) => error.name);
      await channel.send([
        await read(folder + "/inside"), await read(folder + "-outside"), await read(folder + "/../"),
        await read("/etc/hostname"),
        await Deno.writeTextFile(folder + "/inside", "x").catch((error) => error.name),
      ]);
    `);
    await channel.send(folder);
    const no = "NotCapable";
    assertEquals(await channel.receive(), ["in", no, no, no, no]);
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(`${folder}-outside`);
  }
}, { local: true });

forEachKind("a relative path in a permission starts at the working directory", async ({ open }) => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/sub`);
    await Deno.writeTextFile(`${folder}/sub/file`, "in");
    const channel = (await open(`chdir=${folder}//allow-read=sub`)).remoteExec(`
      const folder = await channel.receive();
      await channel.send([
        await Deno.readTextFile("sub/file"), await Deno.readTextFile(folder + "/sub/file"),
        Deno.permissions.querySync({ name: "read", path: folder }).state,
      ]);
    `);
    await channel.send(folder);
    assertEquals(await channel.receive(), ["in", "in", "prompt"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, { local: true });

forEachKind("allow-net=host allows that host only", async ({ open }) => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const { port } = listener.addr as Deno.NetAddr;
    const channel = (await open(`allow-net=127.0.0.1:${port}`)).remoteExec(`
      const port = await channel.receive();
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      await channel.send(await Deno.connect({ hostname: "127.0.0.1", port: 1 }).catch((error) => error.name));
    `);
    await channel.send(port);
    (await listener.accept()).close();
    assertEquals(await channel.receive(), "NotCapable");
  } finally {
    listener.close();
  }
}, { local: true });

forEachKind("allow-all allows everything", async ({ open }) => {
  const channel = (await open("allow-all")).remoteExec(`
    const names = ["read", "write", "net", "env", "run", "sys", "ffi"];
    channel.send(names.map((name) => Deno.permissions.querySync({ name }).state));
  `);
  assertEquals(await channel.receive(), Array(7).fill("granted"));
});

for (const denied of ["deny-read", "deny-write=/tmp", "deny-net", "deny-read=/etc", "deny-net=example.org"]) {
  forEachKind(`${denied} denies that although everything else is allowed`, async ({ open }) => {
    const gateway = await open(`allow-all//${denied}`);
    const [name, value] = denied.slice(5).split("=");
    const channel = gateway.remoteExec(`
      const [descriptor, other] = await channel.receive();
      await channel.send([Deno.permissions.querySync(descriptor).state, Deno.permissions.querySync(other).state]);
    `);
    const descriptor = value === undefined
      ? { name }
      : name === "net"
      ? { name, host: value }
      : { name, path: value };
    await channel.send([descriptor as never, { name: "env" }]);
    const [state, otherState] = await channel.receive() as string[];
    assert(state !== "granted");
    assertEquals(otherState, "granted");
    assertEquals(await gateway.remoteExec("console.log(1); channel.send(2)").receive(), 2);
  }, { ownProcess: denied.includes("=") });
}

forEachKind("deny-import and deny-run are possible beside other permissions", async ({ open }) => {
  const gateway = await open("allow-read//deny-run//deny-import");
  const channel = gateway.remoteExec(`channel.send(Deno.permissions.querySync({ name: "run" }).state)`);
  assert(await channel.receive() !== "granted");
});

forEachKindShared("what connecting took is gone when remote code runs", async ({ kind, open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    await channel.send("up");
    const paths = await channel.receive();
    const found = [];
    const check = (descriptor) => {
      if (Deno.permissions.querySync(descriptor).state === "granted") found.push(JSON.stringify(descriptor));
    };
    for (const path of paths) {
      for (const name of ["read", "write"]) check({ name, path });
      check({ name: "net", host: "unix:" + path });
      try {
        (await Deno.connect({ transport: "unix", path })).close();
        found.push("connected to " + path);
      } catch (error) {
        if (!["NotCapable", "PermissionDenied"].includes(error.name)) found.push(path + ": " + error.name);
      }
    }
    await channel.send(found);
  `);
  await channel.receive();
  // The folder of a gateway that is being made, and that of one that has been made long ago.
  const folders = [...meetingFolders()].map((name) => `/tmp/${name}`);
  const command = await Deno.readTextFile(`/proc/${(await gateway.remoteInfo()).pid}/cmdline`);
  const own = [...command.replaceAll("%2F", "/").matchAll(/\/[^\s\0,=:"'%]*execnet-[0-9a-z]+/g)].map((
    [path],
  ) => path);
  // A process that is not started by this program or a server has its link from its shell.
  assert(own.length > 0 || !/^(popen|socket) /.test(kind.name), command);
  const paths = [...folders, ...own, "/tmp/execnet-x"].flatMap((path) => [path, `${path}/s`, `${path}/x`]);
  await channel.send(paths);
  assertEquals(await channel.receive(), []);
}, { local: true });

forEachKind("remote code cannot read its agent's greeting or start from its own URL", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const found = [];
    for (const path of ["/proc/self/cmdline", "/proc/self/environ", "/proc/self/fd", "/proc/self/mem"]) {
      await Deno.open(path).then((file) => { file.close(); found.push(path) }, () => {});
    }
    await channel.send(found);
  `);
  assertEquals(await channel.receive(), []);
});

forEachKind("permissions of an execution narrow those of its gateway", async ({ open, kind }) => {
  const gateway = await open(`allow-read=/etc,/tmp//allow-env=HOME${kind.ownProcess ? "//env:MINE=1" : ""}`);
  const source = `
    const state = (descriptor) => Deno.permissions.querySync(descriptor).state === "granted";
    await channel.send([
      state({ name: "read", path: "/etc" }), state({ name: "read", path: "/etc/hostname" }),
      state({ name: "read", path: "/tmp" }), state({ name: "env", variable: "HOME" }),
    ]);
  `;
  const cases: [PermissionsInit | undefined, boolean[]][] = [
    [undefined, [true, true, true, true]],
    ["inherit", [true, true, true, true]],
    ["none", [false, false, false, false]],
    [{}, [false, false, false, false]],
    [{ read: ["/etc"] }, [true, true, false, false]],
    [{ read: ["/etc/hostname"], env: ["HOME"] }, [false, true, false, true]],
    [{ read: "inherit", env: "inherit" }, [true, true, true, true]],
  ];
  for (const [permissions, expected] of cases) {
    const options = permissions === undefined ? {} : { permissions };
    assertEquals(await gateway.remoteExec(source, options).receive(), expected, JSON.stringify(permissions));
  }
}, { models: SEPARATE });

forEachKind("permissions of an execution beyond those of its gateway are refused", async ({ open }) => {
  const gateway = await open("allow-read=/etc");
  const wishes = [{ read: true }, { read: ["/"] }, { read: ["/etc/../tmp"] }, { net: true }, {
    env: ["HOME"],
  }, { run: ["sh"] }];
  for (const permissions of wishes) {
    let error: Error | undefined;
    try {
      const channel = gateway.remoteExec(`channel.send("ran")`, {
        permissions: permissions as PermissionsInit,
      });
      assert(await channel.receive() !== "ran");
    } catch (thrown) {
      error = thrown as Error;
    }
    assertMatch(error!.message, /permission/i, JSON.stringify(permissions));
  }
  assertEquals(await gateway.remoteExec("channel.send(1)").receive(), 1);
}, { models: SEPARATE });

forEachKindShared(
  "permissions of an execution are a TypeError where all share one isolate",
  async ({ open }) => {
    const gateway = await open();
    let thrown: unknown;
    try {
      gateway.remoteExec("channel.send(1)", { permissions: "none" });
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof TypeError);
  },
  { models: ["main"] },
);

forEachKindShared(
  "one execution cannot reach the channels of another through shared prototypes",
  async ({ open }) => {
    const gateway = await open();
    const victim = gateway.remoteExec(`for await (const item of channel) await channel.send([item])`);
    const vandal = gateway.remoteExec(`
    Map.prototype.get = () => { throw new Error("hijacked") };
    Promise.prototype.then = () => { throw new Error("hijacked") };
    Uint8Array.prototype.subarray = () => { throw new Error("hijacked") };
  `);
    // It may have harmed itself so that not even its end is told.
    await vandal.waitClose({ timeout: 500 }).catch(() => vandal.kill());
    await victim.send(1);
    assertEquals(await victim.receive(), [1]);
    assertEquals(await gateway.remoteExec("channel.send(2)").receive(), 2);
  },
  { models: SEPARATE },
);
