/** The table of behaviours says the truth: the tests that it names exist, and every line has one or a reason. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "./helpers/bounded.ts";
import { listTests } from "./helpers/list_tests.ts";
import { KINDS } from "./integration/kinds.ts";
import type { KindInit } from "./integration/kinds.ts";

const TABLE = new URL("./integration/behaviours.md", import.meta.url);

interface Line {
  upstream: string;
  mark: string;
  over: string;
  file: string;
  test: string;
  /** Where it is in the file, for messages. */
  at: string;
}

async function readTable(): Promise<Line[]> {
  const lines: Line[] = [];
  for (const [i, text] of (await Deno.readTextFile(TABLE)).split("\n").entries()) {
    if (!text.startsWith("|") || /^\|\s*(Upstream\s*\||-)/.test(text)) continue;
    const cells = text.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
    assertEquals(cells.length, 6, `line ${i + 1}: ${text}`);
    const [upstream, mark, , over, file, test] = cells as [string, string, string, string, string, string];
    lines.push({ upstream, mark, over, file, test, at: `line ${i + 1}, ${upstream}` });
  }
  return lines;
}

/** What the table says for kinds that have something in common. */
const LABELS: readonly (readonly [string, (kind: KindInit) => boolean])[] = [
  ["every kind", () => true],
  ["every process", ({ ownProcess }) => ownProcess],
  ["every local", ({ local }) => local],
  ["every popen", ({ name }) => name.startsWith("popen")],
  ["every main", ({ model }) => model === "main"],
  ["every process of main", ({ model, ownProcess }) => ownProcess && model === "main"],
  ["every process of worker and main", ({ model, ownProcess }) => ownProcess && model !== "process"],
  ["every process of process", ({ model, ownProcess }) => ownProcess && model === "process"],
  ["every worker and process", ({ model }) => model !== "main"],
];

/** What the table says about a test that was found once for each of these kinds. */
function overOf(kinds: readonly string[]): string {
  const is = (expected: readonly { name: string }[]): boolean =>
    kinds.length === expected.length && expected.every(({ name }) => kinds.includes(name));
  if (kinds.length === 0) return "-";
  for (const [label, chosen] of LABELS) {
    const of = KINDS.filter(chosen);
    if (is(of)) return label;
    if (is(of.filter(({ hop }) => hop === undefined))) return `${label}, alone`;
  }
  return kinds.join(", ");
}

const SUFFIX = new RegExp(` \\[(${["popen", ...KINDS.map(({ name }) => name)].join("|")})\\]$`);

test("behaviours.md names tests that exist, and what they run over", async () => {
  const lines = (await readTable()).filter(({ file }) => file !== "-");
  assert(lines.length > 200, `${lines.length} lines name a test`);
  const found = new Map<string, string[]>();
  for (const [file, names] of await listTests([...new Set(lines.map(({ file }) => file))])) {
    for (const name of names) {
      const key = `${file}: ${name.replace(SUFFIX, "")}`;
      const kind = SUFFIX.exec(name)?.[1];
      found.set(key, [...found.get(key) ?? [], ...kind === undefined ? [] : [kind]]);
    }
  }
  const wrong: string[] = [];
  for (const { file, test, over, at } of lines) {
    const kinds = found.get(`${file}: ${/^`(.*)`$/.exec(test)?.[1]?.replaceAll("\\|", "|")}`);
    if (kinds === undefined) wrong.push(`${at}: there is no test ${test} in ${file}`);
    else if (overOf(kinds) !== over) wrong.push(`${at}: ${test} runs over ${overOf(kinds)}, not ${over}`);
  }
  assertEquals(wrong, []);
});

test("behaviours.md has a test or a reason in every line", async () => {
  const wrong: string[] = [];
  for (const { upstream, mark, file, over, test, at } of await readTable()) {
    const out = /^out: (later, with |known limit: |no sense here: |Python only: )./.test(test);
    if (upstream === "" || !/^[NAP]$/.test(mark)) wrong.push(`${at}: no name or no mark`);
    if (out ? file !== "-" || over !== "-" : !file.endsWith("_test.ts")) wrong.push(`${at}: ${file} ${test}`);
    if (out && test.includes("Python only") && mark !== "P") wrong.push(`${at}: marked ${mark}`);
  }
  assertEquals(wrong, []);
});
