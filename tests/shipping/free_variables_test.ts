/** The free variables of many real functions, compared with what another scope analysis finds. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { analyze } from "npm:eslint-scope@^9.1.2";
import acorn from "npm:acorn@8.19.0" with { type: "text" };
import maps from "npm:@jridgewell/trace-mapping@^0.3.31" with { type: "text" };
import walker from "npm:zimmerframe@1.1.5" with { type: "text" };
import scopes from "npm:eslint-scope@9.1.2" with { type: "text" };
import { freeVariables } from "../../gateway/shipping/free_variables.ts";
import { parseFunction, parseModule, walk } from "../../gateway/shipping/syntax.ts";
import { test } from "../helpers/bounded.ts";

/** Shapes that the files below may lack. */
const SHAPES = `
  const shapes = [
    (a, { b = a, [c]: d } = e) => { var { f, ...g } = h; for (const [i, j = i] of k) { l: while (m) break l; } return [f, g, d, b, j]; },
    () => { try { n; } catch ({ o, p: [q] }) { o(q, p); } finally { r; } },
    () => { const S = class T extends U { [v] = w; #x = y; static { var z = T; let aa = z; ab = aa; } ac() { return [T, S]; } }; return z; },
    () => { class AD { static ae = AD; m() { return class AF { n = [AD, AF]; }; } } return AF; },
    function ag() { return function ah() { return [ag, ah, ai]; }; },
    async () => { for await (const aj of ak) { using al = aj; al; } await using am = al; return { ...an, [ao]: ap, aq, ar: as }; },
    (at) => { switch (at) { case au: let av; { function aw() {} aw(); } default: av = aw; } },
    () => { ax = { ay } = { az: ba }; ({ bb: bc.bd, be: bf[bg] } = bh); bi\`\${bj}\`; new bk.bl(); bm?.bn?.[bo]; },
    function () { if (bp) { var bq = br; } return [bq, new.target, import.meta.bs, import(bt)]; },
  ];
`;

const FILES: Readonly<Record<string, string>> = { acorn, maps, walker, scopes, SHAPES };

for (const [file, text] of Object.entries(FILES)) {
  test(`freeVariables() finds what eslint-scope finds in every function of ${file}`, () => {
    let functions = 0;
    let names = 0;
    walk(parseModule(text), (node, parent) => {
      if (
        node.type !== "FunctionExpression" && node.type !== "ArrowFunctionExpression" &&
        node.type !== "FunctionDeclaration"
      ) return;
      if (
        parent?.type === "MethodDefinition" ||
        parent?.value === node && (parent.method === true || parent.kind !== "init")
      ) return;
      const own = text.slice(node.start, node.end);
      const expected = expectedNames(own);
      const parsed = parseFunction(own, "");
      if (parsed.problem !== undefined) throw new Error(`${parsed.problem.what}: ${own}`);
      assertEquals(freeVariables(parsed.node).map(({ name }) => name), expected, own);
      functions++;
      names += expected.length;
    });
    assert(functions > 0 && names > 0, `${functions} functions, ${names} names`);
  });
}

/** What eslint-scope leaves unresolved, in the order of the first use. */
function expectedNames(text: string): string[] {
  const program = parseModule(`(${text}\n)`);
  walk(program, (node) => node.range = [node.start, node.end]);
  const asked = new Set<unknown>();
  walk(program, (node) => {
    const argument = node.argument as { type?: string; name?: string } | undefined;
    if (node.type === "UnaryExpression" && node.operator === "typeof" && argument?.type === "Identifier") {
      asked.add(argument.name);
    }
  });
  const manager = analyze(program as never, { ecmaVersion: 2026, sourceType: "module" });
  const through = manager.globalScope!.through.map(({ identifier }) =>
    identifier as unknown as { name: string; range: number[] }
  );
  through.sort((a, b) => a.range[0]! - b.range[0]!);
  return [...new Set(through.map(({ name }) => name))].filter((name) =>
    name !== "arguments" && !asked.has(name)
  );
}
