import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { processesWithEnv } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { HOSTS } from "./hosts.ts";
import { Keeper, keptFolder } from "./keeper.ts";
import { testWith } from "./need.ts";
import type { Part } from "./need.ts";
import { PODMAN } from "./podman.ts";
import { PART_MARK, run } from "./run.ts";
import { SSHD, SSHD_USERS } from "./sshd.ts";
import { exists } from "../helpers/folder.ts";

test("Keeper.end() runs what it was given, the last first, all of it, and tells what failed", async () => {
  const keeper = new Keeper("something");
  const folder = await keptFolder(keeper);
  const order = await Deno.makeTempFile();
  for (const word of ["one", "two"]) await keeper.undo(`echo ${word} $(ls -d ${folder}) >>${order}`);
  await keeper.undo("ls /no-such-file");
  await assertRejects(() => keeper.undo("one\ntwo"), TypeError, "more than one line");
  await assertRejects(() => keeper.end(), Error, "Cannot clean up after something: ls: cannot access");
  assertEquals(await Deno.readTextFile(order), `two ${folder}\none ${folder}\n`);
  assertThrows(() => Deno.statSync(folder), Deno.errors.NotFound);
  await Deno.remove(order);
});

/** A part, how a program starts it, and an expression for the name of something that it makes on the machine. */
const STARTS: readonly [Part, string, string, string][] = [
  [SSHD, "sshd.ts", "Sshd.start()", "part.folder"],
  [SSHD_USERS, "sshd.ts", `Sshd.start({ users: [{ name: "one" }] })`, `part.users.get("one").login`],
  [
    PODMAN,
    "podman.ts",
    "Podman.start().then(async (part) => (await part.container(), part))",
    `part.folder.split("/").at(-1).toLowerCase()`,
  ],
  [HOSTS, "hosts.ts", "Hosts.start({ count: 2 })", `"xp" + part.sshd[0].address.split(".")[2] + "h1"`],
];

for (const [part, file, start, name] of STARTS) {
  testWith(part, `Keeper undoes ${part.name} when the test program is killed`, async () => {
    const program = `
      import * as all from ${JSON.stringify(new URL(file, import.meta.url).href)};
      const { Sshd, Podman, Hosts } = all as any;
      const part: any = await ${start};
      console.log(JSON.stringify([part.folder, ${name}]));
      await new Promise((resolve) => setTimeout(resolve, 100_000));
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", program],
      cwd: new URL("../../", import.meta.url),
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const line = new TextDecoder().decode((await reader.read()).value);
    const [folder, made] = JSON.parse(line) as [string, string];
    assert((await traces()).includes(made));
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await until(
      "all is undone",
      async () => !exists(folder) && !(await traces()).includes(made),
      20_000,
    );
    assertEquals(processesWithEnv(`${PART_MARK}=${folder}`), []);
  });
}

/** The folders, users, network namespaces, mounts and control groups that parts make. */
async function traces(): Promise<string> {
  const look =
    "ls -d /tmp/xp-*; cut -d: -f1 /etc/passwd; ls /run/netns; cat /proc/mounts; find /sys/fs/cgroup";
  return (await run(["sh", "-c", look], { mayFail: true })).stdout;
}
