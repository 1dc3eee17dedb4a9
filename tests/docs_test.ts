/** The pages: every block runs as it stands, prints what the page says, and every link leads somewhere. */

import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { blocksOf } from "./docs/blocks.ts";
import { anchorsOf, deadLinks } from "./docs/links.ts";
import { assertOutput, assertPrinted, promisedBy } from "./docs/output.ts";
import { needsWorld, ROOT, runPage, stepsOf, writePage } from "./docs/page.ts";
import { WORLD, World } from "./docs/world.ts";
import { test } from "./helpers/bounded.ts";
import { findProgram, shared, testWith } from "./parts/need.ts";
import { run } from "./parts/run.ts";

const CHECK_LIMIT_MS = 120_000;
const PAGE_LIMIT_MS = 300_000;

/** The blocks that are not run, with their reasons. There should be none but where running them would do harm. */
const NOT_RUN: readonly string[] = [
  "README.md: runs the tests from within the tests",
  "docs/from_execnet.md: it is Python, to be compared with the block behind it",
  "docs/import_and_compile.md: fetches the runtime of compiled programs from Deno's own host",
  "docs/observability.md: fetches a receiver from a registry of images",
  "docs/repl.md: a session typed at a terminal; the prompt's own tests type at one",
];

const pages = ["", "docs/", "channel/", "gateway/socket/"].flatMap((folder) =>
  [...Deno.readDirSync(`${ROOT}/${folder}`)].map(({ name }) => folder + name)
).filter((path) => path.endsWith(".md") && path !== "CHANGELOG.md").sort().map((path) => {
  const blocks = blocksOf(Deno.readTextFileSync(`${ROOT}/${path}`));
  return { path, blocks, steps: stepsOf(path, blocks), name: path.replaceAll("/", "-").replace(/\.md$/, "") };
});

/** What all of the pages' folders are in: a project of somebody who has read the quickstart. */
let project = "";
const written: string[] = [];
Deno.test.beforeAll(async () => {
  project = await Deno.realPath(await Deno.makeTempDir({ prefix: "docs-" }));
  const { name, exports, imports, unstable } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const own = Object.entries<string>(exports).map((
    [key, path],
  ) => [name + key.slice(1), ROOT + path.slice(1)]);
  const config = { imports: { ...imports, ...Object.fromEntries(own) }, unstable };
  await Deno.writeTextFile(`${project}/deno.json`, JSON.stringify(config));
  for (const { name, steps } of pages) written.push(...await writePage(`${project}/${name}`, steps));
});
Deno.test.afterAll(() => Deno.remove(project, { recursive: true }));

const world = shared(WORLD, () => World.start());

test("The types of every program of the pages hold", async () => {
  assert(written.length > 20, "the programs are not found");
  const { code, stderr } = await run(
    [Deno.execPath(), "check", "--quiet", "--config", `${project}/deno.json`, ...written],
    { mayFail: true, env: { NO_COLOR: "1" }, limit: CHECK_LIMIT_MS },
  );
  assertEquals(code, 0, stderr);
}, CHECK_LIMIT_MS);

for (const { path, steps, name } of pages) {
  if (steps.length === 0) continue;
  const inWorld = needsWorld(steps);
  testWith(inWorld ? WORLD : [], `${path}: what it says to run, runs`, async () => {
    await runPage(path, `${project}/${name}`, steps, {
      env: { DENO_DIR: await denoFolder(), PATH: `${await programs()}:${Deno.env.get("PATH")}` },
      world: inWorld ? world() : undefined,
    });
  }, { limit: PAGE_LIMIT_MS });
}

test("The blocks that are not run are known, and why", () => {
  const skipped = pages.flatMap(({ path, blocks }) =>
    blocks.flatMap(({ marker }) => marker?.kind === "skip" ? [`${path}: ${marker.reason}`] : [])
  );
  assertEquals(skipped, NOT_RUN);
});

test("Every link between the project's pages leads to a file, and every anchor to a heading", async () => {
  const { stdout } = await run([
    "git",
    "-C",
    ROOT,
    "ls-files",
    "--cached",
    "--others",
    "--exclude-standard",
    "*.md",
  ])
    .catch(() => ({ stdout: pages.map(({ path }) => path).join("\n") })); // What was exported has no git.
  const anchors = (path: string): Set<string> => anchorsOf(Deno.readTextFileSync(path));
  const dead = stdout.trim().split("\n").flatMap((path) =>
    deadLinks(`${ROOT}/${path}`, Deno.readTextFileSync(`${ROOT}/${path}`), anchors).map((one) =>
      `${path}:${one}`
    )
  );
  assertEquals(dead, []);
});

