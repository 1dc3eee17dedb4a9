/** Gateways over ssh, to a real sshd. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, type GatewayOptions, Group, HostNotFoundError } from "../../mod.ts";
import { nothingLeft, processState } from "../helpers/leaks.ts";
import { withFolder } from "../helpers/folder.ts";
import { until } from "../helpers/wait.ts";
import { SshWithMaster } from "../parts/ssh_master.ts";
import { oldDeno } from "../parts/old_deno.ts";
import { shared, testWith } from "../parts/need.ts";
import { SSHD, Sshd, SSHD_USERS } from "../parts/sshd.ts";
import { answers, on, QUIET } from "./elsewhere.ts";
import { end, start } from "./program.ts";

const SHELLS = ["sh", "bash", "zsh", "fish", "csh"] as const;

const sshd = shared(SSHD, () => Sshd.start());
const users = shared(SSHD_USERS, () =>
  Sshd.start({
    users: [
      ...SHELLS.map((shell) => ({ name: shell, shell })),
      ...SHELLS.map((shell) => ({ name: `noisy-${shell}`, shell, noisy: true })),
      { name: "home", shell: "sh", deno: "home" },
      { name: "none", shell: "sh", deno: "none" },
    ],
  }));

const spec = (server: Sshd, user?: string): string => `ssh=${server.host(user)}//ssh_config=${server.config}`;

/** Works with a group, and sees to it that nothing is left on the server afterwards. */
async function failure(server: Sshd, text: string, options: GatewayOptions = {}): Promise<ConnectError> {
  const before = server.processes();
  await using group = new Group();
  const error = await assertRejects(
    () => group.makeGateway(text, { ...QUIET, ...options }),
    ConnectError,
  ) as ConnectError;
  await nothingLeft(server, before);
  return error;
}

for (const shell of SHELLS) {
  testWith(SSHD_USERS, `ssh starts a gateway for a user of ${shell}`, () =>
    on(users(), async (group) => {
      const gateway = await group.makeGateway(spec(users(), shell), QUIET);
      await answers(gateway);
      const { uid } = users().users.get(shell)!;
      const status = await Deno.readTextFile(`/proc/${(await gateway.remoteInfo()).pid}/status`);
      assertMatch(status, new RegExp(`^Uid:\\s+${uid}\\s`, "m"));
    }));

  testWith(
    SSHD_USERS,
    `ssh passes by all that a noisy login of ${shell} prints`,
    () =>
      on(users(), async (group) => {
        const gateway = await group.makeGateway(spec(users(), `noisy-${shell}`), QUIET);
        await answers(gateway);
        assertEquals(await gateway.call((x: number) => x * 2, 21), 42);
      }),
  );
}

testWith(
  SSHD_USERS,
  "ssh makes a working directory with blanks and quotes, relative to the home",
  () =>
    on(users(), async (group) => {
      const { home } = users().users.get("bash")!;
      for (const folder of ["a b/c", `it's "quoted"`, "$HOME;`id`&", "-dash", "ünï\nline"]) {
        const gateway = await group.makeGateway(
          `${spec(users(), "bash")}//allow-read//chdir=${folder}`,
          QUIET,
        );
        assertEquals((await gateway.remoteInfo()).cwd, `${home}/${folder}`);
        assertEquals(await gateway.call(() => Deno.cwd()), `${home}/${folder}`);
      }
    }),
);

testWith(SSHD_USERS, "ssh finds Deno in ~/.deno/bin, and by deno=", () =>
  on(users(), async (group) => {
    const home = users().users.get("home")!;
    await answers(await group.makeGateway(spec(users(), "home"), QUIET));
    const path = `${home.home}/.deno/bin/deno`;
    const named = await group.makeGateway(
      `${spec(users(), "home")}//deno=env EXTRA=1 ${path}//allow-env`,
      QUIET,
    );
    assertEquals(await named.call(() => Deno.env.get("EXTRA")), "1");
  }));

testWith(SSHD_USERS, "ssh without Deno over there is a ConnectError of kind no-deno", async () => {
  const error = await failure(users(), spec(users(), "none"));
  assertEquals([error.kind, error.exitCode], ["no-deno", 127]);
  assertMatch(error.message, /there is no Deno that can be run as "deno"/);
});

