import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "jsr:@std/assert@^1.0.19";
import { type ModuleSource, moduleSource, shipWithin } from "../../gateway/shipping/module_source.ts";
import { test } from "../helpers/bounded.ts";
import { LeakCheck } from "../helpers/leaks.ts";

/** The first bundling of all may have to fetch esbuild and packages. */
const LIMIT_MS = 90_000;

/** A folder of the given files, removed when the test is over. */
class Folder implements AsyncDisposable {
  readonly path: string;
  readonly #root: string;
  constructor(files: Record<string, string | Uint8Array>) {
    this.#root = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "shipping" }));
    // A name with much that URLs must encode.
    this.path = `${this.#root}/a#b? c%41 ü`;
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }
  url(name: string): URL {
    const folder = encodeURI(this.path).replaceAll("#", "%23").replaceAll("?", "%3F");
    return new URL(name, `file://${folder}/`);
  }
  write(name: string, text: string | Uint8Array): void {
    const url = this.url(name);
    Deno.mkdirSync(new URL("./", url), { recursive: true });
    if (typeof text === "string") Deno.writeTextFileSync(url, text);
    else Deno.writeFileSync(url, text);
  }
  /** Everything in it with its content. */
  all(folder: URL = this.url("./")): Record<string, string> {
    const found: Record<string, string> = {};
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const url = new URL(encodeURIComponent(name) + (isDirectory ? "/" : ""), folder);
      if (isDirectory) Object.assign(found, this.all(url));
      else found[url.href] = Deno.readTextFileSync(url);
    }
    return found;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#root, { recursive: true });
  }
}

/** Runs a script where there are no permissions, no files and no network; what its default export returns. */
async function runFar(source: ModuleSource): Promise<unknown> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-remote", "--no-npm", "--no-prompt", "--no-config", "--no-lock", "-"],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    cwd: "/",
  }).spawn();
  const program = `
    const url = URL.createObjectURL(new Blob([${JSON.stringify(source.code)}], { type: "text/javascript" }));
    console.log(JSON.stringify(await (await import(url)).default()));
  `;
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stdout);
  assert(text !== "", new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

/** Loads a script here. */
// deno-lint-ignore no-explicit-any -- each test knows what its module exports
async function load(source: ModuleSource): Promise<any> {
  const url = URL.createObjectURL(new Blob([source.code], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The places that a stack of a script shows, as the author sees them: file name, line, column. */
function places(source: ModuleSource, stack: string): string[] {
  return [...stack.matchAll(/blob:[^\s)]*?:(\d+):(\d+)\)?$/gm)].map(([, line, column]) => {
    const place = source.locate(Number(line), Number(column));
    return place === undefined ? "?" : `${place.url}:${place.line}:${place.column}`;
  });
}

/** Where a text stands in a file, as {@linkcode places} writes it. */
function placeOf(url: URL, text: string): string {
  const content = Deno.readTextFileSync(url);
  const at = content.indexOf(text);
  assert(at >= 0, text);
  const before = content.slice(0, at).split("\n");
  return `${url.href}:${before.length}:${before.at(-1)!.length + 1}`;
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, Error)).message;
}