test("Every page of docs/ is in their index", async () => {
  const index = await Deno.readTextFile(`${ROOT}/docs/README.md`);
  for (const { path } of pages.filter((one) => one.path.startsWith("docs/"))) {
    const name = path.slice("docs/".length);
    assert(name === "README.md" || index.includes(`](${name})`), `docs/README.md does not list ${name}`);
  }
});

test("What the pages promise is compared with what is printed", () => {
  const program = 'console.log("no promise");\n// console.log(1); // 0\nf(1); // not printed\n' +
    'console.log(2); // 2\nconsole.log(\n  "a",\n); // a…\nconsole.log([1, f()]); // [ 1, … ]\n';
  assertEquals(promisedBy(program), ["2", "a…", "[ 1, … ]"]);
  assertPrinted(["2", "a…", "[ 1, … ]"], "no promise\n2\nabc\n[ 1, 2 ]\n", "here");
  for (const wrong of ["2\nabc\n", "abc\n2\n[ 1, 2 ]\n", "22\nabc\n[ 1, 2 ]\n"]) {
    assertThrows(() => assertPrinted(["2", "a…", "[ 1, … ]"], wrong, "here"));
  }
  assertOutput("one\n…\nlast … line\n", "one\n2\n3\nlast short line\n", "here");
  assertOutput("one\n…\nlast\n", "one\nlast\n", "here");
  for (const wrong of ["one\nlast line\nmore\n", "two\nlast a line\n", ""]) {
    assertThrows(() => assertOutput("one\n…\nlast … line\n", wrong, "here"));
  }
});

test("Comments before blocks are understood, or refused", () => {
  const [first, second] = blocksOf(
    "<!-- run: after -->\n\n```ts\n1;\n```\n<!-- a remark -->\n```sh\n:\n```\n",
  );
  assertEquals([first!.marker?.kind, first!.text, first!.line], ["after", "1;\n", 4]);
  assertEquals([second!.marker, second!.language], [undefined, "sh"]);
  for (const wrong of ["not run: why", "run: sometimes", "file:"]) {
    assertThrows(() => blocksOf(`<!-- ${wrong} -->\n\`\`\`ts\n\`\`\`\n`));
  }
});

test("What a reader would type is run, or says why not", () => {
  const steps = (language: string, text: string, comment = ""): number =>
    stepsOf("page.md", blocksOf(`${comment}\n\`\`\`${language}\n${text}\n\`\`\`\n`)).length;
  assertEquals([steps("", "a ── $ 1 ──▶ b\nimported"), steps("sh", "deno -V")], [0, 1]);
  for (const text of ["what\n$ ls", "  deno run a.ts", 'import { a } from "b";']) {
    assertThrows(() => steps("", text), Error, "page.md:3: is not run, and does not say why");
    assertEquals(steps("", text, "<!-- not run: for a good reason -->"), 0);
  }
  assertThrows(() => steps("python", "import execnet"), Error, "does not say why");
});

test("A link that leads nowhere is found", () => {
  const anchors = (): Set<string> => anchorsOf("# A `b` c\n## A b c\n```\n# no\n```\n");
  assertEquals([...anchors()], ["a-b-c", "a-b-c-1"]);
  const page = `${ROOT}/docs/README.md`;
  const text =
    "[a](../README.md) [b](../README.md#a-b-c) [c](https://x.y) [d](#no) [e](gone.md)\n```\n[f](g)\n```\n";
  assertEquals(deadLinks(page, text, anchors), ["1: #no is no heading", "1: gone.md is no file"]);
});

/** A folder in which `deno` is the one that runs the tests. */
async function programs(): Promise<string> {
  const folder = `${project}/bin`;
  await Deno.mkdir(folder, { recursive: true });
  if (findProgram("deno") === undefined || (await Deno.realPath(findProgram("deno")!)) !== Deno.execPath()) {
    await Deno.symlink(Deno.execPath(), `${folder}/deno`).catch(() => {});
  }
  return folder;
}

let folder: Promise<string> | undefined;
/** Where Deno keeps what it has downloaded; with a HOME of its own it would look elsewhere. */
function denoFolder(): Promise<string> {
  return folder ??= run([Deno.execPath(), "info", "--json"]).then(({ stdout }) => JSON.parse(stdout).denoDir);
}
