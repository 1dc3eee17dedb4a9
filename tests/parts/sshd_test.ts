import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { nothingLeft, processesOfUser, processState } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { shared, testWith } from "./need.ts";
import { run } from "./run.ts";
import { SSHD, Sshd, SSHD_USERS } from "./sshd.ts";
import { exists } from "../helpers/folder.ts";

const SHELLS = ["sh", "bash", "zsh", "fish", "csh"] as const;

const users = shared(SSHD_USERS, () =>
  Sshd.start({
    users: SHELLS.flatMap((shell) => [
      { name: `${shell}-home`, shell, deno: "home" },
      { name: `${shell}-noisy`, shell, noisy: true },
      { name: `${shell}-none`, shell, deno: "none" },
    ]),
  }));

function ssh(sshd: Sshd, alias: string, command: string): ReturnType<typeof run> {
  return run(["ssh", "-F", sshd.config, "-o", "BatchMode=yes", alias, command], { mayFail: true });
}

testWith(SSHD, "Sshd.start() lets the own user in by alias and by words", async () => {
  await using sshd = await Sshd.start();
  assert(`${sshd.config}`.length < 60);
  assertEquals((await ssh(sshd, sshd.host(), "echo hello")).stdout, "hello\n");
  const byWords = await run(["ssh", ...sshd.words().split(" "), "deno eval 'console.log(1)'; echo $HOME"]);
  assertEquals(byWords.stdout, `1\n${sshd.folder}/o\n`);
  assertEquals(sshd.connections(), { connections: 2, sessions: 2, dropped: 0, refused: 0 });
});

testWith(SSHD, "Sshd.failing has a host for each way to fail", async () => {
  await using sshd = await Sshd.start();
  const said = async (alias: string): Promise<string> => {
    const { code, stderr } = await ssh(sshd, alias, "true");
    assertEquals(code, 255, stderr);
    return stderr;
  };
  assertMatch(await said(sshd.failing["wrong-host-key"]), /HOST IDENTIFICATION HAS CHANGED/);
  assertMatch(await said(sshd.failing["unknown-host-key"]), /Host key verification failed/);
  assertMatch(await said(sshd.failing["refused-key"]), /Permission denied \(publickey\)/);
  assertMatch(await said(sshd.failing["closed-port"]), /Connection refused/);
  assertMatch(await said(sshd.failing["unknown-host"]), /Could not resolve hostname/);
  assertEquals(sshd.connections().connections, 0);
});

testWith(SSHD, "Sshd.stop() ends what runs in its sessions and removes its folder", async () => {
  const sshd = await Sshd.start();
  await ssh(sshd, sshd.host(), "setsid sleep 1000 >/dev/null 2>&1 </dev/null & exit");
  const [left] = await until("the command is there alone", () => {
    const there = sshd.processes();
    return there.length === 1 && /^sleep/.test(there[0]!.command) && there;
  });
  await sshd.stop();
  assertEquals(processState(left!.pid), undefined);
  assertEquals(processState(sshd.pid), undefined);
  assertEquals(sshd.processes(), []);
  assertEquals(exists(sshd.folder), false);
});

testWith(SSHD, "Sshd with maxSessions refuses more sessions on a connection", async () => {
  await using sshd = await Sshd.start({ maxSessions: 1 });
  const master = ["ssh", "-F", sshd.config, "-S", `${sshd.folder}/m`];
  await run([...master, "-M", "-f", "-N", "-o", "ControlPersist=yes", sshd.host()]);
  const first = new Deno.Command("ssh", {
    args: [...master.slice(1), sshd.host(), "echo up; cat"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = first.stdout.getReader();
  await reader.read();
  const second = await run([...master, sshd.host(), "true"], { mayFail: true });
  assertMatch(second.stderr, /Session open refused by peer/);
  assertEquals(sshd.connections().refused, 1);
  await first.stdin.close();
  await reader.cancel();
  await first.status;
  await run([...master, "-O", "exit", sshd.host()]);
  await nothingLeft(sshd);
});

for (const shell of SHELLS) {
  testWith(
    SSHD_USERS,
    `Sshd user with ${shell} has this shell and Deno only where it was asked for`,
    async () => {
      const sshd = users();
      const { home, login } = sshd.users.get(`${shell}-home`)!;
      const look = `pwd; id -un; sh -c 'command -v deno || echo none'; ~/.deno/bin/deno --version`;
      const lines = (await ssh(sshd, `${shell}-home`, look)).stdout.split("\n");
      assertEquals(lines.slice(0, 3), [home, login, "none"]);
      assertMatch(lines[3]!, /^deno /);
      const none = await ssh(sshd, `${shell}-none`, "sh -c 'command -v deno || ls -d ~/.deno || echo none'");
      assertEquals(none.stdout, "none\n");
      const noisy = await ssh(sshd, `${shell}-noisy`, "sh -c 'echo $0; deno eval \"console.log(6 * 7)\"'");
      assertMatch(noisy.stdout, /42\n$/);
      assertMatch(noisy.stdout, /NOISE on stdout from .ssh\/rc/);
      assertMatch(noisy.stderr, /NOISE on stderr from .ssh\/rc/);
      assertMatch(noisy.stderr, /NOISE from the banner/);
      const shown = await ssh(sshd, `${shell}-none`, "sh -c 'cat /proc/$PPID/cmdline'; true");
      assertMatch(shown.stdout, new RegExp(`^${shell}\0-c\0`));
      const file =
        { sh: undefined, bash: ".bashrc", zsh: ".zshenv", fish: "config.fish", csh: ".cshrc" }[shell];
      if (file !== undefined) assert(noisy.stdout.includes(`${file} `), noisy.stdout);
      await nothingLeft(sshd);
    },
  );
}

testWith(SSHD_USERS, "Sshd.stop() removes users and their processes", async () => {
  const sshd = await Sshd.start({ users: [{ name: "one" }] });
  const { login, uid } = sshd.users.get("one")!;
  await ssh(sshd, "one", "env -i setsid sleep 1000 >/dev/null 2>&1 </dev/null & exit");
  await until("it runs", () => processesOfUser(uid).length === 1);
  await sshd.stop();
  assertEquals(processesOfUser(uid), []);
  assertEquals((await run(["id", login], { mayFail: true })).code, 1);
});
