/** What the prompt makes of what is typed, before anything is sent. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { offers, wantedBy } from "../../cli/repl/completion.ts";
import { Edits } from "../../cli/repl/edits.ts";
import { History, historyPath, isSecret } from "../../cli/repl/history.ts";
import { readInput, type Ready, stillWaitingFor, waitingFor } from "../../cli/repl/input.ts";
import { harmless, newMark, Printed, withoutMarks } from "../../cli/repl/shown.ts";
import { replyOf } from "../../cli/repl/wire.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";

/** A session that has nothing but what the engine calls global. */
const EMPTY = { has: (name: string) => !(name in globalThis) };

async function ready(text: string): Promise<Ready> {
  const input = await readInput(text, EMPTY, true);
  if (input.kind !== "ready") throw new Error(`${text}: ${JSON.stringify(input)}`);
  return input;
}

async function codeOf(text: string): Promise<string> {
  const { code } = await ready(text);
  return code.split("\n").slice(1, -1).map((line) => line.trim()).filter((line) => !/^;*$/.test(line))
    .join("\n").replaceAll("$session", "$").replaceAll("$prompt", "£");
}

const REWRITTEN: readonly (readonly [text: string, code: string])[] = [
  ["1", "£.value=(1)"],
  ["a = b;", "£.value=($.a = $.b);"],
  ["Math.max(a)", "£.value=(Math.max($.a))"],
  ["let a", ";( $.a=void 0)"],
  ["const a: number = 1", `;( $.a         = 1,£.fix("a"))`],
  ["const f = () => {}", `;( $.f = ({["f"]:() => {}})["f"],£.fix("f"))`],
  ["let {a, b: [c = class {}], ...d} = e", `;( {a:$.a, b: [$.c = ({["c"]:class {}})["c"]], ...$.d} = $.e)`],
  ["f(g`x`)", "£.value=((0,$.f)((0,$.g)`x`))"],
  ["new F(a?.b.a)", "£.value=(new $.F($.a?.b.a))"],
  ["({a, b: a, a() { return a }})", "£.value=(({a:$.a, b: $.a, a() { return $.a }}))"],
  ["{a: b}", "£.value=(({a: $.b}\n))"],
  ["{ a; }", "{ £.value=($.a); }"],
  ["typeof a", `£.value=(£.type("a"))`],
  [
    "function f(a) { return a + b + f(arguments) }",
    ";$.f=function f(a) { return a + $.b + (0,$.f)(arguments) }",
  ],
  ["g(); async function* g() {}", ";$.g=async function* g() {}\n£.value=((0,$.g)()); ;"],
  [
    "class A extends B { static a = A.b; [c] = this.#d; #d = c }",
    ";$.A=class A extends $.B { static a = A.b; [$.c] = this.#d; #d = $.c };",
  ],
  ["for (var i = 0; i < 2; i++) i", ";£.value=void 0;for ( $.i = 0; $.i < 2; $.i++) £.value=($.i)"],
  [
    "for (const i of j) { let j = i; var k = j }",
    ";£.value=void 0;for (const i of $.j) { let j = i; ;( $.k = j) }",
  ],
  ["if (a) var b = 1; else { a }", ";£.value=void 0;if ($.a) ( $.b = 1); else { £.value=($.a) }"],
  [
    "try { 1 } catch (e) { e } finally { 2 }",
    ";£.value=void 0;try { £.value=(1) } catch (e) { £.value=(e) } finally { 2 }",
  ],
  ["(a, b = a) => { var a; return a + b }", "£.value=((a, b = a) => { var a; return a + b })"],
  ["(b = c) => { var c = b }", "£.value=((b = $.c) => { var c = b })"],
  ["x: for (;;) { break x }", "x: for (;;) { break x }"],
  ["export const a = 1; export default a; export { a as b }", `;( $.a = 1,£.fix("a")); ;£.value=($.a); ;`],
  ["export default class A {}", ";$.A=class A {};"],
  [
    "import a, {b as c, type T} from 'm' with {type: 'json'}",
    `;await £.bind("m",{"type":"json"},[["a","default"],["c","b"]]);`,
  ],
  ["import * as m from 'm'; import type { T } from 't'", `;await £.bind("m",{},[["m","*"]]);`],
  ["await import('m'); import.meta.url", "£.value=(await £.load('m')); £.value=(£.meta.url)"],
  ["using a = b(); a.c", "using a = (0,$.b)(); £.value=(a.c)"],
  ["interface A { b: c }\ntype D = A; declare const e: A", ""],
  ["a satisfies B as C", "£.value=($.a)"],
  ["let $session = 1, $prompt", ";( $_.$ = 1, $_.£=void 0)"],
];