test("moduleSource() makes one script that runs with no files, no network and no permissions", async () => {
  await using folder = new Folder({
    "deno.json": `{
      // Comments, and a trailing comma.
      "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "@jsx" },
      "imports": {
        "@jsx/jsx-runtime": "./lib/jsx.ts",
        "jsr:@std/assert@^1/equals": "npm:deno-std@1.4.0/assert/equals.js",
        "@lib/": "./lib/",
      },
    }`,
    "job.tsx": `
      import { assertEquals } from "jsr:@std/assert@^1/equals";
      import ms from "npm:ms@2.1.3";
      import libc from "npm:detect-libc@2.1.2";
      import { join } from "node:path";
      import data from "./data.json" with { type: "json" };
      import text from "./data.txt" with { type: "text" };
      import bytes from "./data.bin" with { type: "bytes" };
      import type { Shape } from "@lib/types.ts";
      import { count, even } from "@lib/mod.ts";
      import { count as again } from "./lib/mod.ts";
      import * as self from "./job.tsx";

      enum Colour { Red = 7 }
      const shape: Shape = { sides: await Promise.resolve(3) };
      const dynamic = await import("./lib/dynamic.ts");
      const twice = await import("./lib/dynamic.ts");

      export const own = "own";
      export default function job(): unknown {
        assertEquals([1], [1]);
        count();
        again();
        return {
          ms: ms(60_000), libc: typeof libc.familySync, path: join("a", "b"), data, text, bytes: [...bytes],
          shape, count: count(), even: even(10), own: self.own, dynamic: dynamic.value, same: dynamic === twice,
          loads: dynamic.loads, colour: Colour.Red, jsx: <b c="d"/>,
        };
      }`,
    "data.json": `{ "a": [1] }`,
    "data.txt": "grün\n",
    "data.bin": new Uint8Array([255, 0, 13]),
    "lib/types.ts": "export interface Shape { sides: number }",
    "lib/mod.ts": `export * from "./count.ts"; export { even } from "./even.ts";`,
    "lib/count.ts": "let n = 0;\nexport const count = (): number => ++n;",
    "lib/even.ts":
      `import { odd } from "./odd.ts"; export const even = (n: number): boolean => n === 0 || odd(n - 1);`,
    "lib/odd.ts":
      `import { even } from "./even.ts"; export const odd = (n: number): boolean => n !== 0 && even(n - 1);`,
    "lib/dynamic.ts":
      `import "../lib/loads.ts"; export const value = 42; export const loads = (globalThis as any).loads;`,
    "lib/loads.ts": `(globalThis as any).loads = ((globalThis as any).loads ?? 0) + 1;`,
    "lib/jsx.ts":
      `export const jsx = (tag: string, props: unknown): unknown => [tag, props]; export const jsxs = jsx;`,
  });
  const before = folder.all();
  const source = await moduleSource(folder.url("job.tsx"));
  assertEquals(folder.all(), before);
  assertEquals(source.url, folder.url("job.tsx").href);
  assert(!source.code.includes("sourceMappingURL"));
  for (const [, specifier] of source.code.matchAll(/^import\b.*?from "(.*)";$/gm)) {
    assertMatch(specifier!, /^node:/);
  }
  assertEquals(await runFar(source), {
    ms: "1m",
    libc: "function",
    path: "a/b",
    data: { a: [1] },
    text: "grün\n",
    bytes: [255, 0, 13],
    shape: { sides: 3 },
    count: 3,
    even: true,
    own: "own",
    dynamic: 42,
    same: true,
    loads: 1,
    colour: 7,
    jsx: ["b", { c: "d" }],
  });
}, LIMIT_MS);

test(
  "moduleSource() leaves a computed import as it is, and packs all files that fit a template",
  async () => {
    await using folder = new Folder({
      "job.ts": `
      const computed = "data:text/javascript,export default 5";
      export default async (name = "b") => [
        (await import(computed)).default,
        (await import(\`./parts/\${name}.ts\`)).default,
      ];`,
      "parts/a.ts": "export default 1;",
      "parts/b.ts": "export default 2;",
    });
    const source = await moduleSource(folder.url("job.ts"));
    assertMatch(source.code, /import\(computed\)/);
    assertEquals(await runFar(source), [5, 2]);
  },
  LIMIT_MS,
);

