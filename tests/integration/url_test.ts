/** Import by URL: programs of an empty folder that have nothing of the package but its address on a web server. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { Web } from "../helpers/web.ts";
import { shared, testWith } from "../parts/need.ts";
import { SSHD, Sshd } from "../parts/sshd.ts";

const SERVED = "tests/integration/served/";
const LIMIT_MS = 120_000;

/** What the README says that a program needs, and Deno for Workers that may do less than the program. */
const FLAGS = ["--allow-run", "--allow-read", "--allow-write", "--allow-net", "--unstable-worker-options"];
/** The same for gateways by ssh, where modules are shipped and folders copied. */
const SSH_FLAGS = ["--allow-run", "--allow-env", "--allow-read", "--allow-write"];

const LOCAL_SPECS = ["popen", "worker"];
const INSTALLED = "popen//allow-all//id=hop + socket//installvia=hop";

const web = shared([], () => Web.start(SERVED));
const sshd = shared(SSHD, () => Sshd.start());

/** What the program prints of a gateway; `scheme` is that of its own URL. */
function works(type: string, scheme: string): string {
  return `${type}: 42 text 7 lengths.ts:5 ${scheme}: 1 2 1 copied`;
}

/** Runs the program from where it is served, or from files that import the package by its URL. */
async function runScript(
  from: "http" | "file",
  specs: readonly string[],
  flags: readonly string[],
): Promise<string[]> {
  const { folder, missed, url } = web();
  const names = ["script.ts", "job.ts", "lengths.ts"];
  try {
    if (from === "file") {
      // What editors are told does not hinder shipping.
      const types = `/// <reference types="${new URL("remote.d.ts", url)}" />\n`;
      for (const name of names) {
        const text = await (await fetch(new URL(SERVED + name, url))).text();
        const byUrl = text.replaceAll("../../../mod.ts", new URL("mod.ts", url).href);
        await Deno.writeTextFile(`${folder}/${name}`, name === "job.ts" ? types + byUrl : byUrl);
      }
    }
    const lines: string[] = [];
    await withFolder(async (target) => {
      const program = from === "file" ? "script.ts" : new URL(`${SERVED}script.ts`, url);
      const { stdout, stderr } = await web().run(program, [target, ...specs], { flags });
      assertEquals(stderr, "");
      lines.push(...stdout.trim().split("\n"));
    });
    // Neither a lock file nor anything else is left, and nothing was asked for that is not published.
    assertEquals(
      [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
      from === "file" ? names.sort() : [],
    );
    assertEquals(missed, []);
    return lines;
  } finally {
    if (from === "file") { for (const name of names) await Deno.remove(`${folder}/${name}`); }
  }
}

for (const from of ["file", "http"] as const) {
  const where = from === "file" ? "in a file" : "on the server itself";
  test(
    `a program ${where} imports mod.ts by URL, with popen and worker gateways and the permissions of the README`,
    async () => {
      assertEquals(await runScript(from, LOCAL_SPECS, FLAGS), LOCAL_SPECS.map((type) => works(type, from)));
    },
    LIMIT_MS,
  );

  testWith(SSHD, `a program ${where} imports mod.ts by URL, with ssh gateways`, async () => {
    const spec = `ssh=${sshd().host()}//ssh_config=${sshd().config}`;
    assertEquals(await runScript(from, [spec], SSH_FLAGS), [works("ssh", from)]);
  }, { limit: LIMIT_MS });
}

test("a program that imports mod.ts by URL installs servers", async () => {
  assertEquals(await runScript("http", [INSTALLED], ["--allow-all"]), [
    works("socket", "http").replace(" 1 2 ", " "),
  ]);
}, LIMIT_MS);

test(
  "without npm a program that imports mod.ts by URL sends text, and is told why functions cannot be sent",
  async () => {
    await withFolder(async (folder) => {
      const program = `${folder}/program.ts`;
      await Deno.writeTextFile(
        program,
        `
      import { makeGateway } from "${new URL("mod.ts", web().url)}";
      await using gateway = await makeGateway();
      console.log(await gateway.remoteExec("const n: number = 42; await channel.send(n);").receive());
      const failed = (error: Error) => console.log(error.name + ": " + error.message);
      try { await gateway.call(() => 1); } catch (error) { failed(error); }
      await gateway.remoteExec(new URL(import.meta.url)).receive().catch(failed);
    `,
      );
      const env = { DENO_DIR: `${folder}/deno`, NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/" };
      const [answer, fn, module] = (await web().run(program, [], { env })).stdout.split("\n");
      assertEquals(answer, "42");
      const why =
        /^TypeError: Cannot ship code: the npm packages that look at it cannot be loaded: .*127\.0\.0\.1:1/;
      assertMatch(fn!, why);
      assertMatch(module!, why);
    });
  },
  LIMIT_MS,
);

/** Command lines of cli.ts, and what they print. */
const COMMANDS: readonly [args: readonly string[], stdout: RegExp][] = [
  [["--help"], /^.*execnet[^]*\binfo\b/],
  [["info", "popen//id=far", "--json"], /^\{[^]*"pid": ?\d+/],
  [["exec", "popen", "-e", "const n: number = 6; await channel.send(n * 7);"], /^42\n$/],
];

test("cli.ts runs by URL", async () => {
  const { missed, url } = web();
  for (const [args, expected] of COMMANDS) {
    const { stdout, stderr } = await web().run(new URL("cli.ts", url), args, { config: true });
    assertEquals(stderr, "", args.join(" "));
    assertMatch(stdout, expected);
  }
  assert(!missed.includes("cli.ts") && missed.length === 0, missed.join(" "));
}, LIMIT_MS);
