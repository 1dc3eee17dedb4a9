import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { functionSource } from "../../gateway/shipping/function_source.ts";
import { test } from "../helpers/bounded.ts";
import { evaluate, refusal } from "./refusal.ts";

// Functions are made from text, so that no tool has a say in what is tested, and formatting and types do not matter.

/** Functions that need nothing of what is around them. */
const PURE: readonly string[] = [
  // Parameters and patterns
  "(x) => x + 1",
  "async (channel, kwargs) => { await channel.send(kwargs.n); }",
  "function (a, b = a, ...rest) { return [a, b, rest]; }",
  "({ a, b: renamed, c: { d = a, ...e } = {}, ['k' + a]: f, ...g }) => [a, renamed, d, e, f, g]",
  "([a, , [b = a], ...c]) => [a, b, c]",
  "(a, b = () => a, { c = b() } = {}) => c",
  "(o) => { let a, b; ({ a, b: [b] = [a], ...o.rest } = o); [a, b] = [b, a]; return a; }",
  // Nested functions and callbacks
  "(xs) => xs.map((x, i) => x * i).filter(Boolean).reduce((sum, x) => sum + x, 0)",
  "(n) => { const twice = (x) => 2 * x; function thrice(x) { return twice(x) + x; } return thrice(n); }",
  "function fact(n) { return n < 2 ? 1 : n * fact(n - 1); }",
  "() => (function even(n) { return n === 0 || odd(n - 1); function odd(n) { return n !== 0 && even(n - 1); } })(4)",
  "async () => { for await (const x of (async function* () { yield 1; })()) if (x) return x; }",
  "function* (n) { for (let i = 0; i < n; i++) { const got = yield i; if (got) yield* [got]; } }",
  // Scopes and hoisting
  "() => { early(); x = 1; var x; function early() { return y; var y; } return x; }",
  "(c) => { if (c) { var deep = 1; for (var i = 0, n = 2; i < n; i++) { try { var t = i; } finally { t++; } } } return [deep, i, t]; }",
  "(x) => { { let x = 1; { const x = 2; x; } x; } return x; }",
  "(x) => { switch (x) { case 1: let y = 2; return y; default: class D {} return D; } }",
  "() => { try { JSON.parse('x'); } catch ({ message, name: n }) { return message + n; } }",
  "() => { try { JSON.parse('x'); } catch { return 1; } finally { void 0; } }",
  "(o) => { outer: for (const k in o) { for (const v of o[k]) { if (v) continue outer; else break outer; } } }",
  "(o) => { for (const [k, { v = k } = {}] of Object.entries(o)) console.log(k, v); }",
  "() => { block: { break block; } }",
  // Names that refer to nothing
  "(o) => ({ helper: 1, 'b c': 2, method() { return this.helper; }, get size() { return this.helper; }, async *gen() {} })",
  "(helper) => ({ helper, [helper]: helper }).helper.other?.third?.[helper]?.()",
  "(o) => o.this + o.arguments + o.super + o.import + ({ arguments: 1, this: 2 }).arguments",
  "() => { class A { arguments() {} } return A; }",
  "(tag) => tag`a${tag}b${`c${1 + 1}`}` + /helper(?<name>x)/v.source + `\\u{41}`",
  "() => ({ __proto__: null, constructor: 1, toString: 2 })",
  // Classes
  `() => {
     class Base { static #count = 0; #own = 1; field = this.#own; static { Base.#count++; const local = 1; void local; var v = 2; void v; }
       get own() { return this.#own; } set own(v) { this.#own = v; } #secret() { return #own in this; }
       constructor(a) { this.a = a; new.target; } async *[Symbol.asyncIterator]() { yield this.#secret(); } static make() { return new this(1); } }
     class Derived extends Base { constructor() { super(2); super.own = 3; } ['x' + 1] = () => this.own; accessorLike = function () { return arguments.length; }; }
     return new Derived();
   }`,
  "() => class Named { self() { return Named; } static again = Named; static { Named.x = 1; } }",
  "() => new (class extends Array { sum() { return super.at(0); } })()",
  "() => { const C = class Inner extends (class Outer {}) { m() { return Inner; } }; return C; }",
  "() => class { #x = 1; static read = (o) => o.#x; nested() { return class { peek(o) { return o.#x; } }; } }"
    .replace(
      "peek(o) { return o.#x; }",
      "#y = 2; peek(o) { return o.#y + o.#x; }",
    ),
  // this and its like, where they are the function's own
  "function () { return [this, arguments.length, new.target, () => [this, arguments, new.target]]; }",
  "() => ({ f() { return () => [this, arguments]; } })",
  "() => function () { return () => this; }",
  "() => { class A { x = this; static y = this; static { this.z = () => this; } } return A; }",
  // typeof asks
  "() => typeof helper === 'undefined' ? 0 : helper()",
  "() => { if (typeof window !== 'undefined') { window.x = document; } var document; }",
  // Imports
  "async () => (await import('node:path')).join('a', 'b')",
  "async () => [await import('npm:x@1'), await import('jsr:@a/b'), await import('https://example.com/x.ts')]",
  "() => import('data:application/json,{}', { with: { type: 'json' } })",
  "() => import('file:///srv/x.ts')",
  "() => import('fs')",
  "(where) => import(where)",
  "(n) => import(`./${n}.ts`)",
  // Modern syntax
  "async (open) => { using a = open(); await using b = open(); for (using c of [open()]) void c; return [a, b]; }",
  "(a, b) => { a ??= b; a ||= 1_000n; return a ** 2n, a?.b?.[0]?.(b); }",
  "(s) => s.replace(/(?<year>\\d{4})(?<=x)[\\p{L}--[a-z]]/gv, '$<year>').match(/(?i:a)b/)",
  "async () => { await Promise.all([]); return async () => { await null; }; }",
  "() => { label: while (true) { break label; } debugger; }",
  "() => { let E; (function (E) { E[E['A'] = 1] = 'A'; })(E || (E = {})); let S; (function (S) { S.f = () => S; })(S || (S = {})); return S; }",
  "async x => await x",
  "async function* named() { yield* named(); }",
  // Globals
  "() => [Deno.cwd(), fetch, self, globalThis, console, navigator, postMessage, onmessage, crypto, performance]",
  "() => [structuredClone, queueMicrotask, setTimeout, Temporal, Iterator, Float16Array, SuppressedError, WeakRef]",
  "() => [undefined, NaN, Infinity, eval, isNaN, escape, Intl, WebAssembly, Atomics, SharedArrayBuffer, process, Buffer]",
  "() => { addEventListener('message', () => {}); close(); WorkerGlobalScope; localStorage; alert; }",
  "() => { channel.send(__name__); }",
];