test("ModuleSource.locate() finds the author's line and column of an executed stack", async () => {
  await using folder = new Folder({
    "job.ts": `
import { inner } from "./lib/inner.ts";
import ms from "npm:ms@2.1.3";

interface Unused {
  a: number;
  b: string;
}
type Also = Unused & { c: boolean };

export async function fromEntry(): Promise<never> {
  const also: Also = { a: 1, b: "", c: true };
  await Promise.resolve();
  throw new Error("entry" + also.a);
}
export const fromInner = (): never => inner<string>("x");
export const fromPackage = (): unknown => ms(undefined as unknown as string);
`,
    "lib/inner.ts": `/* A comment
   of several lines */
export interface First {
  readonly a: number;
}

declare global {
  interface Window {
    nothing: number;
  }
}

class Thing<T> {
  constructor(private readonly value: T) {}
  fail(): never {
    const ä: string = "😀"; throw new Error(ä + this.value);
  }
}

export function inner<T>(value: T): never {
  return new Thing(value).fail();
}
`,
  });
  const [job, inner] = [folder.url("job.ts"), folder.url("lib/inner.ts")];
  const source = await moduleSource(job);
  const module = await load(source);

  const entry = await assertRejects(() => module.fromEntry(), Error);
  assertEquals(places(source, entry.stack!)[0], placeOf(job, `new Error("entry"`));

  const [thrown, caller, called] = places(source, caught(module.fromInner).stack!);
  assertEquals(thrown, placeOf(inner, "new Error(ä"));
  assertEquals(caller, placeOf(inner, "fail();"));
  assertEquals(called, placeOf(job, "inner<string>"));

  const [inPackage, fromJob] = places(source, caught(module.fromPackage).stack!);
  assertMatch(inPackage!, /^file:\/\/\/.*\/ms\/2\.1\.3\/index\.js:\d+:\d+$/);
  const [, url, line, column] = inPackage!.match(/^(.*):(\d+):(\d+)$/)!;
  const text = (await Deno.readTextFile(new URL(url!))).split("\n")[Number(line) - 1]!;
  assertMatch(text.slice(Number(column) - 1), /^new Error\(/);
  assertEquals(fromJob, placeOf(job, "ms(undefined"));

  assertEquals(source.locate(1, 1), undefined);
  assertEquals(source.locate(0, 0), undefined);
  assertEquals(source.locate(1e9, 1), undefined);
}, LIMIT_MS);

function caught(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

test("ModuleSource.locate() finds places in JavaScript, which Deno prints anew", async () => {
  const text = `/**
 * A
 */


const A = 1,


  /* dropped? */ B = "\\u00e4"; // new Error(

/** doc */
export function fail({ a,

  b }, then = () => { }) {
  // c
  if (a) return  new  Error


  ("in js" + A + B); else
    throw    new  TypeError("in js" + A + B)
}
`;
  await using folder = new Folder({
    "job.ts": `import * as a from "./a.js"; import * as b from "./b.mjs"; import c from "./c.cjs";
      import * as d from "./d.jsx"; import * as e from "mine"; export default [a, b, c, d, e];`,
    "a.js": text,
    "b.mjs": text,
    "c.cjs": text.replace("export function fail", "exports.fail = function"),
    "d.jsx": text,
    "package.json": `{ "dependencies": { "mine": "1.0.0" } }`,
    "node_modules/mine/package.json":
      `{ "name": "mine", "version": "1.0.0", "type": "module", "main": "e.js" }`,
    "node_modules/mine/e.js": text,
  });
  const source = await moduleSource(folder.url("job.ts"));
  const files = ["a.js", "b.mjs", "c.cjs", "d.jsx", "node_modules/mine/e.js"].map((name) => folder.url(name));
  const modules = (await load(source)).default;
  for (const [i, file] of files.entries()) {
    const [returned, thrown] = [modules[i].fail({ a: 1 }) as Error, caught(() => modules[i].fail({}))];
    assertEquals(places(source, returned.stack!)[0], placeOf(file, "new  Error"));
    assertEquals(places(source, thrown.stack!)[0], placeOf(file, "new  TypeError"));
  }
}, LIMIT_MS);

test("ModuleSource.locate() knows no place where a package brings a source map of its own", async () => {
  const map = { version: 3, sources: ["../src/mine.ts"], names: [], mappings: "AAAA;AACA;AACA;AACA" };
  await using folder = new Folder({
    "job.ts": `import mine from "mine"; export default mine;`,
    "package.json": `{ "dependencies": { "mine": "1.0.0" } }`,
    "node_modules/mine/package.json":
      `{ "name": "mine", "version": "1.0.0", "type": "module", "main": "dist/m.js" }`,
    "node_modules/mine/dist/m.js":
      `\n\nexport default () => { throw new Error("x"); };\n//# sourceMappingURL=m.js.map\n`,
    "node_modules/mine/dist/m.js.map": JSON.stringify(map),
    "node_modules/mine/src/mine.ts": "export default (): never => {\n  throw new Error('x');\n};\n",
  });
  const source = await moduleSource(folder.url("job.ts"));
  assertEquals(places(source, caught((await load(source)).default).stack!), ["?"]);
  folder.write("node_modules/mine/dist/m.js", "export default () => 4;\n//# sourceMappingURL=m.js.map\n");
  assertEquals((await load(await moduleSource(folder.url("job.ts")))).default(), 4);
}, LIMIT_MS);

test("ModuleSource.locate() finds the place of an error in a Worker", async () => {
  await using folder = new Folder({
    "job.ts": `import "./lib.ts";\ninterface A {\n  a: 1;\n}\n\n`,
    "lib.ts":
      `interface A {\n  a: 1;\n}\n\nself.onmessage = () => {\n    self.postMessage(new Error("far"));\n};\n`,
  });
  const source = await moduleSource(folder.url("job.ts"));
  const url = URL.createObjectURL(new Blob([source.code], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const error = await new Promise<Error>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(0);
  });
  worker.terminate();
  URL.revokeObjectURL(url);
  assertEquals(places(source, error.stack!), [placeOf(folder.url("lib.ts"), "new Error")]);
}, LIMIT_MS);

test("moduleSource() remembers by content: neither time nor size counts", async () => {
  await using folder = new Folder({
    "deno.json": `{ "importMap": "./map.json" }`,
    "map.json": `{ "imports": { "which": "./one.ts" } }`,
    "job.ts":
      `import which from "which"; import * as all from "./barrel.ts"; import b from "./b.bin" with { type: "bytes" };
      export default () => [which, Object.keys(all), b.length];`,
    "one.ts": "export default 1;",
    "two.ts": "export default 2;",
    "barrel.ts": `export * from "./x.ts";`,
    "x.ts": "export const x = 1;",
    "y.ts": "export const y = 1;",
    "b.bin": new Uint8Array([255]),
  });
  const job = folder.url("job.ts");
  let last = await moduleSource(job);
  const same = async (): Promise<void> => assertStrictEquals(await moduleSource(job), last);
  const anew = async (expected: unknown): Promise<void> => {
    const next = await moduleSource(job);
    assert(next !== last);
    last = next;
    assertEquals((await load(last)).default(), expected);
  };
  assertEquals((await load(last)).default(), [1, ["x"], 1]);
  await same();
  await Deno.utime(folder.url("one.ts"), 1, 1);
  await same();

  const { mtime, atime } = await Deno.stat(folder.url("one.ts"));
  folder.write("one.ts", "export default 7;");
  await Deno.utime(folder.url("one.ts"), atime!, mtime!);
  await anew([7, ["x"], 1]);
  await same();
  // Nothing of this file is in the script, nor in its source map.
  folder.write("barrel.ts", `export * from "./y.ts";`);
  await anew([7, ["y"], 1]);
  folder.write("b.bin", new Uint8Array([255, 255]));
  await anew([7, ["y"], 2]);
  folder.write("map.json", `{ "imports": { "which": "./two.ts" } }`);
  await anew([2, ["y"], 2]);
  folder.write("deno.json", `{ "imports": { "which": "./one.ts" } }`);
  await anew([7, ["y"], 2]);
  // A configuration that was not there.
  folder.write("package.json", "{}");
  await anew([7, ["y"], 2]);
  await same();
}, LIMIT_MS);

test("moduleSource() notices a package in node_modules that was edited", async () => {
  await using folder = new Folder({
    "package.json": `{ "dependencies": { "mine": "1.0.0" } }`,
    "node_modules/mine/package.json":
      `{ "name": "mine", "version": "1.0.0", "type": "module", "main": "main.js" }`,
    "node_modules/mine/main.js": "export default 1;",
    "job.ts": `import mine from "mine"; export default () => mine;`,
  });
  assertEquals(await runFar(await moduleSource(folder.url("job.ts"))), 1);
  folder.write("node_modules/mine/main.js", "export default 2;");
  assertEquals(await runFar(await moduleSource(folder.url("job.ts"))), 2);
}, LIMIT_MS);

test("moduleSource() shares one bundling among calls at the same time", async () => {
  await using folder = new Folder({ "job.ts": "export default 1;" });
  const [first, ...others] = await Promise.all(
    Array.from({ length: 8 }, () => moduleSource(folder.url("job.ts"))),
  );
  for (const other of others) assertStrictEquals(other, first);
}, LIMIT_MS);

test("moduleSource() has what was written before the call, though a bundling was under way", async () => {
  await using folder = new Folder({ "job.ts": "export default 0;" });
  const calls: Promise<ModuleSource>[] = [];
  for (let i = 1; i <= 20; i++) {
    folder.write("job.ts", `export default ${i};`);
    calls.push(moduleSource(folder.url("job.ts")));
    await calls[i % calls.length]!;
  }
  for (const [i, call] of calls.entries()) assert((await load(await call)).default >= i + 1);
}, LIMIT_MS);

test("moduleSource() obeys the lock file, and neither writes one nor a node_modules folder", async () => {
  const lock = JSON.stringify({
    version: "5",
    specifiers: { "npm:ms@^2.0.0": "2.1.1" },
    npm: {
      "ms@2.1.1": {
        integrity:
          "sha512-tgp+dl5cGk28utYktBsrFqA7HKgrhgPsg6Z/EfhWI4gl1Hwq8B/GmY/0oXZ6nF8hDVesS/FpnYaD/kOWhYQvyg==",
      },
    },
  });
  const job =
    `import ms from "npm:ms@^2.0.0"; import "npm:detect-libc@^2.0.0"; export default () => ms(1000);`;
  for (
    const files of [
      { "deno.json": "{}", "deno.lock": lock },
      { "deno.json": `{ "lock": "./other.lock", "nodeModulesDir": "auto" }`, "other.lock": lock },
      { "deno.json": `{ "lock": { "path": "other.lock" }, "vendor": true }`, "other.lock": lock },
      { "deno.json": `{ "workspace": ["./in"] }`, "in/deno.json": "{}", "deno.lock": lock },
    ]
  ) {
    await using folder = new Folder({ ...files, "in/job.ts": job });
    const before = folder.all();
    const { code } = await moduleSource(folder.url("in/job.ts"));
    assertMatch(code, /\/ms\/2\.1\.1\//);
    assertEquals(folder.all(), before);
  }
  for (const config of ["{}", `{ "nodeModulesDir": "auto" }`, `{ "lock": false }`]) {
    await using folder = new Folder({ "deno.json": config, "in/job.ts": job });
    const before = folder.all();
    const { code } = await moduleSource(folder.url("in/job.ts"));
    assertMatch(code, /\/ms\/2\.1\.[2-9]\//);
    assertEquals(folder.all(), before);
  }
}, LIMIT_MS);

test("moduleSource() names the module, the reason and the place of what cannot be shipped", async () => {
  await using folder = new Folder({
    "gone.ts": `import "./lib/a.ts";`,
    "lib/a.ts": `\n  import "./nowhere.ts";`,
    "syntax.ts": `import "./lib/syntax.ts";`,
    "lib/syntax.ts": "const a = 1;\nlet b: = 3;\n",
    "bare.ts": `import x from "bare"; x();`,
    "export.ts": `import { nope } from "./lib/ok.ts"; nope();`,
    "lib/ok.ts": "export const a = 1;",
    "package.ts": `import x from "npm:ms@77"; x();`,
    "jsr.ts": `import x from "jsr:@execnet/nowhere@1"; x();`,
    "dynamic.ts": `await import("./nowhere.ts");`,
    "json.ts": `import x from "./bad.json" with { type: "json" }; x();`,
    "bad.json": `{ "a": `,
    "config/deno.json": "{ this is no JSON",
    "config/job.ts": "export {};",
  });
  const place = (name: string) => `    at ${folder.url(name).href}`;
  const cases: [string, string][] = [
    ["nothing.ts", `Module not found "${folder.url("nothing.ts").href}"`],
    ["gone.ts", `Module not found "${folder.url("lib/nowhere.ts").href}"\n${place("lib/a.ts")}:2:10`],
    ["syntax.ts", "SyntaxError: Unexpected token `=`"],
    ["syntax.ts", `${place("lib/syntax.ts")}:2:8`],
    ["bare.ts", `Import "bare" not a dependency\n${place("bare.ts")}:1:15`],
    ["export.ts", `No matching export in "lib/ok.ts" for import "nope"`],
    ["export.ts", `${place("export.ts")}:1:10`],
    ["package.ts", `Could not find npm package 'ms' matching '77'\n${place("package.ts")}:1:15`],
    ["jsr.ts", `JSR package manifest for '@execnet/nowhere' failed to load`],
    ["dynamic.ts", `Module not found "${folder.url("nowhere.ts").href}"\n${place("dynamic.ts")}:1:14`],
    ["json.ts", place("bad.json")],
    ["config/job.ts", `deno.json`],
    ["no/folder/job.ts", "its folder does not exist"],
  ];
  for (const [name, expected] of cases) {
    const message = await messageOf(moduleSource(folder.url(name)));
    const start = `Cannot ship module "${folder.url(name).href}": `;
    assertEquals(message.slice(0, start.length), start);
    assert(message.includes(expected), `${name}:\n${message}\n\nhas no\n${expected}`);
    // deno-lint-ignore no-control-regex -- it looks for colours
    assert(!/\u001b|backtrace|bundling failed|^error|\.$/m.test(message.slice(start.length)), message);
  }
}, LIMIT_MS);

test("moduleSource() forgets a failure", async () => {
  await using folder = new Folder({ "job.ts": `export { a } from "./a.ts";` });
  await messageOf(moduleSource(folder.url("job.ts")));
  folder.write("a.ts", "export const a = 1;");
  assertEquals((await load(await moduleSource(folder.url("job.ts")))).a, 1);
}, LIMIT_MS);

test("moduleSource() refuses what is no URL of a file or of the web", async () => {
  for (const url of ["data:text/javascript,1", "blob:null/1", "npm:ms", "jsr:@std/assert", "node:fs"]) {
    await assertRejects(
      () => moduleSource(new URL(url)),
      TypeError,
      "its URL must be file:, http: or https:",
    );
  }
  await assertRejects(
    () => moduleSource("./job.ts" as unknown as URL),
    TypeError,
    "expected a URL, got string",
  );
});

test("moduleSource() ships modules of the web, as Deno has them in its cache", async () => {
  const files: Record<string, string> = {
    "/job.ts":
      `import { inner } from "./lib/inner.ts"; export default inner; export const caught = () => inner(1);`,
    "/lib/inner.ts":
      `interface A {\n  a: number;\n}\nexport function inner(fail?: number): number {\n  if (fail) throw new Error("x");\n  return 5;\n}`,
  };
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const text = files[new URL(request.url).pathname.replace(/^\/[^/]*/, "")];
    return text === undefined
      ? new Response("nothing", { status: 404 })
      : new Response(text, { headers: { "content-type": "application/typescript" } });
  });
  // Deno's cache knows no end, and ports come again.
  const root = `http://127.0.0.1:${server.addr.port}/${crypto.randomUUID()}/`;
  const source = await moduleSource(new URL("job.ts", root));
  assertEquals(source.url, `${root}job.ts`);
  assertEquals(await runFar(source), 5);
  assertStrictEquals(await moduleSource(new URL("job.ts", root)), source);
  const { stack } = caught((await load(source)).caught);
  assertEquals(places(source, stack!)[0], `${root}lib/inner.ts:5:19`);
  assertMatch(
    await messageOf(moduleSource(new URL("gone.ts", root))),
    /: Module not found "http:.*gone\.ts"$/,
  );
}, LIMIT_MS);

/** A server whose answers never come. */
function silentServer(): { url: URL; asked: Promise<void>; [Symbol.asyncDispose](): Promise<void> } {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const end = Promise.withResolvers<Response>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    resolve();
    return end.promise;
  });
  return {
    // Deno's cache knows no end, and ports come again.
    url: new URL(`http://127.0.0.1:${server.addr.port}/${crypto.randomUUID()}/job.ts`),
    asked,
    [Symbol.asyncDispose]: async () => {
      end.resolve(new Response("gone", { status: 404 }));
      await server.shutdown();
    },
  };
}

