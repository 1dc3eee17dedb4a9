/** `provision`: this machine's Deno is brought to places that have none. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, type GatewayOptions, Group } from "../../mod.ts";
import { nothingLeft } from "../helpers/leaks.ts";
import type { FarSide } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { shared, testWith } from "../parts/need.ts";
import { PODMAN, Podman } from "../parts/podman.ts";
import type { Container } from "../parts/podman.ts";
import { run } from "../parts/run.ts";
import { Sshd, SSHD_USERS } from "../parts/sshd.ts";
import type { SshUser } from "../parts/sshd.ts";
import { answers, on } from "./elsewhere.ts";
import { end, start } from "./program.ts";

const QUIET: GatewayOptions = { stderr: "null", connectTimeout: 60_000 };
const LIMIT = { limit: 120_000 };

const NAMES = [
  "first",
  "ten",
  "given-up",
  "killed",
  "late",
  "full",
  "denied",
  "process",
  "hop",
  "gone",
];

const sshd = shared(SSHD_USERS, () =>
  Sshd.start({
    users: [
      ...NAMES.map((name) => ({ name, deno: "none" as const })),
      { name: "has", deno: "path" as const },
      { name: "platform", deno: "none", shell: "bash" },
    ],
  }));
const podman = shared(PODMAN, () => Podman.start());

const spec = (user: string): string => `ssh=${sshd().host(user)}//ssh_config=${sshd().config}//provision`;
const user = (name: string): SshUser => sshd().users.get(name)!;
const cacheOf = (name: string): string => `${user(name).home}/.cache/execnet`;

/** What is in a folder, by name; nothing where there is no folder. */
function list(folder: string): { name: string; size: number; inode: number }[] {
  try {
    return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
      const { size, ino } = Deno.statSync(`${folder}/${name}`);
      return [{ name, size, inode: ino! }];
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** What there is while an upload is under way: the file that is being written. */
const half = (folder: string): boolean => list(folder).some(({ size }) => size > 0);

let known: string | undefined;

/** The digest of this machine's Deno. */
async function ownDigest(): Promise<string> {
  return known ??= (await run(["sha256sum", await Deno.realPath(Deno.execPath())])).stdout.slice(0, 64);
}

/** The only thing in a cache, which must be this machine's Deno. */
async function only(folder: string): Promise<{ inode: number }> {
  const found = list(folder);
  assertEquals(found.map(({ name }) => name), [`deno-${await ownDigest()}`]);
  assertEquals(found[0]!.size, (await Deno.stat(Deno.execPath())).size);
  return found[0]!;
}

async function refused(place: FarSide, text: string): Promise<ConnectError> {
  let error: ConnectError;
  await on(place, async (group) => {
    error = await assertRejects(() => group.makeGateway(text, QUIET), ConnectError) as ConnectError;
  });
  assertEquals(error!.kind, "no-deno", error!.message);
  assertMatch(error!.message, /there is no Deno, and none can be brought there: /);
  return error!;
}

testWith(SSHD_USERS, "provision brings this machine's Deno, and the next one finds it", async () => {
  await on(sshd(), async (group) => {
    const gateway = await group.makeGateway(spec("first"), QUIET);
    await answers(gateway);
    const { pid, deno } = await gateway.remoteInfo();
    assertEquals(deno, Deno.version.deno);
    const digest = await ownDigest();
    assertEquals(await Deno.readLink(`/proc/${pid}/exe`), `${cacheOf("first")}/deno-${digest}`);
  });
  const brought = await only(cacheOf("first"));
  const { sessions } = sshd().connections();
  await on(sshd(), async (group) => await answers(await group.makeGateway(spec("first"), QUIET)));
  assertEquals(sshd().connections().sessions - sessions, 1);
  const program = start("started.ts", [spec("first")]);
  assertEquals((await end(program, 60_000)).code, 0, program.stderr.text);
  assertEquals((await only(cacheOf("first"))).inode, brought.inode);
  const { mode } = await Deno.stat(cacheOf("first"));
  assertEquals(mode! & 0o777, 0o700);
}, LIMIT);

testWith(
  SSHD_USERS,
  "provision is asked for by ten gateways at the same moment and brings one Deno",
  () =>
    on(sshd(), async () => {
      const before = sshd().connections().sessions;
      await using all = await Group.create(
        Array.from({ length: 10 }, () => `${spec("ten")}//execmodel=main`),
        QUIET,
      );
      assertEquals((await all.remoteExec("channel.send(1)").receiveEach()).length, 10);
      await only(cacheOf("ten"));
      // Each looked for Deno and was started again; whoever looked late found that it was there.
      const sessions = sshd().connections().sessions - before;
      assert(sessions <= 21, `${sessions} sessions`);
    }),
  LIMIT,
);

testWith(
  SSHD_USERS,
  "provision that is given up by one gateway is taken up by those who wait for it",
  () =>
    on(sshd(), async (group) => {
      const abort = new AbortController();
      const given = group.makeGateway(spec("given-up"), { ...QUIET, signal: abort.signal });
      const failed = assertRejects(() => given, DOMException);
      await until("the upload is under way", () => half(cacheOf("given-up")), 20_000);
      const other = group.makeGateway(spec("given-up"), QUIET);
      other.catch(() => {});
      abort.abort();
      await failed;
      await answers(await other);
      await only(cacheOf("given-up"));
    }),
  LIMIT,
);

testWith(
  SSHD_USERS,
  "provision that is cut by the end of its program leaves nothing, and the next one succeeds",
  async () => {
    const folder = cacheOf("killed");
    const before = sshd().processes();
    for (let round = 0; round < 2; round++) {
      const program = start("started.ts", [spec("killed")]);
      await until("the upload is under way", () => half(folder), 20_000);
      program.process.kill("SIGKILL");
      await end(program);
      await nothingLeft(sshd(), before);
      assertEquals(list(folder), []);
    }
    await on(sshd(), async (group) => await answers(await group.makeGateway(spec("killed"), QUIET)));
    await only(folder);
  },
  LIMIT,
);

testWith(
  SSHD_USERS,
  "provision that takes longer than connectTimeout, or is aborted, leaves nothing",
  () =>
    on(sshd(), async (group) => {
      const folder = cacheOf("late");
      const abort = new AbortController();
      const made = group.makeGateway(spec("late"), { ...QUIET, signal: abort.signal });
      const failed = assertRejects(() => made, Error, "not wanted");
      await until("the upload is under way", () => half(folder), 20_000);
      abort.abort(new Error("not wanted"));
      await failed;
      await until("nothing is left of it", () => list(folder).length === 0);
      const slow = await assertRejects(
        () => group.makeGateway(`${spec("late")}//deno=slow-deno`, { ...QUIET, connectTimeout: 450 }),
        ConnectError,
      ) as ConnectError;
      assertEquals(slow.kind, "timeout", slow.message);
      await until("nothing is left of it", () => list(folder).length === 0);
    }),
  LIMIT,
);

testWith(SSHD_USERS, "provision to another platform is refused before anything is sent", async () => {
  const { home, uid } = user("platform");
  // What the shell there finds first; another machine is not to be had.
  await Deno.mkdir(`${home}/bin`);
  await Deno.writeTextFile(`${home}/bin/uname`, "#!/bin/sh\necho FreeBSD amd64\n", { mode: 0o755 });
  await Deno.writeTextFile(`${home}/.bashrc`, "PATH=$HOME/bin:$PATH\n");
  await run(["chown", "-R", `${uid}`, home]);
  const error = await refused(sshd(), spec("platform"));
  assertMatch(error.message, /this machine's is for Linux/);
  assertMatch(error.stderrTail, /FreeBSD amd64/);
  assertEquals(list(cacheOf("platform")), []);
}, LIMIT);

testWith(SSHD_USERS, "provision to a full file system is refused and leaves nothing", async () => {
  const { home, uid } = user("full");
  const cache = `${home}/.cache`;
  await Deno.mkdir(cache);
  await run(["mount", "-t", "tmpfs", "-o", `size=8m,uid=${uid},mode=700`, "none", cache]);
  try {
    const error = await refused(sshd(), spec("full"));
    assertMatch(error.message, /its \d+ MiB cannot be written/);
    assertMatch(error.stderrTail, /No space left/);
    assertEquals(list(`${cache}/execnet`), []);
  } finally {
    await run(["umount", cache]);
  }
}, LIMIT);

testWith(SSHD_USERS, "provision to a folder that may not be written is refused", async () => {
  const { home, uid } = user("denied");
  const cache = `${home}/.cache`;
  await Deno.mkdir(cache, { mode: 0o555 });
  await Deno.chown(cache, uid, null);
  await Deno.chmod(cache, 0o555);
  const first = await refused(sshd(), spec("denied"));
  assertMatch(first.message, /no folder can be made for it/);
  assertMatch(first.stderrTail, /Permission denied/);
  await Deno.mkdir(`${cache}/execnet`, { mode: 0o755 }); // It is root's.
  const second = await refused(sshd(), spec("denied"));
  assertMatch(second.message, /cannot be written/);
  assertEquals(list(`${cache}/execnet`), []);
}, LIMIT);

testWith(SSHD_USERS, "provision brings nothing where there is a Deno", () =>
  on(sshd(), async (group) => {
    await answers(await group.makeGateway(spec("has"), QUIET));
    assertEquals(list(cacheOf("has")), []);
  }), LIMIT);

testWith(
  SSHD_USERS,
  "execmodel=process and gateways via a hop run in the Deno that was brought",
  () =>
    on(sshd(), async (group) => {
      const brought = `${cacheOf("process")}/deno-${await ownDigest()}`;
      const gateway = await group.makeGateway(`${spec("process")}//execmodel=process//allow-read`, QUIET);
      assertEquals(await gateway.call(() => Deno.execPath()), brought);
      await group.makeGateway(`${spec("process")}//id=hop//allow-run=sh`, QUIET);
      for (const execmodel of ["worker", "process"]) {
        const behind = await group.makeGateway(`popen//via=hop//execmodel=${execmodel}`, QUIET);
        assertEquals(await behind.call(() => Deno.execPath()), brought);
        const { uid } = user("process");
        const { pid } = await behind.remoteInfo();
        assertEquals((await Deno.stat(`/proc/${pid}`)).uid, uid);
      }
    }),
  LIMIT,
);

testWith(
  SSHD_USERS,
  "provision through a hop brings a Deno to where that leads",
  () =>
    on(sshd(), async (group) => {
      await group.makeGateway("popen//id=hop//allow-run", QUIET);
      await answers(await group.makeGateway(`${spec("hop")}//via=hop`, QUIET));
      await only(cacheOf("hop"));
    }),
  LIMIT,
);

testWith(
  SSHD_USERS,
  "provision brings Deno again when it was removed meanwhile",
  () =>
    on(sshd(), async (group) => {
      for (let round = 0; round < 2; round++) {
        await answers(await group.makeGateway(spec("gone"), QUIET));
        await only(cacheOf("gone"));
        await Deno.remove(cacheOf("gone"), { recursive: true });
      }
    }),
  LIMIT,
);

const inside = (container: Container): string => `command=${container.prefix}//provision`;
const cached = async (container: Container): Promise<string[]> =>
  (await container.exec(["find", "/root", "-name", "deno-*"])).stdout.trim().split("\n").filter((one) =>
    one !== ""
  );

testWith(
  PODMAN,
  "provision brings Deno into a container, once, and leaves nothing of an upload that is cut",
  async () => {
    await using container = await podman().container({ libraries: true });
    const digest = await ownDigest();
    const before = container.processes();
    const program = start("started.ts", [inside(container)]);
    await until("the upload is under way", async () => (await cached(container)).length > 0, 20_000);
    program.process.kill("SIGKILL");
    await end(program);
    await nothingLeft(container, before);
    assertEquals(await cached(container), []);
    await on(container, async () => {
      await using all = await Group.create([1, 2, 3].map(() => inside(container)), QUIET);
      assertEquals((await all.remoteExec("channel.send(1)").receiveEach()).length, 3);
      assertEquals(await cached(container), [`/root/.cache/execnet/deno-${digest}`]);
    });
    const inode = (await container.exec(["stat", "-c", "%i", `/root/.cache/execnet/deno-${digest}`])).stdout;
    await on(container, async (group) => await answers(await group.makeGateway(inside(container), QUIET)));
    assertEquals(
      (await container.exec(["stat", "-c", "%i", `/root/.cache/execnet/deno-${digest}`])).stdout,
      inode,
    );
  },
  LIMIT,
);

testWith(PODMAN, "provision obeys XDG_CACHE_HOME over there", async () => {
  await using container = await podman().container({
    libraries: true,
    args: ["--env", "XDG_CACHE_HOME=/tmp/a b"],
  });
  await on(container, async (group) => await answers(await group.makeGateway(inside(container), QUIET)));
  assertEquals((await container.exec(["ls", "/tmp/a b/execnet"])).stdout, `deno-${await ownDigest()}\n`);
}, LIMIT);

testWith(
  PODMAN,
  "provision to a machine whose C library does not fit is refused and leaves nothing",
  async () => {
    await using container = await podman().container();
    const error = await refused(container, inside(container));
    assertMatch(error.message, /this machine's does not run there/);
    assertEquals(await cached(container), []);
  },
  LIMIT,
);

testWith(PODMAN, "provision to a file system that cannot be written is refused", async () => {
  await using container = await podman().container({ libraries: true, readOnly: true });
  const error = await limited("the refusal", refused(container, inside(container)), 30_000);
  assertMatch(error.message, /no folder can be made for it/);
  // podman itself loses now and then what a command has written last that does not read its stdin to the end.
  assertMatch(error.stderrTail, /^$|Read-only file system/);
}, LIMIT);