for (const text of PURE) {
  test(`functionSource() takes ${short(text)}`, () => {
    const source = functionSource(evaluate(text));
    assertEquals(source.text, text);
  });
}

/** Functions, and what the message about each has to say, in this order. */
const IMPURE: readonly [text: string, ...says: string[]][] = [
  ["() => helper()", `"helper"`, "line 1, column 7", "argument"],
  ["() => {\n  const x = 1;\n  return x +\n    other;\n}", `"other"`, "line 4, column 5"],
  ["(a) => a + b + c + b + d", `"b"`, "line 1, column 12", `"c" and "d"`],
  ["(x = outside) => x", `"outside"`],
  ["({ [key]: x }) => x", `"key"`],
  ["({ x: renamed }) => x", `"x"`, "column 21"],
  ["() => ({ helper })", `"helper"`],
  ["() => ({ [helper]: 1 })", `"helper"`],
  ["(o) => o[helper]", `"helper"`],
  ["() => `${helper}`", `"helper"`],
  ["() => helper`text`", `"helper"`],
  ["() => class extends Base {}", `"Base"`],
  ["() => class { [key]() {} }", `"key"`],
  ["() => class { field = value; }", `"value"`],
  ["() => { class A { static { only = 1; } } }", `"only"`],
  ["() => { class A { static { const within = 1; } } return within; }", `"within"`],
  ["() => { const C = class Named {}; return Named; }", `"Named"`],
  ["() => { (function named() {}); return named; }", `"named"`],
  ["() => { { const inner = 1; } return inner; }", `"inner"`],
  ["() => { { function inner() {} } return inner; }", `"inner"`],
  ["() => { for (const i of []); return i; }", `"i"`],
  ["() => { try {} catch (e) {} return e; }", `"e"`],
  ["() => { const f = () => { var inner; }; return inner; }", `"inner"`],
  ["() => { const f = (param) => 1; return param; }", `"param"`],
  ["() => { assigned = 1; }", `"assigned"`],
  ["() => { [assigned] = [1]; }", `"assigned"`],
  ["() => { ({ x: assigned } = {}); }", `"assigned"`],
  ["() => { for (assigned of []); }", `"assigned"`],
  ["() => counter++", `"counter"`],
  ["() => { label: for (;;) { label; } }", `"label"`],
  ["() => typeof asked + unasked", `"unasked"`],
  ["() => typeof asked.member", `"asked"`],
  ["() => (xs) => xs.map((x) => helper(x))", `"helper"`],
  ["async () => { using a = open(); }", `"open"`],
  ["() => require('fs')", `"require"`],
  ["() => window.x", `"window"`],
  ["(x) => import(x, { with: options })", `"options"`],
  ["() => toString()", `"toString"`],
  ["() => constructor", `"constructor"`],
  ["() => __proto__", `"__proto__"`],
  ["() => this", `"this"`, "column 7"],
  ["() => { class A extends this.Base {} }", `"this"`],
  ["() => { class A { [this.key] = 1; } }", `"this"`],
  ["() => ({ [this.key]: 1 })", `"this"`],
  ["(x = this) => x", `"this"`],
  ["() => import.meta.url", `"import.meta"`],
  ["function () { return import.meta; }", `"import.meta"`],
  ["() => import('./x.ts')", `"./x.ts"`, "relative", "URL"],
  ["async function f() { return await import(`../x.ts`); }", `"../x.ts"`, "relative", "URL"],
  ["() => import('/x.ts')", `"/x.ts"`, "relative"],
  ["() => import('lodash')", `"lodash"`, "npm:"],
];