test("readInput() makes what the top declares the session's, and keeps the value", async () => {
  for (const [text, code] of REWRITTEN) assertEquals(await codeOf(text), code, text);
});

test("readInput() compiles what has more than types, and keeps the compiler's own names out of the session", async () => {
  const input = await ready(
    'import { a, type B } from "m"; enum E { F }\n@a class C { constructor(private d: number) {} @a e() {} }\nfunction f() { return new C(1) }',
  );
  assertEquals([[...input.vars].sort(), [...input.lets].sort()], [["E", "f"], ["C", "a"]]);
  assertMatch(input.code, /\$session\.C = _C\b/);
  assertMatch(input.code, /bind\("m",\{\},\[\["a","a"\]\]\)/);
  assert(!/\$session\._/.test(input.code), input.code);
});

test("readInput() says where an input is wrong", async () => {
  for (
    const [text, line, column] of [["let a;\nlet a", 2, 5], ["enum A { B }\nlet x: = 1", 2, 8], [
      "a b",
      1,
      3,
    ]] as const
  ) {
    const input = await readInput(text, EMPTY);
    if (input.kind !== "wrong") throw new Error(`${text} is ${input.kind}`);
    assertEquals({ ...input.place }, { line, column }, input.message);
  }
});

test("readInput() knows where what it has made came from", async () => {
  const text = "function f() {\n  throw 1 }\nlet a: string = g(), b = h(); i()\nenum E { F } j()";
  for (const typed of [text, text.split("\n").slice(0, 3).join("\n")]) {
    const input = await ready(typed);
    for (
      const word of ["throw", "g", "h", "i", "j"].filter((one) => new RegExp(`\\b${one}\\b`).test(typed))
    ) {
      const [made, wanted] = [input.code, typed].map((text) => {
        const before = text.slice(0, text.search(new RegExp(`(?:(?<=\\.)|\\b)${word}\\b`))).split("\n");
        return { line: before.length, column: before.at(-1)!.length + 1 };
      });
      assertEquals(input.before(made!).line, wanted!.line, word);
      // The compiler's map knows the words, and what is put before a name counts for the place before it.
      const off = Math.abs(input.before(made!).column - wanted!.column);
      assert(off <= 1, `${word}: ${off} columns off`);
    }
  }
});

test("waitingFor() tells an input that waits for more from one that is wrong", () => {
  for (
    const text of [
      "f(",
      "{",
      "[1,",
      "`a",
      "`a${",
      "`a${b}",
      "/* a",
      "if (a)",
      "a +",
      "const a: A =",
      "x =>",
      "a.",
      "enum A {",
      "@d(",
      "let a = {\n",
    ]
  ) {
    assert(waitingFor(text) !== undefined, text);
  }
  for (const text of ["a b", "f)", "(]", '"a', "a +\n", "let a: =  1", "}", "/a", "f(]"]) {
    assertEquals(waitingFor(text), undefined, text);
  }
});

test("stillWaitingFor() tells by a line what all lines together tell, or nothing", () => {
  const texts = ["[", "f(a => {", "`a", "`a${b", "/* a", "a +", "({ a: [", "{ /* b */"];
  const lines = [
    ...[
      "1,",
      "]",
      "{ a: 1 },",
      "}",
      "})",
      "} ]",
      "'it]',",
      "'it",
      "a / b,",
      "/]/",
      "// ]",
      "`",
      "`]`",
      "*/",
      "a",
    ],
    ...["${", "})}`", "[", "#x", "", "async () => {", "]])"],
  ];
  let told = 0;
  for (const text of texts) {
    const waits = waitingFor(text)!;
    for (const line of lines) {
      const still = stillWaitingFor(waits, line);
      if (still === undefined) continue;
      told++;
      assertEquals(still, waitingFor(`${text}\n${line}`), `${text}\n${line}`);
    }
  }
  assert(told > 50, String(told));
});

test("Edits drop what is within a replaced part, and keep their order elsewhere", () => {
  const edits = new Edits();
  edits.replace(2, 4, "X");
  edits.insert(2, "<");
  edits.insert(3, "lost");
  edits.insert(4, ">");
  edits.insert(4, "!");
  const { text, before } = edits.apply("ab\ncd");
  assertEquals(text, "ab<X>!d");
  assertEquals([1, 2, 3, 7].map((column) => before({ line: 1, column }).column), [1, 2, 3, 2]);
});

test("harmless() passes colours and spells what else a terminal obeys", () => {
  const sly = "\x1b[31;8mred\x1b[5m\x1b]0;title\x07\x1b[2J\x9b1m\x1b[38;5;1m\u202e\r\b\n\tok";
  assertEquals(
    harmless(sly, true),
    "\x1b[31mred\\x1b]0;title\\x07\\x1b[2J\\x9b1m\x1b[1m\\u202e\\x0d\\x08\n\tok\x1b[0m",
  );
  assertEquals(harmless("\x1b[31mred\x1b[39m", false), "red");
});

