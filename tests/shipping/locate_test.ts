/** Where shipped functions were written: real files, loaded by real programs. */

import { assert, assertEquals, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { functionSource } from "../../gateway/shipping/function_source.ts";
import { positionAt } from "../../gateway/shipping/place.ts";
import { test } from "../helpers/bounded.ts";
import { own, pure } from "./own_names.js";
import { evaluate, refusal } from "./refusal.ts";

const ROOT = new URL("../../", import.meta.url);

/** What the programs below share: prints where the words of functions were found, by a word that is in each once. */
const REPORT = `
const places: Record<string, unknown> = {};
export function at(fn: unknown, ...words: string[]): void {
  // Shipped from here, as a wrapper of a user would.
  for (const word of words) places[word] = placeOf(fn as Ship, word);
}
type Ship = (...args: never[]) => unknown;
function placeOf(fn: Ship, word: string): unknown {
  try {
    const source = functionSource(fn);
    const before = source.text.slice(0, source.text.indexOf(word)).split("\\n");
    return source.locate(before.length, before.at(-1)!.length + 1) ?? null;
  } catch (error) {
    return (error as Error).message;
  }
}
export function done(): void {
  console.log(JSON.stringify(places));
}
`;

/** The files of a program, by name. Each word with a number stands in one of them once, but in comments and types. */
const FILES: Readonly<Record<string, string>> = {
  "main.ts": `#!/usr/bin/env -S deno run
import type { Shape } from "./shapes.ts";
import { at, done } from "./report.ts";
import { library, table } from "./lib.ts";
import * as script from "./plain.js";
interface Options {
  /** Lines that Deno leaves out. */
  readonly n: number;
}

const outside = 1;
declare const never1: unique symbol;
at((x: Options, y?: Shape): number => { type T = typeof x;   return (x as T & { word1: number }).word1x; }, "word1x");

at(
  async <T extends Options>(channel: unknown, kwargs: T): Promise<void> => {
    // A comment
    const    a:   number    = kwargs.n satisfies number;

    enum Colour { Red = 1 }
    if (a > Colour.Red) throw new Error("word2");
    await word3x;
  } , "word3x", "word2");
export function declared(options: Options): unknown {

  return ((options!)) . word4;
}
at(declared, "word4");
const arrow = (x: number): number => { const word5: number = x; return word5y(x); };
const twin1: (x: number) => number = (x: number): number => [x, 6].length; const twin2: (x: number) => number = (x) => [x, 6].length;
at(function* named(o: Options): Generator<number> { yield o.word7; }, "word7");
class Holder { static made = (x: number): number => x + "word8".length; }
at(Holder.made, "word8");
at(library, "word9"); at(table.inner, "word10"); at(table.quoted, "word11");
at(script.plain, "word12"); at(script.default, "word13");
at(() => outside + /* word14x */ 14, "outside");
at(twin2, "6"); at((x: number) => x - 15, "15"); at((x: number) => x - 15, "x - 15");
at(new Function("return 'word16'"), "word16");
done();
`,
  "shapes.ts": "export interface Shape { size: number }\n",
  "lib.ts": `type Numbers = number[];
export { table } from "./deep.ts";


export async function library<T extends Numbers>(xs: T): Promise<number> {
  return await Promise.resolve(xs . length + "word9".length);
}
`,
  "deep.ts": `const key: string = "computed";
export const table = { other: (): number => 10,
  inner: (): number  =>  { return "word10".length as number; }, [key]: (): string => "word17", "quoted": (): string  => "word11" };
`,
  "plain.js": `/* as it is */   export const   plain = ( x ) => {
        return   x.word12
  };
export default   () =>   "word13";
`,
};

/** Where a word stands in the files, from 1. */
function written(word: string, file: string, nth = 0): { line: number; column: number } {
  let offset = -1;
  for (let i = 0; i <= nth; i++) offset = FILES[file]!.indexOf(word, offset + 1);
  assert(offset >= 0, word);
  return positionAt(FILES[file]!, offset);
}

/** What the program has to print, when its files are at a URL and those that may be elsewhere at another. */
function expected(base: string): Record<string, unknown> {
  const place = (word: string, file: string, nth = 0): unknown => ({
    url: `${base}${file}`,
    ...written(word, file, nth),
  });
  return {
    word1x: place("word1x", "main.ts"),
    word3x: `"word3x" at ${base}main.ts:${Object.values(written("word3x", "main.ts")).join(":")}`,
    word2: `"word3x" at ${base}main.ts:${Object.values(written("word3x", "main.ts")).join(":")}`,
    word4: place("word4", "main.ts"),
    word7: place("word7", "main.ts"),
    // A string is found by its first character.
    word8: place(`"word8"`, "main.ts"),
    word9: place(`"word9"`, "lib.ts"),
    word10: place(`"word10"`, "deep.ts"),
    word11: place(`"word11"`, "deep.ts"),
    word12: place("word12", "plain.js"),
    word13: place("word13", "plain.js"),
    outside: `"outside" at ${base}main.ts:${Object.values(written("outside + ", "main.ts")).join(":")}`,
    "6": place("6]", "main.ts", 1),
    "15": place("15", "main.ts"),
    // Its text has been shipped before, by another call: which of the two it is nobody knows.
    "x - 15": null,
    word16: null,
  };
}

/** Writes the files into a fresh folder, and removes it. */
async function withFiles(run: (folder: string, files: URL) => Promise<void>, name = "files"): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/${name}`);
    for (const [file, text] of Object.entries(FILES)) {
      await Deno.writeTextFile(`${folder}/${name}/${file}`, text);
    }
    const library = new URL("gateway/shipping/function_source.ts", ROOT);
    await Deno.writeTextFile(
      `${folder}/${name}/report.ts`,
      `import { functionSource } from "${library}";${REPORT}`,
    );
    const url = new URL("file:///");
    url.pathname = `${await Deno.realPath(folder)}/${name}/`.replaceAll("%", "%25");
    await run(`${folder}/${name}`, url);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function deno(cwd: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    stdin: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert(success, text + new TextDecoder().decode(stderr));
  return JSON.parse(text.match(/^\{.*\}$/m)![0]);
}

/** Compares; of messages, only the part that is expected counts. */
function compare(found: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const [word, place] of Object.entries(wanted)) {
    const actual = found[word];
    if (typeof place === "string" && typeof actual === "string") assertStringIncludes(actual, place);
    else assertEquals(actual, place, word);
  }
  assertEquals(Object.keys(found).sort(), Object.keys(wanted).sort());
}

for (const name of ["files", "a b#c%20(ü)+@", "[x] & {y}"]) {
  test(
    `locate() finds functions of a program's files in a folder named ${name}`,
    () =>
      withFiles(async (folder, files) => {
        compare(await deno(folder, "run", "-A", "--no-lock", "main.ts"), expected(files.href));
      }, name),
    60_000,
  );
}