test("moduleSource() ends with its signal, and so does what it has started", async () => {
  const leaks = new LeakCheck();
  {
    await using server = silentServer();
    const controller = new AbortController();
    const other = new AbortController();
    const first = moduleSource(server.url, { signal: controller.signal });
    const second = moduleSource(server.url, { signal: other.signal });
    await server.asked;
    controller.abort(new Error("enough"));
    assertEquals(await messageOf(first), "enough");
    other.abort(new Error("enough too"));
    assertEquals(await messageOf(second), "enough too");
    assertEquals(
      await messageOf(moduleSource(server.url, { signal: AbortSignal.abort(new Error("late")) })),
      "late",
    );
  }
  await leaks.done();
}, LIMIT_MS);

test("moduleSource() goes on for the others when one of them aborts", async () => {
  await using folder = new Folder({ "job.ts": "export default () => 3;" });
  const controller = new AbortController();
  const first = moduleSource(folder.url("job.ts"), { signal: controller.signal });
  const second = moduleSource(folder.url("job.ts"));
  controller.abort(new Error("enough"));
  assertEquals(await messageOf(first), "enough");
  assertEquals(await runFar(await second), 3);
}, LIMIT_MS);

test("moduleSource() gives up after a time, and leaves nothing behind", async () => {
  const leaks = new LeakCheck();
  {
    await using server = silentServer();
    assertEquals(
      await messageOf(shipWithin(700, server.url.href)),
      `Cannot ship module "${server.url.href}": "deno bundle" has not ended after 700 ms`,
    );
  }
  await leaks.done();
}, LIMIT_MS);