test("Printed shows all but the marks, wherever the pieces are cut", async () => {
  const mark = newMark();
  const text = `one\x1b[31m two${mark}1${mark}three${
    mark.slice(0, 9)
  }${mark}x${mark}four\x1b${mark}2${mark}é${mark}`;
  const bytes = new TextEncoder().encode(text);
  const expected = harmless(
    `one\x1b[31m two`,
    true,
  ) + harmless(`three${mark.slice(0, 9)}${mark}x${mark}four\x1b`, true) + harmless(`é${mark}`, true);
  for (let cut = 0; cut <= bytes.length; cut++) {
    let shown = "";
    const seen: string[] = [];
    const printed = new Printed(mark, true, (text) => void (shown += text));
    const waits = [1, 2].map((number) =>
      printed.until(number).then(() => seen.push(`${number}:${shown.length}`))
    );
    await printed.read(ReadableStream.from([bytes.slice(0, cut), bytes.slice(cut)]));
    await Promise.all(waits);
    const plain = (text: string): string => text.replaceAll("\x1b[0m", "");
    assertEquals(plain(shown), plain(expected), `cut at ${cut}`);
    assertEquals(seen.length, 2);
    await printed.until(99);
  }
  assertEquals(withoutMarks(`a${mark}12${mark}b${mark}`), "ab");
});

test("Printed waits for no mark that it was told to skip", async () => {
  const printed = new Printed(newMark(), false, () => {});
  const waiting = printed.until(3);
  printed.skip(3);
  await Promise.all([waiting, printed.until(2)]);
});

test("replyOf() takes what a far side says and nothing else", () => {
  const done = { kind: "done", id: 1, outcome: "value", text: "x", marked: true };
  assertEquals(replyOf({ ...done, more: 1 }), done as ReturnType<typeof replyOf>);
  for (
    const item of [
      null,
      1,
      {},
      { kind: "other" },
      { ...done, id: "1" },
      { ...done, outcome: "?" },
      { ...done, text: 1 },
      {
        kind: "names",
        id: 1,
        names: [1],
      },
      { kind: "ready" },
      { kind: "uncaught" },
    ]
  ) assertEquals(replyOf(item), undefined);
});

test("wantedBy() and offers() complete paths of names, and nothing that would have to be run", () => {
  assertEquals(wantedBy("f(a.b?.c.de"), { path: ["a", "b", "c"], text: "a.b?.c.de", beginning: "de" });
  for (const line of ["", "f().a", "a[0].b", '"x".l', "1.5", "a b "]) {
    assertEquals(wantedBy(line), undefined, line);
  }
  const wanted = wantedBy("x = a.")!;
  assertEquals(offers(wanted, ["b", "a-b", "__c", "b", "\x1b[2J", "ä"]), ["a.b", "a.ä"]);
  assertEquals(offers(wantedBy("awai")!, ["awaiting"]), ["await", "awaiting"]);
});

test("History keeps lines in a file of the user's own, as the environment says", async () => {
  const env = (values: Record<string, string>): (name: string) => string | undefined => (name) =>
    values[name];
  assertEquals(historyPath(env({ EXECNET_HISTORY: "", HOME: "/h" })), undefined);
  assertEquals(historyPath(env({ EXECNET_HISTORY: "/x", HOME: "/h" })), "/x");
  assertEquals(historyPath(env({ XDG_STATE_HOME: "/s", HOME: "/h" })), "/s/execnet/repl_history");
  assertEquals(historyPath(env({ XDG_STATE_HOME: "s", HOME: "/h" })), "/h/.local/state/execnet/repl_history");
  assertEquals([isSecret(" secret"), isSecret("a ")], [true, false]);
  await withFolder(async (folder) => {
    const at = env({ XDG_STATE_HOME: folder });
    const first = await History.open(at);
    for (const line of ["a", "a", "", "  b"]) await first.add(line);
    const path = historyPath(at)!;
    await Deno.chmod(path, 0o644);
    assertEquals((await History.open(at)).lines, ["a", "  b"]);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    assertEquals((await Deno.stat(`${folder}/execnet`)).mode! & 0o777, 0o700);
    await Deno.writeTextFile(path, Array.from({ length: 2500 }, (_, i) => `${i}\n`).join(""));
    assertEquals((await History.open(at)).lines.at(0), "1500");
    assertEquals((await Deno.readTextFile(path)).split("\n").length, 1001);
    // A place where nothing can be kept is no error.
    await (await History.open(env({ EXECNET_HISTORY: `${path}/not` }))).add("x");
  });
});
