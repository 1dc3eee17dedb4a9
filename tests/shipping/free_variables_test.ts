/** The free variables of many real functions, compared with what another scope analysis finds. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { analyze } from "npm:eslint-scope@^9.1.2";
import acorn from "npm:acorn@8.19.0" with { type: "text" };
import maps from "npm:@jridgewell/trace-mapping@^0.3.31" with { type: "text" };
import walker from "npm:zimmerframe@1.1.5" with { type: "text" };
import scopes from "npm:eslint-scope@9.1.2" with { type: "text" };
import { freeVariables } from "../../gateway/shipping/free_variables.ts";
import { importsIn, mayDeclare, outlineOf } from "../../gateway/shipping/outline.ts";
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
      const found = freeVariables(parsed.node).map(({ name, asked }) => asked ? `typeof ${name}` : name);
      assertEquals(found, expected, own);
      functions++;
      names += expected.length;
    });
    assert(functions > 0 && names > 0, `${functions} functions, ${names} names`);
  });
}

for (const [file, text] of Object.entries(FILES)) {
  test(`mayDeclare() overlooks no name that ${file} declares, and outlineOf() knows where each is`, () => {
    const program = parseModule(text);
    const outline = outlineOf(text);
    walk(program, (node) => node.range = [node.start, node.end]);
    const manager = analyze(program as never, { ecmaVersion: 2026, sourceType: "module" });
    let functions = 0;
    let names = 0;
    for (const scope of manager.scopes) {
      const fn = outline.functions.find(({ start, end }) => {
        const { range } = scope.block as unknown as { range: number[] };
        return scope.type === "function" && start === range[0] && end === range[1];
      });
      for (const { name } of scope.variables) {
        if (name === "arguments") continue;
        assert(mayDeclare(text, name), name);
        names++;
      }
      if (fn === undefined) continue;
      functions++;
      const around = new Set<string>();
      for (let outer = scope.upper; outer; outer = outer.upper) {
        // A function expression's own name is not around it.
        if (outer.block === scope.block) continue;
        for (const { name } of outer.variables) around.add(name);
      }
      around.delete("arguments");
      const own = new Set(scope.variables.map(({ name }) => name));
      for (const name of around) {
        assert(outline.declares(name, fn), `${name} around ${text.slice(fn.start, fn.end)}`);
      }
      for (const name of own) {
        if (name !== "arguments") assertEquals(outline.declares(name, fn), around.has(name), name);
      }
    }
    assert(functions > 0 && names > 0, `${functions} functions, ${names} names`);
  });
}

test("mayDeclare() knows what declares a name from most of what uses it", () => {
  const declares = [
    "const x = 1;",
    "let x\nfoo()",
    "let a,\n  x\nfoo()",
    "export default function x(a) {}",
    "async function* x() {}",
    "class x extends y {}",
    'import x from "a";',
    'import{x}from"a"',
    'import * as x from "a";',
    'import { y as x } from "a";',
    "const { x = 1, ...y } = z;",
    "const { y: [x] } = z;",
    "const [, ...x] = z;",
    "const {\n  // The first\n  x,\n} = z;",
    "const/* a */x/* b */= 1;",
    "for (const [x] of y) z();",
    "try {} catch (x) {}",
    "(a, x) => a",
    "x => 1",
    "async x => 1",
    "function f(x) {}",
    "await using x = y;",
    "(\n    x\n  ) => 1",
  ];
  for (const text of declares) {
    outlineOf(text);
    assert(mayDeclare(text, "x"), text);
  }
  const uses = [
    "x.y(1)",
    "await x(1)",
    "f(new x(1))",
    "f(x(1), x.y, x[0], x?.y)",
    "ys.map(x)",
    "f(1, x)",
    "if (y instanceof x) z();",
    "y = x;",
    "y === x && z();",
    "return x;",
    "y.x = 1; z?.x; ({ x: 1 });",
    "const xy = 1, yx = 2, $x = 3, x$ = 4;",
    "class Y { x() {} }",
  ];
  for (const text of uses) assertEquals(mayDeclare(text, "x"), false, text);
});

test("importsIn() finds the imports of a module", () => {
  const text = `import "./a.ts"; import b from './b.ts'; import{c}from"c"; import * as d
    from "d"; export * from "./e.ts"; export { f } from "./f.ts"; await import( "./g.ts" ); import(h);
    import(/* i */ "./i.ts", { with: { type: "json" } });`;
  assertEquals(importsIn(text), ["./a.ts", "./b.ts", "c", "d", "./e.ts", "./f.ts", "./g.ts", "./i.ts"]);
});

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
  return [...new Set(through.map(({ name }) => name))].filter((name) => name !== "arguments").map((name) =>
    asked.has(name) ? `typeof ${name}` : name
  );
}