const old = oldDeno("2.0.0");
testWith([SSHD, old], "ssh to an old Deno is a ConnectError of kind version", async () => {
  const error = await failure(sshd(), `${spec(sshd())}//deno=${old.path}`);
  assertEquals(error.kind, "version");
  assertMatch(error.stderrTail, /2\.0\.0/);
});

for (
  const [wrong, kind, words] of [
    ["unknown-host", "host", /Could not resolve hostname/],
    ["closed-port", "refused", /Connection refused/],
    ["wrong-host-key", "hostkey", /Host key verification failed/],
    ["unknown-host-key", "hostkey", /Host key verification failed|host key is known/],
    ["refused-key", "auth", /Permission denied/],
  ] as const
) {
  testWith(SSHD, `ssh with ${wrong} is a ConnectError of kind ${kind}, with ssh's own words`, async () => {
    const server = sshd();
    const error = await failure(server, `ssh=${server.failing[wrong]}//ssh_config=${server.config}`);
    assertEquals([error.kind, error.exitCode], [kind, 255]);
    assertMatch(error.stderrTail, words);
    assertEquals(error instanceof HostNotFoundError, kind === "host");
  });

  testWith(SSHD, `ssh with ${wrong} says the same where it shares no connection`, async () => {
    const server = sshd();
    const words2 = `-o ControlMaster=no ${server.failing[wrong]}`;
    const error = await failure(server, `ssh=${words2}//ssh_config=${server.config}`);
    assertEquals(error.kind, kind);
    assertMatch(error.stderrTail, words);
  });
}

testWith(SSHD, "ssh takes options as a shell splits words", () =>
  on(sshd(), async (group) => {
    const gateway = await group.makeGateway(`ssh=${sshd().words()}`, QUIET);
    await answers(gateway);
    assertEquals(gateway.remoteAddress, "127.0.0.1");
    await answers(
      await group.makeGateway(`ssh=-F '${sshd().config}' -o "SendEnv=A B" ${sshd().host()}`, QUIET),
    );
  }));

testWith(
  SSHD,
  "gateways to one host share a connection, which ends with the last of them",
  () =>
    on(sshd(), async (group) => {
      const before = sshd().connections();
      const first = await group.makeGateway(spec(sshd()), QUIET);
      const second = await group.makeGateway(spec(sshd()), QUIET);
      await first[Symbol.asyncDispose]();
      await answers(second);
      await group.makeGateway(spec(sshd()), QUIET);
      const { connections } = sshd().connections();
      assertEquals(connections - before.connections, 1);
      await group.terminate();
      await nothingLeft(sshd());
      await group.makeGateway(spec(sshd()), QUIET);
      assertEquals(sshd().connections().connections - connections, 1);
    }),
);

for (const said of ["-o ControlMaster=no", "-S none", "-o ControlPath=none"]) {
  testWith(SSHD, `ssh shares no connection where the user says ${said}`, () =>
    on(sshd(), async (group) => {
      const before = sshd().connections().connections;
      const specs = [1, 2].map(() => `ssh=${said} ${sshd().host()}//ssh_config=${sshd().config}`);
      for (const one of specs) await answers(await group.makeGateway(one, QUIET));
      assertEquals(sshd().connections().connections - before, 2);
    }));
}

testWith(
  SSHD,
  "ssh leaves it to the user's configuration how connections are shared",
  () =>
    on(sshd(), async (group) => {
      const config = `${sshd().folder}/own`;
      await Deno.writeTextFile(config, `Include ${sshd().config}\nHost *\n  ControlMaster no\n`);
      const before = sshd().connections().connections;
      for (let i = 0; i < 2; i++) {
        await group.makeGateway(`ssh=${sshd().host()}//ssh_config=${config}`, QUIET);
      }
      assertEquals(sshd().connections().connections - before, 2);
    }),
);

testWith(SSHD, "fifty gateways at once keep to the server's default limits", async () => {
  await using server = await Sshd.start();
  await on(server, async (group) => {
    const all = await Group.create(
      Array.from({ length: 50 }, () => `${spec(server)}//execmodel=main`),
      QUIET,
    );
    assertEquals((await all.remoteExec("channel.send(1)").receiveEach()).length, 50);
    await all.terminate();
    const { connections, dropped, refused } = server.connections();
    assertEquals([connections, dropped, refused], [5, 0, 0]);
    assertEquals(group.size, 0);
  });
}, { limit: 120_000 });

