/** The documentation of `mod.ts`: every class and function shows how it is used, and `deno test --doc` runs it. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { test } from "./helpers/bounded.ts";
import { run } from "./parts/run.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const LIMIT_MS = 60_000;

/** The part of what `deno doc --json` prints that matters here. */
interface Doc {
  nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
}

interface Declaration {
  kind: string;
  jsDoc?: { tags?: { kind: string; doc?: string }[] };
}

test("Every class and function of mod.ts has an example, which deno test --doc runs", async () => {
  const { stdout } = await run([Deno.execPath(), "doc", "--json", `${ROOT}/mod.ts`]);
  const doc: Doc = JSON.parse(stdout);
  const symbols = Object.values(doc.nodes).flatMap((node) => node.symbols)
    .filter(({ declarations }) => declarations.some(({ kind }) => kind === "class" || kind === "function"));
  for (const name of ["Gateway", "Group", "RSync", "makeGateway", "dumps"]) {
    assert(symbols.some((symbol) => symbol.name === name), `deno doc does not tell of ${name}`);
  }
  const without = symbols.filter(({ declarations }) => !declarations.some(hasExample)).map(({ name }) =>
    name
  );
  assertEquals(without, []);

  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  assertMatch(tasks.test.command, /^deno test .*--doc\b/);
}, LIMIT_MS);

/** Whether there is a block that Deno runs: one of TypeScript that nothing tells it to leave out. */
function hasExample({ jsDoc }: Declaration): boolean {
  return (jsDoc?.tags ?? []).some(({ kind, doc = "" }) => kind === "example" && /^```ts\n/m.test(doc));
}
