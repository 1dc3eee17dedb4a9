/** The prompt: what is evaluated behind gateways, and the command at a real terminal. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { EXIT } from "../../cli/failure.ts";
import { readInput } from "../../cli/repl/input.ts";
import { Session } from "../../cli/repl/session.ts";
import { newMark, Printed } from "../../cli/repl/shown.ts";
import { type Gateway, Group } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { forSeeds, type Random } from "../helpers/seeded.ts";
import { TextTap, until } from "../helpers/wait.ts";
import { lacking, part, testWith } from "../parts/need.ts";

const ROOT = new URL("../../", import.meta.url);
const LIMIT_MS = 60_000;

/** A session as the prompt has one. */
class Evaluator {
  readonly uncaught: string[] = [];
  printed = "";
  #session!: Session;
  #output!: Printed;
  #number = 0;

  static async start(gateway: Gateway): Promise<Evaluator> {
    const evaluator = new Evaluator();
    const mark = newMark();
    evaluator.#output = new Printed(mark, false, (text) => void (evaluator.printed += text));
    void evaluator.#output.read(gateway.stderr!);
    evaluator.#session = await Session.start(gateway, { colours: false, base: "file:///tmp/", mark }, {
      uncaught: (text) => evaluator.uncaught.push(text),
    });
    return evaluator;
  }

  /** What is shown of an input's value, or of its error with `!` before it. */
  async evaluate(text: string): Promise<string> {
    const input = await readInput(text, this.#session, true);
    if (input.kind !== "ready") return JSON.stringify(input);
    const { outcome, text: shown, mark } = await this.#session.evaluate(++this.#number, input);
    await this.#output.until(mark!);
    return outcome === "error" ? `! ${shown}` : shown;
  }

  async names(...path: string[]): Promise<readonly string[]> {
    return await this.#session.complete(++this.#number, path);
  }
}