for (const [text, ...says] of IMPURE) {
  test(`functionSource() refuses ${short(text)}`, () => {
    // import.meta exists in modules only, where nothing can be evaluated from text: the text stands for the function.
    const message = refusal(text.includes("import.meta") ? standIn(text) : evaluate(text));
    let at = 0;
    for (const part of says) {
      const found = message.indexOf(part, at);
      assert(found >= 0, `${JSON.stringify(part)} is not in, or not in this order: ${message}`);
      at = found + part.length;
    }
  });
}

test("functionSource() names what it refuses and each free variable once", () => {
  const message = refusal(evaluate("function job() { return [first, second, first, third]; }"));
  assert(message.startsWith(`Cannot ship function "job": "first" at `), message);
  assertStringIncludes(message, `"second" and "third"`);
  assertEquals(message.match(/first/g)?.length, 1);
  assert(refusal(evaluate("() => helper")).startsWith("Cannot ship a function without a name: "), message);
});

test("functionSource() refuses what is no function of its own, with the reason", () => {
  const object = {
    method(): void {},
    async asyncMethod(): Promise<void> {},
    *generatorMethod(): Generator<number> {
      yield 1;
    },
    async *asyncGeneratorMethod(): AsyncGenerator<number> {
      yield 1;
    },
    ["computed key"](): void {},
    get accessor(): number {
      return 1;
    },
    set accessor(value) {
      void value;
    },
    class(): void {},
    async(): void {},
    get(): void {},
  };
  class Holder {
    static shared(): void {}
    #hidden(): void {}
    method(): void {}
    static hidden = (holder: Holder): unknown => holder.#hidden;
    get accessor(): number {
      return 1;
    }
  }
  const accessor = Object.getOwnPropertyDescriptor(object, "accessor")!;
  const refused: [string, unknown, string][] = [
    ["method", object.method, "method"],
    ["asyncMethod", object.asyncMethod, "method"],
    ["generatorMethod", object.generatorMethod, "method"],
    ["asyncGeneratorMethod", object.asyncGeneratorMethod, "method"],
    ["computed key", object["computed key"], "method"],
    ["class", object.class, "method"],
    ["async", object.async, "method"],
    ["get", object.get, "method"],
    ["get accessor", accessor.get, "accessor"],
    ["set accessor", accessor.set, "accessor"],
    ["shared", Holder.shared, "method"],
    ["method", Holder.prototype.method, "method"],
    ["#hidden", Holder.hidden(new Holder()), "method"],
    ["get accessor", Object.getOwnPropertyDescriptor(Holder.prototype, "accessor")!.get, "accessor"],
    ["Holder", Holder, "class"],
    ["max", Math.max, "native"],
    ["bound named", function named(): void {}.bind(null), "bound"],
    ["bound ", (() => {}).bind(null), "bound"],
  ];
  for (const [name, fn, reason] of refused) {
    const message = refusal(fn);
    assert(message.startsWith(`Cannot ship function "${name}": it is `), message);
    assertStringIncludes(message, reason);
  }
  assertStringIncludes(refusal(class {}), "class");
  assertStringIncludes(refusal(new Proxy(() => 1, {})), "native");
});