testWith(SSHD, "a server that takes few sessions and few connections gets no more than that", async () => {
  await using server = await Sshd.start({ maxSessions: 2, maxStartups: "5:30:100" });
  await on(server, async () => {
    await using all = await Group.create(
      Array.from({ length: 9 }, () => `${spec(server)}//execmodel=main`),
      QUIET,
    );
    assertEquals((await all.remoteExec("channel.send(1)").receiveEach()).length, 9);
    assertEquals(server.connections().dropped, 0);
  });
}, { limit: 120_000 });

testWith(SSHD, "without sharing, gateways log in a few at a time", async () => {
  await using server = await Sshd.start({ maxStartups: "5:100:6" });
  await on(server, async () => {
    const one = `ssh=-S none ${server.host()}//ssh_config=${server.config}//execmodel=main`;
    await using all = await Group.create(Array.from({ length: 12 }, () => one), QUIET);
    assertEquals((await all.remoteExec("channel.send(1)").receiveEach()).length, 12);
    assertEquals([server.connections().connections, server.connections().dropped], [12, 0]);
  });
}, { limit: 120_000 });

testWith(
  SSHD,
  "the death of a shared connection ends its gateways, and the next one gets a new connection",
  () =>
    on(sshd(), async (group) => {
      const gateways = [
        await group.makeGateway(spec(sshd()), QUIET),
        await group.makeGateway(spec(sshd()), QUIET),
      ];
      const channel = gateways[0]!.remoteExec("await new Promise(() => {})");
      await gateways[1]!.remoteStatus();
      // The server's side of the connection is the parent of the shells.
      const { pid } = await gateways[0]!.remoteInfo();
      let server = processState(pid)!;
      while (!/^sshd/.test(server.command)) server = processState(server.parent)!;
      Deno.kill(server.pid, "SIGKILL");
      await assertRejects(() => channel.receive());
      for (const gateway of gateways) assert((await gateway.closed).reason !== "requested");
      await answers(await group.makeGateway(spec(sshd()), QUIET));
    }),
);

testWith(
  SSHD,
  "an aborted start and one that takes too long leave nothing",
  () =>
    on(sshd(), async (group) => {
      const reason = new Error("not wanted");
      for (const ms of [0, 1, 10, 50, 150, 250, 350]) {
        const abort = new AbortController();
        const made = group.makeGateway(spec(sshd()), { ...QUIET, signal: abort.signal });
        made.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, ms));
        abort.abort(reason);
        const error = await made.then((gateway) => gateway[Symbol.asyncDispose](), (error) => error);
        assert(error === undefined || error === reason, String(error));
      }
      // The server's own shell never answers.
      const slow = `ssh=${sshd().host()}//ssh_config=${sshd().config}//deno=sleep 100`;
      const error = await assertRejects(
        () => group.makeGateway(slow, { ...QUIET, connectTimeout: 1500 }),
        ConnectError,
      ) as ConnectError;
      assertEquals(error.kind, error.stderrTail === "" ? "timeout" : error.kind);
    }),
);

testWith(SSHD, "ssh never waits for a password unseen", async () => {
  await using server = await Sshd.start({
    lines: ["PubkeyAuthentication no", "KbdInteractiveAuthentication yes"],
  });
  const error = await failure(server, spec(server), { connectTimeout: 20_000 });
  assertEquals(error.kind, "auth");
});

testWith(
  SSHD,
  "the far side's output is the gateway's, and nothing of how it is watched",
  () =>
    on(sshd(), async (group) => {
      const gateway = await group.makeGateway(spec(sshd()), { stderr: "piped" });
      const channel = gateway.remoteExec(`
      for (let i = 0; i < 5; i++) {
        console.log("line", i);
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    `);
      await channel.waitClose();
      const text = new Response(gateway.stderr).text();
      await gateway[Symbol.asyncDispose]();
      assertEquals(await text, "line 0\nline 1\nline 2\nline 3\nline 4\n");
    }),
);