/** Inputs in their order, and how what is shown begins. */
const INPUTS: readonly (readonly [input: string, shown: string])[] = [
  ["1 + 1", "2"],
  ["_ * 21", "42"],
  ["{ a: 1 }", "{ a: 1 }"],
  ["const c: number = 1, { d, ...e } = { d: 2, f: 3 }; let g", "undefined"],
  ["[c, d, e, g]", "[ 1, 2, { f: 3 }, undefined ]"],
  ["c = 2", "! TypeError: Assignment to constant variable.\n    at <input 6>:1:"],
  ["const c = c_", "! ReferenceError: c_ is not defined\n    at <input 7>:1:11"],
  ["c", "1"],
  ["let c = c + 1; c++; c", "3"],
  ["function first() { return second() }", "undefined"],
  ["first()", "! ReferenceError: second is not defined"],
  ["function second() { return this === undefined && third }; const third = 3", "undefined"],
  ["first()", "3"],
  ["call(); function call() { return called = 1 }", "! ReferenceError: called is not defined"],
  ["let failed = later; let later = 1", "! ReferenceError: Cannot access 'later' before initialization"],
  ["failed", "! ReferenceError: failed is not defined"],
  ["class A<T> { static made = new A(); #p = 1; get p() { return this.#p } }", "undefined"],
  ["[A.made instanceof A, A.made.p]", "[ true, 1 ]"],
  ["const named = () => {}, { also = class {} } = {}; [named, also]", "[ [Function: named], [class also] ]"],
  ["for (var i = 0; i < 3; i++) { i }", "2"],
  ["i; if (false) 4", "undefined"],
  ["switch (i) { case 3: 'three'; break; default: 'other' }", '"three"'],
  ["enum E { X, Y = 'y' } E.Y", '"y"'],
  ["namespace N { export const inside = 5 } N.inside", "5"],
  [
    "function dec(c: any, _: unknown) { return class extends c { more = 1 } as any }; @dec class D { own = 2 }",
    "undefined",
  ],
  ["new D()", "D { own: 2, more: 1 }"],
  ["import { join, posix as p } from 'node:path'; join('a', 'b')", '"a/b"'],
  ["p.sep = '!'", '"!"'],
  ["join = 1", "! TypeError: Assignment to constant variable."],
  ["(await import('data:text/javascript,export default import.meta.url.slice(0, 5)')).default", '"data:"'],
  ["import.meta.main", "false"],
  ["await import('./nowhere.ts')", "! "],
  ["const timer = setTimeout; typeof timer(() => {}, 0)", '"object"'],
  ["typeof nobody + typeof c + typeof Deno", '"undefinednumberobject"'],
  ["let Math = { max: 1 }; Math.max", "1"],
  ["this === globalThis && typeof channel + typeof __name__", '"undefinedundefined"'],
  ["globalThis.made = 6; made += 1; made", "7"],
  ["let loop: any = { self: null }; loop.self = loop; loop", "<ref *1> { self: [Circular *1] }"],
  ["({ get x() { throw 1 }, p: new Proxy({}, { get() { throw 2 } }) })", "{ x: [Getter], p: {} }"],
  ["({ [Symbol.for('Deno.customInspect')]() { throw new Error('sly') } })", "[cannot be shown: sly]"],
  ["'x'.repeat(1e6).length", "1000000"],
  ["throw 5", "! 5"],
  ["_error", "5"],
  [
    "function deep(n: number): never {\n  if (n > 0) deep(n - 1);\n  throw new TypeError('deep')\n}\n",
    "undefined",
  ],
  [
    "let y: string;\n\n  deep(1)",
    "! TypeError: deep\n    at deep (<input 44>:3:9)\n    at deep (<input 44>:2:14)\n    at <input 45>:3:3",
  ],
  ["nothing.at(0)", "! ReferenceError: nothing is not defined\n    at <input 46>:1:1"],
  ["c()", "! TypeError: c is not a function\n    at <input 47>:1:"],
  ["await Deno.readTextFile('/etc/hostname')", "! NotCapable: Requires read access"],
  ["console.log('printed', 1); 'after'", '"after"'],
  [
    "Promise.reject(new Error('lost')); setTimeout(() => { throw new Error('thrown') }); queueMicrotask(() => { throw new Error('micro') }); await new Promise((resolve) => setTimeout(resolve, 20)); 'alive'",
    '"alive"',
  ],
  ["let sum = 0; for (let i = 0; i < 1e6; i++) sum += globalThis.Math.sqrt(i); sum > 6e8", "true"],
  [
    "import { nope } from 'node:fs'",
    "! SyntaxError: The requested module 'node:fs' does not provide an export",
  ],
  ["export { c as other }; 5", "5"],
  [
    "({ [Symbol.for('Deno.customInspect')]() { throw { __proto__: Error.prototype, get message() { throw 1 } } } })",
    "[cannot be shown]",
  ],
  ["await import('/nope.ts')", '! TypeError: Requires read access to "/nope.ts"'],
];

for (const execmodel of ["worker", "main", "process"]) {
  test(`A prompt behind execmodel=${execmodel} evaluates inputs that know of one another`, async () => {
    const leaks = new LeakCheck();
    {
      await using group = new Group();
      const gateway = await group.makeGateway(`popen//execmodel=${execmodel}`, { stderr: "piped" });
      const prompt = await Evaluator.start(gateway);
      for (const [input, shown] of INPUTS) {
        const got = await prompt.evaluate(input);
        assert(got.startsWith(shown), `${input}\n${got}\n${shown}`);
      }
      const failed = await prompt.evaluate(
        "throw Object.assign(await import('/nope.ts').catch((e) => e), { more: 1 })",
      );
      assertMatch(failed, /\n {4}at <input \d+>:1:\d+ \{\n[^]*more: 1\n\}$/);
      assertEquals(prompt.printed, "printed 1\n");
      assertEquals(prompt.uncaught.map((text) => text.split("\n")[0]).sort(), [
        "Error: lost",
        "Error: micro",
        "Error: thrown",
      ]);
      assertMatch(prompt.uncaught.join("\n"), /<input 50>:1:\d+/);
      await prompt.evaluate(
        "let looked = 0; const sly = { get a() { looked++; return {} }, b: { c: 1 }, p: new Proxy({ x: 1 }, { ownKeys() { looked++; return [] }, getPrototypeOf() { looked++; return null } }) }",
      );
      assert((await prompt.names()).includes("first"));
      assert((await prompt.names("crypto")).includes("subtle"));
      assertEquals((await prompt.names("sly", "b"))[0], "c");
      assertEquals([await prompt.names("sly", "a"), await prompt.names("sly", "p")], [[], []]);
      assertEquals(await prompt.names("nobody", "x"), []);
      assertEquals(await prompt.evaluate("looked"), "0");
    }
    await leaks.done();
  });
}

