/** `command=` and its shorthands: gateways behind programs that hand their streams to a shell elsewhere. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, EOFError, Group, HostNotFoundError } from "../../mod.ts";
import { GatewayClosedError } from "../../mod.ts";
import { descendants, nothingLeft } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { findProgram, lacking, notRoot, part, shared, testWith } from "../parts/need.ts";
import { PODMAN, Podman } from "../parts/podman.ts";
import type { Container, ContainerOptions } from "../parts/podman.ts";
import { Sshd, SSHD_USERS } from "../parts/sshd.ts";
import { examined } from "../cli/examined.ts";
import { answers, on, QUIET } from "./elsewhere.ts";
import { end, start } from "./program.ts";

const MODELS = ["worker", "main", "process"] as const;

const podman = shared(PODMAN, () => Podman.start());

const SUDO = part("sudo", () => notRoot() ?? lacking("sudo"));
const SHELLS = part("shells", () => lacking("dash", "bash", "busybox", "zsh"));

const spec = (container: Container): string => `command=${container.prefix}`;

/** The same, in a container with Deno. */
async function inContainer(
  work: (group: Group, container: Container) => Promise<void>,
  options: ContainerOptions = { deno: "path" },
): Promise<void> {
  await using container = await podman().container(options);
  await on(container, (group) => work(group, container));
}

async function failure(text: string): Promise<ConnectError> {
  await using group = new Group();
  return await assertRejects(() => group.makeGateway(text, QUIET), ConnectError) as ConnectError;
}