test("locate() finds functions of a test's file", () =>
  withFiles(async (folder, files) => {
    await Deno.writeTextFile(
      `${folder}/some_test.ts`,
      `Deno.test("x", async () => { await import("./main.ts"); });\n`,
    );
    compare(
      await deno(folder, "test", "-A", "--no-lock", "--no-check", "some_test.ts"),
      expected(files.href),
    );
  }), 60_000);

test("locate() finds functions of modules that came over http", () =>
  withFiles(async (folder, files) => {
    await using server = serve(files);
    const wanted = expected(server.url);
    const main = FILES["main.ts"]!.replaceAll(/"\.\/(lib\.ts|plain\.js)"/g, `"${server.url}$1"`);
    await Deno.writeTextFile(`${folder}/start.ts`, main);
    const found = await deno(folder, "run", "-A", "--no-lock", "--no-check", "start.ts");
    for (const word of ["word9", "word10", "word11", "word12", "word13"]) {
      assertEquals(found[word], wanted[word], word);
    }
    assertStringIncludes(found.outside as string, `"outside" at ${files.href}start.ts:`);
  }), 60_000);

test("locate() works when all of it is imported by URL", () =>
  withFiles(async (folder, files) => {
    await using server = serve(files);
    const library = `${server.url}_library/gateway/shipping/function_source.ts`;
    await Deno.writeTextFile(`${folder}/report.ts`, `import { functionSource } from "${library}";${REPORT}`);
    const found = await deno(
      folder,
      "run",
      "-A",
      "--no-lock",
      "--no-check",
      "--no-config",
      `${server.url}main.ts`,
    );
    compare(found, expected(server.url));
  }), 60_000);

test(
  "locate() finds nothing, and functionSource() tells lines of the text, without permission to read",
  () =>
    withFiles(async (folder) => {
      for (const flags of [[], ["--allow-read"], ["--allow-env"], ["--allow-read=.", "--allow-env"]]) {
        const found = await deno(folder, "run", "--no-lock", "--no-check", ...flags, "main.ts");
        assertEquals(found.word4, null, flags.join(" "));
        assertStringIncludes(found.outside as string, `"outside" at line 1, column 5 of its text`);
      }
    }),
  60_000,
);

test(
  "locate() finds functions of scripts with permission to read them alone",
  () =>
    withFiles(async (folder, files) => {
      const script =
        `import { at, done } from "./report.ts";\nat((x) =>\n  x + "word18", "word18");\ndone();\n`;
      await Deno.writeTextFile(`${folder}/script.js`, script);
      for (const flags of [["--allow-read=."], ["-A"]]) {
        assertEquals(await deno(folder, "run", "--no-lock", ...flags, "script.js"), {
          word18: { url: `${files.href}script.js`, line: 3, column: 8 },
        });
      }
      assertEquals(await deno(folder, "run", "--no-lock", "script.js"), { word18: null });
    }),
  60_000,
);

