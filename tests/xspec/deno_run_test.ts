/** The flags with the real Deno: it takes them all, and they grant what the spec says, no more. */

import { assert, assertEquals, assertFalse } from "jsr:@std/assert@^1.0.19";
import { permissionFlags, runFlags, workerPermissions, XSpec } from "../../xspec/mod.ts";

const TIMEOUT_MS = 30_000;

/** Runs a script under these flags; the configuration and the cache of this repository stay out of it. */
async function run(
  flags: string[],
  source: string,
  cwd: string,
  input: unknown = null,
): Promise<{ code: number; text: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-config",
      "--no-lock",
      "--quiet",
      ...flags,
      `data:text/javascript,${encodeURIComponent(source)}`,
      JSON.stringify(input),
    ],
    cwd,
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "", // where Deno looks for the programs of allow-run at its start
      NO_COLOR: "1",
      DENO_DIR: `${cwd}/cache`,
      DENO_NO_UPDATE_CHECK: "1",
      NPM_CONFIG_REGISTRY: "http://127.0.0.1:9/",
      JSR_URL: "http://127.0.0.1:9/",
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout).trim(), err: decoder.decode(stderr) };
}

/** A directory for one test. */
async function withDir(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** For each question the letter of its state: granted, prompt (not granted) or denied. */
const ASK =
  `console.log(JSON.parse(Deno.args[0]).map((q) => Deno.permissions.querySync(q).state[0]).join(""))`;
const KINDS = ["read", "write", "net", "env", "run", "sys", "ffi", "import"].map((name) => ({ name }));

const STATES: [string, object[], string][] = [
  ["", KINDS, "pppppppp"],
  ["allow-all", KINDS, "gggggggg"],
  ["allow-all//deny-net//deny-import", KINDS, "ggdggggd"],
  [
    "allow-read//allow-write//allow-net//allow-env//allow-run//allow-sys//allow-ffi//allow-import",
    KINDS,
    "gggggggg",
  ],
  ["deny-read//deny-write//deny-net//deny-env//deny-run//deny-sys//deny-ffi//deny-import", KINDS, "dddddddd"],
  ["allow-read=sub,/abs//deny-read=sub/x", [
    { name: "read" },
    { name: "read", path: "sub/a" },
    { name: "read", path: "sub/x/y" },
    { name: "read", path: "/abs" },
    { name: "read", path: "subs" },
    { name: "write", path: "sub" },
  ], "pgdgpp"],
  ["allow-net=a.org,b.org:80,[::1]:8,*.c.org//deny-net=a.org:1", [
    { name: "net" },
    { name: "net", host: "a.org:5" },
    { name: "net", host: "a.org:1" },
    { name: "net", host: "b.org:80" },
    { name: "net", host: "b.org:81" },
    { name: "net", host: "[::1]:8" },
    { name: "net", host: "x.c.org" },
    { name: "import", host: "a.org" },
  ], "pgdgpggp"],
  ["env:A=1//env:B=2//allow-env=C,D*//deny-env=B", [
    { name: "env" },
    { name: "env", variable: "A" },
    { name: "env", variable: "B" },
    { name: "env", variable: "C" },
    { name: "env", variable: "DX" },
    { name: "env", variable: "E" },
  ], "pgdggp"],
  ["env:A=1//allow-env//deny-env=Z", [{ name: "env" }, { name: "env", variable: "Q" }, {
    name: "env",
    variable: "Z",
  }], "ggd"],
  ["allow-sys=hostname,uid//deny-sys=uid", [
    { name: "sys", kind: "hostname" },
    { name: "sys", kind: "uid" },
    { name: "sys", kind: "gid" },
  ], "gdp"],
  ["allow-run=sh//deny-run=cat", [
    { name: "run", command: "sh" },
    { name: "run", command: "cat" },
    { name: "run", command: "ls" },
  ], "gdp"],
  ["allow-import=x.org,y.org:8//memory=64M", [
    { name: "import", host: "x.org" },
    { name: "import", host: "x.org:8080" },
    { name: "import", host: "y.org:8" },
    { name: "import", host: "y.org:9" },
    { name: "net", host: "x.org" },
  ], "gggpp"],
  ["allow-ffi=/lib//allow-write=%2Fa b", [
    { name: "ffi", path: "/lib/x" },
    { name: "ffi", path: "/x" },
    { name: "write", path: "/a b/c" },
    { name: "write", path: "/a" },
  ], "gpgp"],
];
for (const [keys, questions, states] of STATES) {
  Deno.test(`runFlags() grants exactly what the spec says when Deno runs under "${keys}"`, async () => {
    await withDir(async (dir) => {
      const flags = runFlags(new XSpec("popen" + (keys && "//" + keys)));
      const { code, text, err } = await run(flags, ASK, dir, questions);
      assertEquals({ code, text }, { code: 0, text: states }, err);
    });
  });
}

const IMPORT =
  `const tried = JSON.parse(Deno.args[0]).map((url) => import(url).then(() => "loaded", (e) => e.message));
console.log(JSON.stringify(await Promise.all(tried)))`;
const URLS = [
  "https://127.0.0.1:9/x.ts",
  "https://deno.land/x.ts",
  "http://127.0.0.1:9/x.ts",
  "npm:chalk",
  "jsr:@std/assert",
];

for (
  const keys of [
    "",
    "allow-read//allow-net",
    "deny-import",
    "allow-all//deny-import",
    "allow-import//deny-import",
  ]
) {
  Deno.test(`permissionFlags() lets no remote code in when the spec holds "${keys}"`, async () => {
    await withDir(async (dir) => {
      // Nobody answers at port 9, so that an attempt would fail too, but with another message.
      const { code, text, err } = await run(
        permissionFlags(new XSpec("popen" + (keys && "//" + keys)).permissions),
        IMPORT,
        dir,
        URLS,
      );
      assertEquals(code, 0, err);
      for (const message of JSON.parse(text) as string[]) {
        assert(/--no-remote|--no-npm|[Rr]equires import access/.test(message), message);
      }
    });
  });
}

Deno.test("permissionFlags() lets remote code in from the allowed host alone when the spec holds allow-import", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("export const a = 1;", { headers: { "content-type": "text/javascript" } }),
  );
  const host = `127.0.0.1:${server.addr.port}`;
  await withDir(async (dir) => {
    const flags = permissionFlags(new XSpec(`popen//allow-import=${host}`).permissions);
    const { text } = await run(flags, IMPORT, dir, [`http://${host}/a.js`, "http://127.0.0.1:9/b.js"]);
    const [allowed, other] = JSON.parse(text) as string[];
    assertEquals(allowed, "loaded");
    assert(/[Rr]equires import access/.test(other!), other);
  });
});