/** Statements that declare, change and look, without a mistake: each name once, and used behind its declaration. */
function randomProgram(random: Random): string[] {
  const variables: string[] = [];
  const functions: string[] = [];
  let count = 0;
  const value = (): string =>
    random.chance(0.7) && variables.length > 0
      ? random.pick([...variables, ...variables.map((name) => `(${name} ?? 0) + 1`)])
      : functions.length > 0 && random.chance(0.4)
      ? `${random.pick(functions)}(${random.below(9)})`
      : String(random.below(100));
  const statements: string[] = [];
  for (let at = 0; at < 12; at++) {
    const name = `v${count++}`;
    /** A statement that declares the name, which is known behind it. */
    const declaring = (names: string[], text: string): string => (names.push(name), text);
    const old = variables.length > 0 ? random.pick(variables) : "log";
    statements.push(
      random.pick([
        () => declaring(variables, `let ${name} = ${value()};`),
        () => declaring(variables, `var ${name} = ${value()}, ${name}_`),
        () => `const ${name} = ${value()}\n;try { ${name} = 1 } catch (e) { log.push(e.name, ${name}) }`,
        () =>
          declaring(
            variables,
            `let { ${name} = ${value()}, ...${name}r } = { x: ${value()} }; log.push(${name}r)`,
          ),
        () =>
          declaring(variables, `let [${name}, [${name}b = ${name}]] = [${value()}, []]; log.push(${name}b)`),
        () =>
          declaring(
            functions,
            `function ${name}(n: number, m = ${value()}) { ${
              old === "log" ? "" : `${old} = n;`
            } var k = m; return [n, k].join() }`,
          ),
        () =>
          declaring(
            functions,
            `const ${name} = (n: number) => { let log = n; { let log = 3; log++ } return log + ${value()} }`,
          ),
        () =>
          `class ${name} { static s = ${value()}; f = ${value()}; m() { return [${name}.name, this.f] } }; log.push(${name}.s, new ${name}().m())`,
        () =>
          `for (let ${name} = 0; ${name} < 3; ${name}++) { let k = ${name}; log.push(() => k, ${value()}) }`,
        () =>
          declaring(
            variables,
            `for (var ${name} of [1, 2, ${value()}]) { if (${name} > 1) continue; log.push(${name}) }`,
          ),
        () =>
          old === "log"
            ? ";"
            : `${name}: { log.push(typeof ${old}, typeof ${name}z); if (${value()}) break ${name}; log.push({ ${old} }) }`,
        () => `switch (${value()}) { case 1: let k = 2; log.push(k); default: log.push(${value()}) }`,
        () => old === "log" ? ";" : `;[${old}, { x: log.x }] = [${value()}, { x: 1 }]; ${old} = await ${old}`,
        () => `log.push(\`\${${value()}} \${(() => ${value()})()}\`)`,
      ])(),
    );
  }
  return statements;
}