testWith(SSHD, "a program that is killed leaves nothing over there", async () => {
  await using server = await Sshd.start();
  for (const keys of ["execmodel=main", "execmodel=worker//allow-run", "execmodel=process"]) {
    const program = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        new URL("./programs/busy_far_side.ts", import.meta.url).pathname,
        `${spec(server)}//${keys}`,
      ],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = program.stdout.getReader();
    await reader.read();
    assert(server.processes().length > 0);
    program.kill("SIGKILL");
    await program.status;
    await reader.cancel();
    await until("all is gone", () => server.processes().length === 0, 10_000);
  }
});

testWith(
  SSHD,
  "a start that is aborted does not hurt another one that asks for the same host",
  () =>
    on(sshd(), async (group) => {
      const abort = new AbortController();
      const first = group.makeGateway(spec(sshd()), { ...QUIET, signal: abort.signal });
      const second = group.makeGateway(spec(sshd()), QUIET);
      await Promise.resolve();
      abort.abort(new Error("Not any more"));
      await assertRejects(() => first, Error, "Not any more");
      await answers(await second);
    }),
);

for (const quiet of ["-q", "-o LogLevel=QUIET"]) {
  testWith(SSHD, `ssh ${quiet} hides no reason`, async () => {
    const server = sshd();
    const error = await failure(
      server,
      `ssh=${quiet} ${server.failing["closed-port"]}//ssh_config=${server.config}`,
    );
    assertEquals(error.kind, "refused");
    assertMatch(error.stderrTail, /Connection refused/);
  });
}

testWith(
  SSHD,
  "a connection is shared though the user runs no local commands",
  () =>
    on(sshd(), async (group) => {
      const one = `ssh=-o PermitLocalCommand=no ${sshd().host()}//ssh_config=${sshd().config}`;
      const { connections } = sshd().connections();
      for (let i = 0; i < 2; i++) await answers(await group.makeGateway(one, QUIET));
      assertEquals(sshd().connections().connections - connections, 1);
    }),
);

testWith(
  SSHD,
  "a connection is shared though the temporary folder's path is too long for a socket",
  () =>
    withFolder(async (folder) => {
      const long = `${folder}/${"long".repeat(25)}`;
      await Deno.mkdir(long);
      const program = start("restricted.ts", [spec(sshd())], ["-A"], { TMPDIR: long });
      await end(program);
      assertEquals(program.stdout.text, "got 42\n", program.stderr.text);
      await nothingLeft(sshd());
    }),
);

testWith(SSHD, "a configuration is read wherever it is", () =>
  withFolder(async (folder) => {
    const place = `${folder}/a "b" [c]*?\\ d`;
    await Deno.mkdir(place);
    const config = `${place}/config`;
    const text = await Deno.readTextFile(sshd().config);
    await Deno.writeTextFile(config, `${text}\nHost *\n  ControlMaster no\n  ControlPath none\n`);
    await on(sshd(), async (group) => {
      const { connections } = sshd().connections();
      for (let i = 0; i < 2; i++) {
        const gateway = await group.makeGateway({ ssh: sshd().host(), sshConfig: config }, QUIET);
        await answers(gateway);
        assertEquals(gateway.remoteAddress, "127.0.0.1");
      }
      // It says that nothing is shared.
      assertEquals(sshd().connections().connections - connections, 2);
    });
  }));

testWith(SSHD, "a program that may not write shares no connection", async () => {
  const program = start("restricted.ts", [spec(sshd())], ["--allow-run", "--allow-env"]);
  await end(program);
  assertEquals(program.stdout.text, "got 42\n", program.stderr.text);
  await nothingLeft(sshd());
});

testWith(SSHD, "a start that is given up leaves nothing over a connection that goes on", async () => {
  await using server = await SshWithMaster.start();
  await withFolder(async (folder) => {
    // It is there, stands still, and never greets.
    await Deno.writeTextFile(`${folder}/deno`, `#!/bin/sh\nkill -STOP $$\nexec "$@"\n`, { mode: 0o755 });
    const text = `ssh=${server.sshd.host()}//ssh_config=${server.config}//deno=${folder}/deno`;
    const before = server.sshd.processes();
    await using group = new Group();
    const made = group.makeGateway(text, { ...QUIET, connectTimeout: 1_500 });
    assertEquals((await assertRejects(() => made, ConnectError) as ConnectError).kind, "timeout");
    await nothingLeft(server.sshd, before);
  });
});