test(
  "locate() finds nothing in a file that has changed since it was loaded",
  () =>
    withFiles(async (folder) => {
      const main = await Deno.readTextFile(`${folder}/main.ts`);
      const change =
        `Deno.writeTextFileSync("plain.js", "\\n\\n" + Deno.readTextFileSync("plain.js").replace("word12", "w12"));`;
      await Deno.writeTextFile(`${folder}/main.ts`, main.replace("at(library", `${change} at(library`));
      const found = await deno(folder, "run", "-A", "--no-lock", "--no-check", "main.ts");
      assertEquals(found.word12, null);
      assert(found.word9 !== null);
    }),
  60_000,
);

const THIS_FILE = await Deno.readTextFile(new URL(import.meta.url));

/** The place of a text in this file, as messages show it. */
function here(text: string): string {
  assertEquals(THIS_FILE.split(text).length, 2, text);
  const { line, column } = positionAt(THIS_FILE, THIS_FILE.indexOf(text));
  return `${import.meta.url}:${line}:${column}`;
}

const variableOfThisFile = 1;

test("functionSource() shows where in this file a function uses a variable", () => {
  interface Options {
    n: number;
  }
  const message = refusal((options: Options): number => options.n + variableOfThisFile * 111);
  assertStringIncludes(
    message,
    `"variableOfThisFile" at ${here("variableOfThisFile" + " * 111")} exists only here`,
  );
});

test("functionSource() takes a variable around a function for what it is, though a global has its name", () => {
  const name = "mine";
  class Cache {}
  const fetch = (): number => 1;
  enum Event {
    Ok = 222,
  }
  assertStringIncludes(refusal(() => name + 222), `"name" at ${here("name" + " + 222")}`);
  assertStringIncludes(refusal(() => new Cache()), `"Cache"`);
  assertStringIncludes(refusal(() => fetch() + 222), `"fetch" at ${here("fetch" + "() + 222")}`);
  assertStringIncludes(refusal(() => [Event.Ok, Deno.pid]), `"Event"`);
  assertEquals([name, Cache.name, fetch(), Event.Ok], ["mine", "Cache", 1, 222]);
});

test("functionSource() takes a variable around a function for what it is, though it is asked for", () => {
  const handler = (n: number): number => n;
  const message = refusal(() => typeof handler === "function" ? handler(223) : "missing");
  assertStringIncludes(message, `"handler" at ${here("handler" + ` === "function" ? handler(223)`)}`);
  assertStringIncludes(refusal(() => typeof variableOfThisFile + 223), `"variableOfThisFile"`);
});

test("functionSource() finds what stands around a function of another file", () => {
  assert(own.length > 0);
  for (const [names, fn] of own as [string[], () => unknown][]) {
    for (const channel of [true, false]) {
      const message = refusal(fn, { channel });
      const found = message.slice(0, message.indexOf("; pass it")).match(/"[^"]+"/g)!;
      assertEquals(
        found.filter((name) => name !== `"${fn.name}"`),
        names.map((name) => `"${name}"`),
        message,
      );
    }
  }
});

test("functionSource() takes a global for what it is, where nothing around the function declares it", () => {
  functionSource(() => [self, close, location, 333]);
  functionSource(evaluate("() => [name, caches, 333]"));
  for (const fn of pure) functionSource(fn);
  functionSource(pure[1]!, { channel: false });
});

test("functionSource() shows the place of what else keeps a function here", () => {
  assertStringIncludes(
    refusal(() => import.meta.url + 444),
    `"import.meta" at ${here("import.meta" + ".url + 444")}`,
  );
  assertStringIncludes(
    refusal(() => import("./refusal.ts")),
    `"./refusal.ts" at ${here("import(" + `"./refusal.ts"))`)}`,
  );
});

test("locate() knows no place outside of the text", () => {
  const source = functionSource((x: number): number => x + 555);
  assertEquals(source.locate(1, 1)?.url, import.meta.url);
  for (const [line, column] of [[0, 1], [2, 1], [1, 0], [1, 1000], [-1, 1], [NaN, 1], [1.5, 1]]) {
    assertEquals(source.locate(line!, column!), undefined, `${line}:${column}`);
  }
});

/** Serves the files of a program, and this project below `_library/`, on loopback. */
function serve(files: URL): { url: string } & AsyncDisposable {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = new URL(request.url).pathname.replace(/^\/[^/]*\//, "");
    const url = path.startsWith("_library/")
      ? new URL(path.slice("_library/".length), ROOT)
      : new URL(path, files);
    const type = path.endsWith(".js") ? "text/javascript" : "application/typescript";
    return new Response(await Deno.readTextFile(url), { headers: { "content-type": type } });
  });
  return {
    // Deno's cache knows no end, and ports come again.
    url: `http://127.0.0.1:${server.addr.port}/${crypto.randomUUID()}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