/** Runs a program that ships a module, with the given flags and environment; what it prints. */
async function program(job: URL, flags: string[], env: Record<string, string> = {}): Promise<string> {
  const library = new URL("../../gateway/shipping/module_source.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-lock", "--no-prompt", ...flags, "-"],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`
    import { moduleSource } from ${JSON.stringify(library.href)};
    try {
      console.log((await moduleSource(new URL(${JSON.stringify(job.href)}))).code);
    } catch (error) {
      console.log(error.message);
    }
  `));
  await writer.close();
  return new TextDecoder().decode((await child.output()).stdout);
}

test("moduleSource() needs no more than to read the module's folder and to run Deno", async () => {
  await using folder = new Folder({
    "deno.json": "{}",
    "deno.lock": `{ "version": "5" }`,
    "job.ts": "export default 'this';",
  });
  const flags = [`--allow-read=${folder.path}`, `--allow-run=${Deno.execPath()}`];
  assertMatch(await program(folder.url("job.ts"), flags), /"this"/);
}, LIMIT_MS);

test("moduleSource() says so when esbuild cannot be fetched", async () => {
  await using folder = new Folder({ "job.ts": "export default 1;" });
  const text = await program(folder.url("job.ts"), ["-A"], {
    DENO_DIR: `${folder.path}/cache`,
    NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/",
  });
  assertMatch(
    text,
    /: "deno bundle" needs esbuild from npm once, and it cannot be fetched: .*127\.0\.0\.1:1/,
  );
}, LIMIT_MS);

test(
  "moduleSource() finds a module behind a symbolic link to its folder, and one that is a link",
  async () => {
    await using folder = new Folder({
      "real/deno.json": `{ "imports": { "x": "./x.ts" } }`,
      "real/job.ts": `import x from "x"; import y from "./x.ts"; export default () => [x === y, x];`,
      "real/x.ts": "export default { x: 1 };",
      "other/x.ts": "export default { x: 2 };",
    });
    await Deno.symlink("real", `${folder.path}/link`);
    await Deno.symlink("../real/job.ts", `${folder.path}/other/job.ts`);
    folder.write("other/deno.json", `{ "imports": { "x": "./x.ts" } }`);
    assertEquals(await runFar(await moduleSource(folder.url("link/job.ts"))), [true, { x: 1 }]);
    assertEquals(await runFar(await moduleSource(folder.url("other/job.ts"))), [true, { x: 2 }]);
  },
  LIMIT_MS,
);
