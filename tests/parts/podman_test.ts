import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { nothingLeft, processesInCgroup } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { shared, testWith } from "./need.ts";
import { PODMAN, Podman } from "./podman.ts";
import { run } from "./run.ts";

const podman = shared(PODMAN, () => Podman.start());

testWith(PODMAN, "Podman.container() has a shell and no Deno", async () => {
  await using box = await podman().container();
  const { stdout } = await run([
    ...box.prefix.split(" "),
    "/bin/sh",
    "-c",
    "echo $HOME; command -v deno || ls /",
  ]);
  assertEquals(stdout.split("\n").filter((name) => /^(\/root|deno|lib.*|bin)$/.test(name)), ["/root", "bin"]);
  await nothingLeft(box);
});

testWith(PODMAN, "Podman.container() has Deno on PATH, or in the home, and leaves out programs", async () => {
  await using onPath = await podman().container({ deno: "path" });
  const ran = await run([...onPath.prefix.split(" "), "deno", "run", "-"], { input: "console.log(6 * 7)" });
  assertEquals(ran.stdout, "42\n");
  const deno = await Deno.stat(Deno.execPath());
  assertEquals((await onPath.exec(["sh", "-c", "echo x > /bin/deno"], true)).code, 1);
  assertEquals((await Deno.stat(Deno.execPath())).size, deno.size);

  await using inHome = await podman().container({ deno: "home", without: ["setsid", "gzip"] });
  const look =
    "command -v deno; command -v setsid; command -v gzip; command -v tar; ~/.deno/bin/deno eval 'console.log(1)'";
  assertEquals((await inHome.exec(["sh", "-c", look])).stdout, "/bin/tar\n1\n");

  await using libraries = await podman().container({ libraries: true });
  assertMatch(
    (await libraries.exec(["sh", "-c", "ls /lib/*/libc.so* /usr/lib/*/libc.so* 2>&1"], true)).stdout,
    /libc\.so\.6\n/,
  );
});

testWith(
  PODMAN,
  "Podman.container() keeps a memory limit and a file system that cannot be written",
  async () => {
    await using box = await podman().container({ deno: "path", memory: "128m", readOnly: true });
    const grow = "const all = []; while (true) all.push(new Uint8Array(1 << 20).fill(1));";
    assertEquals((await box.exec(["deno", "eval", grow], true)).code, 137);
    assert(box.alive());
    assertMatch((await box.exec(["sh", "-c", "echo x > /root/file"], true)).stderr, /Read-only file system/);
  },
);

testWith(PODMAN, "Container.processes() finds what a killed client leaves behind", async () => {
  await using box = await podman().container();
  const client = new Deno.Command(podman().program, {
    args: ["exec", "-i", box.name, "sh", "-c", "echo up; exec sleep 1000"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = client.stdout.getReader();
  await reader.read();
  client.kill("SIGKILL");
  await client.status;
  await client.stdin.close().catch(() => {});
  await reader.cancel();
  const commands = (): string[] =>
    box.processes().map((one) => one.command.split(" ")[0]!.split("/").at(-1)!);
  assert(commands().includes("sleep") && commands().includes("conmon"), String(commands()));
  await box.kill();
  await until("it has ended", () => !box.alive());
  await nothingLeft(box);
});

testWith(PODMAN, "Podman removes containers, control groups, mounts and its folder", async () => {
  const engine = await Podman.start();
  const box = await engine.container();
  await engine[Symbol.asyncDispose]();
  assert(!box.alive());
  assertEquals(processesInCgroup(box.id), []);
  const name = engine.folder.split("/").at(-1)!.toLowerCase();
  assertEquals((await run(["find", "/sys/fs/cgroup", "-path", `*${name}*`])).stdout, "");
  assert(!(await Deno.readTextFile("/proc/mounts")).includes(engine.folder));
  assertEquals(await Deno.stat(engine.folder).catch(() => "gone"), "gone");
});