test("A prompt makes of a program what the engine makes of it, however it is cut into inputs", async () => {
  await using group = new Group();
  const gateway = await group.makeGateway("popen//execmodel=main", { stderr: "piped" });
  await forSeeds(Array.from({ length: 40 }, (_, i) => i + 1), async (random) => {
    const prompt = await Evaluator.start(gateway);
    const statements = randomProgram(random);
    const last = "JSON.stringify(log.map((one) => typeof one === 'function' ? one() : one))";
    const url = URL.createObjectURL(
      new Blob([["const log: any = [];", ...statements, `export default ${last}`].join("\n")], {
        type: "application/typescript",
      }),
    );
    const expected = (await import(url)).default;
    URL.revokeObjectURL(url);
    await prompt.evaluate("var log: any = []");
    for (let at = 0; at < statements.length;) {
      const to = at + random.between(1, 4);
      const input = statements.slice(at, to).join("\n");
      const shown = await prompt.evaluate(input);
      assert(!/^!|^\{"kind/.test(shown), `${shown} of\n${input}`);
      at = to;
    }
    assertEquals(
      await prompt.evaluate(`${last} === ${JSON.stringify(expected)}`),
      "true",
      statements.join("\n"),
    );
  });
}, LIMIT_MS);

/** Runs the command on a program. */
async function piped(
  spec: string,
  program: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "cli.ts", "repl", spec],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

test("execnet repl takes standard input for a program, up to its first error", async () => {
  const leaks = new LeakCheck();
  const [good, bad, unfinished, lost] = await Promise.all([
    piped(
      "popen",
      '#!/usr/bin/env execnet\nfunction f(x: number) {\n  return x + 1\n}\nlet a\nconsole.log("\\x1b]0;title\\x07")\nf(1)\n.nothing',
    ),
    piped("popen//execmodel=main", "1\nnull.x\n2\n"),
    piped("popen//execmodel=main", "3\n[1,\n2\n"),
    piped("popen//execmodel=main", ".status\nPromise.reject(new Error('lost'))"),
  ]);
  assertEquals(good, {
    code: 1,
    stdout: "\\x1b]0;title\\x07\n2\n",
    stderr: "There is no .nothing; .help tells what there is\n",
  });
  assertEquals([bad.code, bad.stdout], [1, "1\n"]);
  assertMatch(
    bad.stderr,
    /^Uncaught TypeError: Cannot read properties of null \(reading 'x'\)\n {4}at <input 2>:1:\d+\n$/,
  );
  assertEquals([unfinished.code, unfinished.stdout], [1, "3\n"]);
  assertEquals([lost.code, /^numExecuting +1\n[^]*\nPromise \{\n/.test(lost.stdout)], [1, true]);
  assertMatch(lost.stderr, /^Uncaught, and nobody waits for it: Error: lost\n {4}at <input 1>:1:16\n$/);
  assertMatch(unfinished.stderr, /^Uncaught SyntaxError: .*\n {4}at <input 2>:\d:\d+\n$/);
  await leaks.done();
});

const PTY = part("terminal", () => lacking("script", "stty", "sh"));

/** The command at a terminal of its own, which `script` makes. */
class Typist implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #tap: TextTap;
  #at = 0;

  constructor(spec: string, history: string) {
    const words = [Deno.execPath(), "run", "--quiet", "-A", "cli.ts", "repl", spec];
    const line = `stty cols 100 rows 30; exec ${words.map((word) => `'${word}'`).join(" ")}`;
    this.#child = new Deno.Command("script", {
      args: ["--quiet", "--return", "--command", line, "/dev/null"],
      cwd: ROOT,
      env: { EXECNET_HISTORY: history, TERM: "xterm", SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#tap = new TextTap(this.#child.stdout);
  }

  async type(text: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(text));
  }

  /** Waits for text behind all that was waited for, colours left out. */
  async sees(part: string): Promise<void> {
    await until(`${JSON.stringify(part)} behind ${JSON.stringify(this.#text.slice(this.#at))}`, () => {
      const at = this.#text.indexOf(part, this.#at);
      if (at >= 0) this.#at = at + part.length;
      return at >= 0;
    }, LIMIT_MS / 3).catch(() => {
      throw new Error(`${JSON.stringify(part)} was not shown: ${JSON.stringify(this.#text.slice(this.#at))}`);
    });
  }

  /** Types a line and waits for what is shown, and for the next prompt. */
  async line(text: string, shown: string): Promise<void> {
    await this.type(`${text}\r`);
    await this.sees(shown);
    await this.sees("> ");
  }

  /** What was shown at any time. */
  shown(pattern: RegExp): string {
    return this.#text.match(pattern)![1]!;
  }

  /** The exit code. */
  async ended(): Promise<number> {
    return (await this.#child.status).code;
  }

  get #text(): string {
    // deno-lint-ignore no-control-regex -- colours and the movements of the cursor
    return this.#tap.text.replace(/\x1b\[[\d;]*[A-Za-z]/g, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keys.close().catch(() => {});
    await this.#child.status;
    await this.#tap.ended;
  }
}

for (
  const [execmodel, ended] of [["worker", "its gateway was ended"], ["process", "its process was ended"]]
) {
  testWith(
    PTY,
    `execnet repl at a terminal edits, interrupts and leaves, with execmodel=${execmodel}`,
    async () => {
      await withFolder(async (folder) => {
        const history = `${folder}/history`;
        await Deno.writeTextFile(history, "40 + 2\n");
        await using typist = new Typist(`popen//execmodel=${execmodel}`, history);
        await typist.sees("may do nothing");
        await typist.sees("> ");
        await typist.type("\x1b[A");
        await typist.sees("40 + 2");
        await typist.line("", "42");
        await typist.type("const greeting = {\r");
        await typist.sees("... ");
        await typist.line("hello: 'wörld' }", "undefined");
        await typist.type("greeting.he\t");
        await typist.sees("greeting.hello");
        await typist.line("", '"wörld"');
        await typist.type("nothing +\r");
        await typist.sees("... ");
        await typist.type("of this\x03");
        await typist.sees("^C");
        await typist.sees("> ");
        await typist.type("console.log('waits'); await new Promise(() => {})\r");
        await typist.sees("\nwaits");
        await typist.type("\x03");
        await typist.sees("Stopped waiting");
        await typist.line("greeting.hello", '"wörld"');
        // What is typed while it evaluates is what stands behind the next prompt.
        await typist.type("console.log('typed'); await new Promise((r) => setTimeout(r, 300))\r");
        await typist.sees("\ntyped");
        await typist.type("100+");
        await typist.sees("> 100+");
        await typist.line("7", "107");
        // What cannot answer keeps nobody from typing, and can be ended.
        await typist.type("setTimeout(() => { console.log('loops'); while (true) {} }); 1\r");
        await typist.sees("loops\r");
        await typist.type("Math.");
        await typist.sees("Math.");
        await typist.type("\t");
        await typist.type("PI\r");
        await typist.type("\x03");
        await typist.sees(ended!);
        await typist.sees("> ");
        await typist.line("typeof greeting", '"undefined"');
        await typist.type("\x04");
        assertEquals(await typist.ended(), 0);
        const kept = (await Deno.readTextFile(history)).split("\n");
        assertEquals(kept.slice(0, 4), [
          "40 + 2",
          "const greeting = {",
          "hello: 'wörld' }",
          "greeting.hello",
        ]);
      });
    },
  );
}

testWith(PTY, "execnet repl at a terminal ends when its connection does", async () => {
  await using typist = new Typist("popen", "");
  await typist.sees("> ");
  await typist.line("`pid=${Deno.pid}`", '"pid=');
  Deno.kill(Number(typist.shown(/"pid=(\d+)"/)), "SIGKILL");
  await typist.sees("execnet: The connection has ended: ");
  assertEquals(await typist.ended(), EXIT.unreachable);
});