for (const model of MODELS) {
  testWith(
    PODMAN,
    `a gateway in a container does what a local one does, execmodel=${model}`,
    () =>
      inContainer(async (group, container) => {
        const gateway = await group.makeGateway(
          `${spec(container)}//execmodel=${model}//chdir=/tmp/a b//env:ONE=1//allow-read=/etc`,
          { stderr: "piped" },
        );
        const output = new Response(gateway.stderr).text();
        await answers(gateway);
        assertEquals((await gateway.remoteInfo()).cwd, "/tmp/a b");
        assertEquals(await gateway.call(() => Deno.env.get("ONE")), "1");
        assertEquals(
          await gateway.call(() => Deno.readTextFileSync("/etc/passwd")),
          "root:x:0:0:root:/root:/bin/sh\n",
        );
        await assertRejects(() => gateway.call(() => Deno.readTextFileSync("/bin/sh")), Error, "allow-read");
        const sent = new Uint8Array(5_000_003);
        for (let at = 0; at < sent.length; at += 65_536) {
          crypto.getRandomValues(sent.subarray(at, at + 65_536));
        }
        const echo = gateway.remoteExec("channel.send(await channel.receive())");
        await echo.send(sent);
        assert(same(await echo.receive() as Uint8Array, sent));
        await gateway.remoteExec("console.log('out'); console.error('err')").waitClose();
        await gateway[Symbol.asyncDispose]();
        assertEquals((await output).split("\n").sort().join(" "), " err out");
      }),
  );

  testWith(PODMAN, `a program that is killed leaves nothing in a container, execmodel=${model}`, async () => {
    await using container = await podman().container({ deno: "path" });
    const program = start("busy_far_side.ts", [`${spec(container)}//execmodel=${model}`]);
    await program.stdout.has("busy", 20_000);
    assert(container.processes().length > 0);
    program.process.kill("SIGKILL");
    await end(program);
    await nothingLeft(container, [], 10_000);
    assert(container.alive());
  });

  testWith(
    PODMAN,
    `terminate() ends a busy agent and a stopped one in a container, execmodel=${model}`,
    () =>
      inContainer(async (group, container) => {
        const busy = await group.makeGateway(`${spec(container)}//execmodel=${model}`, QUIET);
        const stopped = await group.makeGateway(`${spec(container)}//execmodel=${model}`, QUIET);
        const channel = busy.remoteExec("await channel.send(1); while (true);");
        await channel.receive();
        const { pid } = await stopped.remoteInfo();
        await container.exec(["kill", "-STOP", String(pid)]);
        const exits = await limited("the end", group.terminate({ timeout: 500 }), 10_000);
        assertEquals(exits.length, 2);
        assert(exits[1]!.forced);
        await nothingLeft(container, [], 10_000);
      }),
  );
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

testWith(PODMAN, "an exit code comes out of a container", () =>
  inContainer(async (group, container) => {
    const gateway = await group.makeGateway(`${spec(container)}//execmodel=main`, QUIET);
    const error = await assertRejects(
      () => gateway.remoteExec("Deno.exit(7)").waitClose(),
      GatewayClosedError,
    ) as GatewayClosedError;
    assertEquals(error.code, 7);
    assertEquals((await gateway.closed).code, 7);
  }));

testWith(
  PODMAN,
  "what a memory limit kills is reported, and the container lives on",
  () =>
    inContainer(async (group, container) => {
      const gateway = await group.makeGateway(`${spec(container)}//execmodel=main`, QUIET);
      const channel = gateway.remoteExec(`
      const all = [];
      while (true) all.push(new Uint8Array(8 << 20).fill(1));
    `);
      await assertRejects(() => channel.waitClose(), GatewayClosedError);
      const { code, signal } = await gateway.closed;
      assertEquals([code, signal], [137, "SIGKILL"]);
      assert(container.alive());
      await answers(await group.makeGateway(spec(container), QUIET));
    }, { deno: "path", memory: "256m" }),
);

testWith(
  PODMAN,
  "SIGKILL of the engine's client ends its gateway, and what ran in the container",
  () =>
    inContainer(async (group, container) => {
      const gateway = await group.makeGateway(`${spec(container)}//allow-run`, QUIET);
      const channel = gateway.remoteExec(`
      new Deno.Command("setsid", { args: ["sleep", "1000"], stdin: "null" }).spawn();
      await channel.send(1);
      while (true);
    `);
      await channel.receive();
      const clients = descendants(Deno.pid).filter(({ command }) =>
        /^\S*podman exec /.test(command) && command.includes(container.name)
      );
      assertEquals(clients.length, 1, JSON.stringify(clients));
      Deno.kill(clients[0]!.pid, "SIGKILL");
      await assertRejects(() => channel.receive(), EOFError);
      await nothingLeft(container, [], 10_000);
      await answers(await group.makeGateway(spec(container), QUIET));
    }),
);

testWith(
  PODMAN,
  "a container without setsid, whose shell is dash, is as good",
  () =>
    inContainer(async (group, container) => {
      const gateway = await group.makeGateway(`${spec(container)}//allow-run`, QUIET);
      await answers(gateway);
      const channel = gateway.remoteExec("await channel.send(1); while (true);");
      await channel.receive();
      await group.terminate({ timeout: 200 });
      await nothingLeft(container, [], 10_000);
    }, { deno: "path", without: ["setsid"] }),
);

testWith(
  PODMAN,
  "a container that is not there, one that does not run, and one without Deno have their own errors",
  async () => {
    await using container = await podman().container();
    const none = await failure(spec(container));
    assertEquals([none.kind, none.exitCode], ["no-deno", 127], none.message);
    const missing = await failure(`command=${podman().program} exec -i no-such-container`);
    assertEquals(missing.kind, "host", missing.message);
    assert(missing instanceof HostNotFoundError);
    assertMatch(missing.stderrTail, /no container with name or ID "no-such-container" found/);
    await container.kill();
    await until("the container has ended", () => !container.alive());
    const dead = await failure(spec(container));
    assertEquals(dead.kind, "refused", dead.message);
    assertMatch(dead.stderrTail, /container state improper|not running/);
  },
);

testWith(PODMAN, "execnet doctor tells such containers from each other", async () => {
  await using container = await podman().container();
  const none = await examined(spec(container));
  assertEquals(none.steps, ["program ok", "shell ok", "deno failed no-deno"]);
  const missing = await examined(`command=${podman().program} exec -i no-such-container`);
  assertEquals(missing.steps, ["program ok", "container failed no-container"]);
  await container.kill();
  await until("the container has ended", () => !container.alive());
  const { code, steps, bad } = await examined(spec(container));
  assertEquals([code, steps], [3, ["program ok", "container failed stopped"]]);
  assertMatch(bad!.advice![0]!, new RegExp(`podman start ${container.name}$`));
});

testWith(PODMAN, "a program that is not there is named", async () => {
  const error = await failure("command=no-such-engine exec -i box");
  assertEquals(error.kind, "exit");
  assertMatch(error.message, /there is no program "no-such-engine" here/);
});

testWith(PODMAN, "podman= takes a container's name, and options before it", async () => {
  await using container = await podman().container({ deno: "path", args: ["--env", "HOME=/tmp"] });
  const { name } = container;
  const program = start(
    "asked.ts",
    [`podman=${name}`, `podman=--user 65534 ${name}`, "podman=no-such-container"],
    ["-A"],
    podman().env,
  );
  assertEquals((await end(program, 60_000)).code, 0, program.stderr.text);
  assertEquals(program.stdout.text, "42 uid 0\n42 uid 65534\nhost\n");
  await nothingLeft(container);
});

testWith(PODMAN, "podman= without podman is a ConnectError of kind exit", async () => {
  const program = start("asked.ts", ["podman=box"], ["-A"], { PATH: "/nowhere" });
  assertEquals((await end(program, 60_000)).code, 0, program.stderr.text);
  assertEquals(program.stdout.text, "exit\n");
});

for (
  const [engine, words] of [
    ["docker", '[ "$1 $2" = "exec -i" ]||exit 9'],
    ["kubectl", '[ "$1 $2 $4" = "exec -i --" ]||exit 9;name=$3;shift 4;set -- exec -i "$name" "$@"'],
  ] as const
) {
  testWith(
    PODMAN,
    `${engine}= runs the words of ${engine} (in its place, a script that hands them to podman)`,
    async () => {
      await using container = await podman().container({ deno: "path" });
      const folder = await Deno.makeTempDir({ prefix: "xp-" });
      try {
        const script = `#!/bin/sh\n${words}\nexec ${podman().program} "$@"\n`;
        await Deno.writeTextFile(`${folder}/${engine}`, script, { mode: 0o755 });
        const program = start("asked.ts", [`${engine}=${container.name}`], ["-A"], {
          PATH: `${folder}:${Deno.env.get("PATH")}`,
        });
        assertEquals((await end(program, 60_000)).code, 0, program.stderr.text);
        assertEquals(program.stdout.text, "42 uid 0\n");
        await nothingLeft(container);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );
}

/** What runs under a user's name. */
const SSHD_SUDO = [SSHD_USERS, SUDO];
/** The others understand no word of it: `ssh=` is for every shell. */
const LOGINS = ["sh", "bash", "zsh"] as const;
const users = shared(SSHD_SUDO, () => Sshd.start({ users: LOGINS.map((shell) => ({ name: shell, shell })) }));

for (const model of MODELS) {
  testWith(SSHD_SUDO, `command=sudo -u runs as another user, execmodel=${model}`, async () => {
    const { login, uid, path } = users().users.get("sh")!;
    const text = `command=sudo -n -u ${login}//deno=${
      path.split(":")[0]
    }/deno//chdir=/tmp//execmodel=${model}`;
    await on(users(), async (group) => {
      const gateway = await group.makeGateway(text, QUIET);
      await answers(gateway);
      const status = await Deno.readTextFile(`/proc/${(await gateway.remoteInfo()).pid}/status`);
      assertMatch(status, new RegExp(`^Uid:\\s+${uid}\\s`, "m"));
      const channel = gateway.remoteExec("await channel.send(1); while (true);");
      await channel.receive();
      await group.terminate({ timeout: 200 });
    });
    const program = start("busy_far_side.ts", [text]);
    await program.stdout.has("busy", 20_000);
    program.process.kill("SIGKILL");
    await end(program);
    await nothingLeft(users(), [], 10_000);
  });
}

for (const shell of LOGINS) {
  testWith(
    SSHD_SUDO,
    `command=ssh joins the words for ${shell}, which understands them`,
    () =>
      on(users(), async (group) => {
        const gateway = await group.makeGateway(
          `command=ssh -F ${users().config} ${users().host(shell)}`,
          QUIET,
        );
        await answers(gateway);
        const { uid } = users().users.get(shell)!;
        assertEquals((await Deno.stat(`/proc/${(await gateway.remoteInfo()).pid}`)).uid, uid);
      }),
  );
}

testWith([], "command=env sets a variable", async () => {
  await using group = new Group();
  const gateway = await group.makeGateway("command=env EXTRA=1//allow-env", QUIET);
  assertEquals(await gateway.call(() => Deno.env.get("EXTRA")), "1");
});

for (const shell of ["dash", "bash", "busybox", "zsh"]) {
  testWith(SHELLS, `${shell} as sh starts a gateway and ends all of it`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "xp-" });
    await Deno.symlink(findProgram(shell)!, `${folder}/sh`);
    try {
      await using group = new Group();
      const text = `command=env PATH=${folder}:${
        Deno.env.get("PATH")
      }//chdir=${folder}/a 'b' $c//env:A=x y//allow-run`;
      const gateway = await group.makeGateway(text, QUIET);
      await answers(gateway);
      assertEquals(await gateway.call(() => Deno.env.get("A")), "x y");
      assertEquals((await gateway.remoteInfo()).cwd, `${folder}/a 'b' $c`);
      const channel = gateway.remoteExec(`
        new Deno.Command("sh", { args: ["-c", "trap '' TERM HUP; while :; do sleep 1; done"], stdin: "null" }).spawn();
        await channel.send(1);
        while (true);
      `);
      await channel.receive();
      assertEquals((await group.terminate({ timeout: 200 })).length, 1);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
