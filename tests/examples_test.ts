/** The examples: each runs as the README says, ends well, and prints what it promises. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { test } from "./helpers/bounded.ts";
import { LeakCheck } from "./helpers/leaks.ts";

const ROOT = new URL("../", import.meta.url);
const LIMIT_MS = 60_000;
const KILL_AFTER_MS = LIMIT_MS - 10_000;

/** Holds modules that examples ship; they run nowhere by themselves. */
const SHIPPED = "jobs";

/** The gist of what each example prints. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  "demo.ts":
    /(\d+)\/\1 files\n[^]*"\.ts" .* [1-4] │[^]*words: \p{L}+ \(\d+\), [^]*from gw0: NotCapable: .*hostname/u,
  "file_server.ts":
    /^docs\/.* \d{4,} bytes\nREADME.* read access .*\n\/etc.* read access .*\ndocs.* \d+ bytes\n$/,
  "folder_to_many.ts":
    /^(?:gw\d: (\d+) files, \1 sent, 0 removed, 0 errors\n){3}Once more:\ngw0: .* 0 sent, 0 removed.*\ngw1: .* 1 sent, 0 removed.*\ngw2: .* 0 sent, 1 removed.*\n$/,
  "global_channel.ts": /^LICENSE has \d+ lines\nmod\.ts has \d+ lines\n$/,
  "groups_and_ids.ts":
    /"popen\/\/nice=5.*" is going to be gw0\nsleeper: popen.*\ngw0: .*nice=5.*\ngw1: worker.*\n3 .*false\n(?:Ended:|,)(?: requested \(code 0\),?){3}\n$/,
  "multiplier.ts": /^1 × 10 = 10\n2 × 10 = 20\n3 × 10 = 30\n$/,
  "redirected_output.ts": /^gw0 \| Hello .*\n(?:gw0 \| \d …\n){3}gw0 \| One write,\ngw0 \| two lines\n$/,
  "remote_commands.ts": /^add 20 22 → 42\nlist docs → [^]*"tracing\.md"[^]*\ncount → 2\n$/,
  "task_server.ts":
    /^(?:(?:ann|ben|cleo): (?:1² = 1|2² = 4|[3-8]² = \d+)\n){8}mapped: 1\n(?:.*\n){2}mapped: 16\n$/,
  "two_results.ts":
    /^Both.*: \[ ".*1 s", ".*0\.1 s" \]\nhare: here after 0\.1 s\ntortoise: here after 1 s\n$/,
  "typed_job.ts": /^mean 22, median 3, from 1 to 100\nmean 21\.07, median 22\.35, from 0 to 31\.61\n$/,
  "word_count.ts":
    /^1 of (\d+) files\n(?=[^]*^\1 of \1 files$)[^]*^README\.md +\d+\n[^]*^channel\/[^]*^docs\/[^]*^all +\d{4,}\n$/m,
  "working_directories.ts": /^gw0 is in \/.*\ngw1 is there too\ngw2 is in \/\n$/,
};

for (const { name, isDirectory } of Deno.readDirSync(new URL("examples/", ROOT))) {
  if (isDirectory) {
    test(`examples/${name}/ holds modules that examples ship`, () => assertEquals(name, SHIPPED));
    continue;
  }
  test(`examples/${name} runs and prints what it promises`, async () => {
    const expected = EXPECTED[name];
    assert(expected !== undefined, `tests/examples_test.ts expects nothing of examples/${name}`);
    const leaks = new LeakCheck();
    const { code, signal, stdout, stderr } = await run(`examples/${name}`);
    assertEquals({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
    assertMatch(stdout, expected);
    await leaks.done();
  }, LIMIT_MS);
}

test("Every expectation has its example, and the README lists each in a line", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  for (const name of Object.keys(EXPECTED)) {
    assert((await Deno.stat(new URL(`examples/${name}`, ROOT))).isFile, name);
    const lines = readme.split("\n").filter((line) =>
      line.startsWith("- ") && line.includes(`examples/${name}`)
    );
    assertEquals(lines.length, 1, name);
  }
});

interface Ran {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** Runs a program as a user does, without what Deno says of downloads, and kills it when it does not end. */
async function run(path: string): Promise<Ran> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", path],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(KILL_AFTER_MS),
  });
  const { code, signal, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, signal, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