/** Items that may or may not be what Deno takes. */
const ITEMS: Record<string, string[]> = {
  net: [
    "a_b.com",
    "*",
    "a..b",
    "-a",
    "1.2.3.4/8",
    "1.2.3.4/8:80",
    "1.2.3.4/33",
    "999.1.1.1",
    "x:0",
    "x:65536",
    "x:",
    "unix:rel",
    "unix:/a",
    "unix:",
    "vsock:1:2",
    "vsock:1",
    "[::1]",
    "[::1]:",
    "[::1",
    "::1",
    "[zz]",
    "[fe80::]/64",
    "x*.com",
    "*.x.com:80",
    "X.com",
    "bücher.de",
    "x.com.",
    ":80",
    ":",
    "a b",
    "a@b",
    "http://x",
    "x.com/",
  ],
  import: ["x.com", ":80", "unix:/a", "*.x.org", "1.2.3.4/8"],
  sys: [
    "hostname",
    "osRelease",
    "osUptime",
    "loadavg",
    "networkInterfaces",
    "systemMemoryInfo",
    "uid",
    "gid",
    "username",
    "userInfo",
    "cpus",
    "homedir",
    "getegid",
    "statfs",
    "getPriority",
    "setPriority",
    "foo",
    "ca",
    "umask",
  ],
  env: ["A*", "A B", "=", "A=B", "*", "ü"],
  read: ["a b", "http://x", "~", "-x", "*"],
  ffi: ["./x"],
};
for (const [name, items] of Object.entries(ITEMS)) {
  Deno.test(`XSpec() takes an item of allow-${name} only when Deno takes it too`, async () => {
    await withDir(async (dir) => {
      for (const item of items) {
        const { code, err } = await run([`--allow-${name}=${item}`], "", dir);
        let accepted = true;
        try {
          new XSpec({ popen: true, extra: { [`allow-${name}`]: item } });
        } catch {
          accepted = false;
        }
        assertEquals({ item, accepted }, { item, accepted: code === 0 }, err);
      }
    });
  });
}

Deno.test("XSpec() refuses allow-all beside another allow key as Deno does", async () => {
  await withDir(async (dir) => {
    const { code, err } = await run(["--allow-all", "--allow-read=/x"], "", dir);
    assertFalse(code === 0);
    assert(err.includes("--allow-all conflicts with --allow-read"), err);
  });
});

const WORKER = `const { permissions, questions } = JSON.parse(Deno.args[0]);
const source = 'onmessage = (e) => postMessage(e.data.map((q) => Deno.permissions.querySync(q).state[0]).join(""))';
const worker = new Worker("data:text/javascript," + encodeURIComponent(source), { type: "module", deno: { permissions } });
worker.onmessage = (e) => { console.log(e.data); worker.terminate(); };
worker.postMessage(questions);`;

const WORKERS: [string, string, string][] = [
  ["", "allow-all", "pppppppp"],
  ["allow-all", "allow-all", "gggggggg"],
  ["allow-all//deny-net", "allow-all", "ggpggggg"],
  ["allow-read//allow-net", "allow-all", "gpgppppp"],
  ["allow-read//deny-read=/a", "allow-read//deny-read=/a", "gppppppp"],
  ["allow-read", "allow-read//allow-write=/x", "gppppppp"],
];
for (const [keys, held, states] of WORKERS) {
  Deno.test(`workerPermissions() grants exactly what the spec says when "${keys}" runs in "${held}"`, async () => {
    await withDir(async (dir) => {
      const process = new XSpec("popen//" + held).permissions;
      const permissions = workerPermissions(
        new XSpec("worker" + (keys && "//" + keys)).permissions,
        [],
        process,
      );
      const flags = [...permissionFlags(process), "--unstable-worker-options"];
      const { text, err } = await run(flags, WORKER, dir, { permissions, questions: KINDS });
      assertEquals(text, states, err);
    });
  });
}