test("functionSource() refuses what is no function", () => {
  for (
    const [value, kind] of [[1, "number"], [null, "null"], [undefined, "undefined"], ["() => 1", "string"], [
      {},
      "object",
    ]]
  ) {
    assertEquals(refusal(value), `Cannot ship a function: got ${kind}`);
  }
});

test("functionSource() refuses an arrow function with what belongs to the code around it", () => {
  class Around extends Object {
    #own = 1;
    arrows(): Record<string, unknown> {
      return {
        "#own": (other: Around) => other.#own,
        "#own in": (other: Around) => (() => #own in other)(),
        super: () => super.toString(),
        this: () => () => this,
      };
    }
  }
  const { arrows } = Around.prototype;
  for (const [what, arrow] of Object.entries(arrows.call(new Around()))) {
    assertStringIncludes(refusal(arrow), `"${what.split(" ")[0]}"`);
  }
  function around(): unknown[] {
    return [() => arguments[0], () => new.target];
  }
  const [args, target] = around();
  assertStringIncludes(refusal(args), `"arguments"`);
  assertStringIncludes(refusal(target), `"new.target"`);
});

test("functionSource() takes a name that the program has put on globalThis for a free variable", () => {
  const names: [string, PropertyDescriptor][] = [
    ["helperOfTheProgram", { value: () => 1, enumerable: true, writable: true }],
    ["hiddenHelper", { value: () => 1, enumerable: false }],
    ["HelperClass", { value: class {}, enumerable: false }],
  ];
  for (const [name, descriptor] of names) {
    Object.defineProperty(globalThis, name, { ...descriptor, configurable: true });
    try {
      assertStringIncludes(refusal(evaluate(`() => ${name}()`)), `"${name}"`);
      functionSource(evaluate(`() => globalThis.${name}`));
    } finally {
      delete (globalThis as Record<string, unknown>)[name];
    }
  }
});

test("functionSource() takes the globals of a channel for free variables where there is no channel", () => {
  const uses = ["() => channel.id", "() => __name__", "() => [channel, __name__]"];
  for (const text of uses) {
    // An equal text with a channel is another matter, whichever comes first.
    functionSource(evaluate(text));
    const name = text.includes("channel") ? `"channel"` : `"__name__"`;
    for (let time = 0; time < 2; time++) {
      assertStringIncludes(refusal(evaluate(text), { channel: false }), name);
    }
    functionSource(evaluate(text), { channel: true });
  }
  functionSource(evaluate("(channel) => channel.id"), { channel: false });
  functionSource(evaluate("() => [typeof channel, fetch, (__name__) => __name__]"), { channel: false });
});

test("functionSource() says the kind and the name", () => {
  const cases: [string, "function" | "generator", string][] = [
    ["() => 1", "function", ""],
    ["async function later() {}", "function", "later"],
    ["function* () {}", "generator", ""],
    ["async function* walk() {}", "generator", "walk"],
    ["(() => { const inferred = () => 1; return inferred; })()", "function", "inferred"],
  ];
  for (const [text, kind, name] of cases) {
    const source = functionSource(evaluate(text));
    assertEquals([source.kind, source.name], [kind, name]);
  }
  const odd = Object.defineProperty(() => 1, "name", { value: 7 });
  assertEquals(functionSource(odd).name, "");
});

test("functionSource() takes functions as Deno leaves them of TypeScript", () => {
  interface Options {
    n: number;
  }
  const typed = <T extends Options>(options: T, fallback?: Partial<Options>): number => {
    enum Color {
      Red = 1,
      Green = Red << 1,
    }
    const enum Size {
      Small = 3,
    }
    class Box<V> {
      declare ghost: string;
      constructor(public value: V, private readonly count = 1) {}
      total(this: Box<V>): number {
        return this.count;
      }
    }
    type Local = { [K in keyof T]: T[K] };
    const x = (options satisfies Options as unknown as Local)!;
    return Color.Green + Size.Small + (x.n as number) + new Box<Options>(options).total() +
      (fallback?.n ?? 0);
  };
  assertEquals(typed({ n: 1 }), 7);
  const { text } = functionSource(typed);
  assertEquals((evaluate(text) as typeof typed)({ n: 1 }), 7);
});

test("functionSource() ignores a function's own toString", () => {
  const fn = Object.assign(evaluate("() => 1"), { toString: () => "() => 2" });
  assertEquals(functionSource(fn).text, "() => 1");
});

test("functionSource() refuses sloppy code, which would run as strict code, as a TypeError", () => {
  const sloppy = new Function("return 010") as () => number;
  assertEquals(sloppy(), 8);
  assertStringIncludes(refusal(sloppy), "strict");
  assertStringIncludes(refusal(sloppy), "line 3, column 8");
});

test("functionSource() tells functions with equal texts apart by name, and refuses again what it refused", () => {
  const make = (name: string): () => number => Object.defineProperty(() => 1, "name", { value: name });
  assertEquals(["a", "b"].map((name) => functionSource(make(name)).name), ["a", "b"]);
  const impure = evaluate("() => gone");
  assertEquals(refusal(impure), refusal(impure));
});

test("functionSource() stays right beyond the number of texts that it remembers", () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 600; i++) {
      const text = i % 2 === 0 ? `() => ${i}` : `function* () { yield ${i}; }`;
      const source = functionSource(evaluate(text));
      assertEquals([source.text, source.kind], [text, i % 2 === 0 ? "function" : "generator"]);
    }
  }
});

test("functionSource() looks at an equal text once", () => {
  const pad = Array.from({ length: 200 }, (_, i) => `const v${i} = [${i}].map((x) => x + ${i});`).join("\n");
  const make = (): (...args: never[]) => unknown => evaluate(`() => { ${pad} }`);
  const first = elapsed(() => functionSource(make()));
  const fns = Array.from({ length: 50 }, make);
  const later = elapsed(() => fns.forEach((fn) => functionSource(fn))) / fns.length;
  assert(later < first / 5, `first ${first} ms, then ${later} ms`);
});

function elapsed(action: () => unknown): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

/** A function whose text the engine would give, had it stood in a module. */
function standIn(text: string): (...args: never[]) => unknown {
  const url = `data:application/javascript,${encodeURIComponent(`export default ${text}`)}`;
  const fn = modules.get(url);
  assertInstanceOf(fn, Function, text);
  return fn as (...args: never[]) => unknown;
}

const modules = new Map<string, unknown>();
for (const [text] of IMPURE) {
  if (!text.includes("import.meta")) continue;
  const url = `data:application/javascript,${encodeURIComponent(`export default ${text}`)}`;
  modules.set(url, (await import(url)).default);
}

function short(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}
