/** Errors of remote code: what reaches the caller, with which lines. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type Gateway, RemoteError } from "../../mod.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

async function failure(gateway: Gateway, source: string): Promise<RemoteError> {
  return await assertRejects(() => gateway.remoteExec(source).waitClose(), RemoteError) as RemoteError;
}

/** The place of the first line of a stack that is in the code that was sent. */
function place(error: RemoteError): string | undefined {
  return error.remoteStack?.match(/<remote exec>:\d+/)?.[0];
}

forEachKindShared("an exception of plain code shows its name, message and line", async ({ open }) => {
  const gateway = await open();
  const error = await failure(gateway, `\n\nthrow new RangeError("why");\n`);
  assertEquals([error.remoteName, error.remoteMessage], ["RangeError", "why"]);
  assertEquals(error.gatewayId, gateway.id);
  assertEquals(error.name, "RemoteError");
  assertEquals(place(error), "<remote exec>:3");
  assertMatch(error.formatted, /RangeError: why\n.*<remote exec>:3/);
});

forEachKindShared("an exception on the first line shows that line and its column", async ({ open }) => {
  const gateway = await open();
  for (const prefix of ["", "const typed: null = null; "]) {
    const error = await failure(gateway, `${prefix}throw new RangeError("why");`);
    assertMatch(error.remoteStack!, new RegExp(`<remote exec>:1:${prefix.length + 7}\\b`));
  }
});

forEachKindShared("an exception of TypeScript shows its line", async ({ open }) => {
  const error = await failure(
    await open(),
    `
    interface Unused {
      field: string;
    }
    const value: Unused = { field: "x" };
    throw new RangeError(value.field);
  `,
  );
  assertEquals(place(error), "<remote exec>:6");
});

forEachKind("an exception of code with imports shows its line", async ({ open }) => {
  const gateway = await open();
  const lines = [`import { basename } from "node:path";`, "", "", `throw new RangeError(basename("/a/b"));`];
  assertEquals(place(await failure(gateway, lines.join("\n"))), "<remote exec>:4");
  lines.splice(1, 0, `type Unused = { a: number };`, `import * as os from "node:os";`);
  assertEquals(place(await failure(gateway, lines.join("\n"))), "<remote exec>:6");
});

forEachKindShared("an exception shows the functions that it came through", async ({ open }) => {
  const gateway = await open();
  for (const type of ["", ": number"]) {
    const error = await failure(
      gateway,
      `
      function inner(depth${type}) {
        if (depth === 0) throw new RangeError("deep");
        inner(depth - 1);
      }
      async function outer() {
        await null;
        inner(1);
      }
      await outer();
    `,
    );
    const lines = [...error.remoteStack!.matchAll(/(\w+) \(<remote exec>:(\d+)/g)].map(([, name, line]) =>
      `${name} ${line}`
    );
    assertEquals(lines.slice(0, 3), ["inner 3", "inner 4", "outer 8"]);
    assertMatch(error.remoteStack!, /<remote exec>:10/);
  }
});

forEachKindShared("an exception's stack has no lines of the agent", async ({ open }) => {
  const gateway = await open();
  for (
    const source of [`throw new Error("why")`, `const a: null = null; throw new Error("why")`, `nowhere.x`]
  ) {
    const { remoteStack } = await failure(gateway, source);
    assert(!/execnet|blob:|eval|ext:/.test(remoteStack!), remoteStack);
  }
});

forEachKindShared("an exception of something that does not exist names it", async ({ open }) => {
  const error = await failure(await open(), `\nfoobar.call();`);
  assertEquals(error.remoteName, "ReferenceError");
  assertMatch(error.remoteMessage, /foobar/);
  assertEquals(place(error), "<remote exec>:2");
});

forEachKindShared("a syntax error of plain code shows its line", async ({ open }) => {
  const error = await failure(await open(), `const a = 1;\nconst b = 2;\nconst = 3;\n`);
  assertEquals(error.remoteName, "SyntaxError");
  assertEquals(place(error), "<remote exec>:3");
});

forEachKindShared("a syntax error of TypeScript shows its line", async ({ open }) => {
  const error = await failure(await open(), `const a: number = 1;\n\nfunction (: string {\n`);
  assertEquals(error.remoteName, "SyntaxError");
  assertEquals(place(error), "<remote exec>:3");
});

forEachKindShared("a syntax error of code with imports shows its line", async ({ open }) => {
  const error = await failure(await open(), `import { basename } from "node:path";\n\n\nbasename(;\n`);
  assertEquals(error.remoteName, "SyntaxError");
  assertEquals(place(error), "<remote exec>:4");
});

forEachKindShared("a syntax error on the first line shows its column", async ({ open }) => {
  const error = await failure(await open(), `const a: number = ;`);
  assertEquals(error.remoteName, "SyntaxError");
  assertMatch(error.remoteStack!, /<remote exec>:1:19\b/);
});

forEachKindShared("an unfinished block is a syntax error", async ({ open }) => {
  const gateway = await open();
  for (const source of ["{", "}", "if (true) {", "`no end", "})()", "async () => {"]) {
    assertEquals((await failure(gateway, source)).remoteName, "SyntaxError", source);
  }
});

forEachKindShared(
  "an import that is not allowed or not there is an error that names it",
  async ({ open }) => {
    const gateway = await open();
    const missing = await failure(gateway, `import { x } from "file:///nowhere/x.ts"; x();`);
    assertMatch(missing.formatted, /nowhere\/x\.ts/);
    const named = await failure(gateway, `import { nothing } from "node:path"; nothing();`);
    assertMatch(named.formatted, /nothing/);
  },
);

forEachKindShared("anything that is thrown arrives as an error", async ({ open }) => {
  const gateway = await open();
  const cases: [string, string][] = [
    [`"text"`, "text"],
    ["null", "null"],
    ["undefined", "undefined"],
    ["42", "42"],
    ["10n", "10"],
    ["Symbol('s')", "Symbol(s)"],
    [`{ code: 1 }`, `{"code":1}`],
  ];
  for (const [thrown, message] of cases) {
    const error = await failure(gateway, `throw ${thrown}`);
    assertEquals([error.remoteName, error.remoteMessage], ["Error", message]);
  }
  const hostile = await failure(
    gateway,
    `throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })`,
  );
  assertEquals(hostile.remoteName, "Error");
});

forEachKindShared("an error's cause and plain fields travel with it", async ({ open }) => {
  const error = await failure(
    await open(),
    `
    class Odd extends Error { name = "Odd"; }
    const cause = new TypeError("far", { cause: new Error("farther") });
    throw Object.assign(new Odd("near", { cause }), { code: "E_ODD", count: 3, list: [1], fn() {}, self: globalThis });
  `,
  );
  assertEquals([error.remoteName, error.remoteMessage], ["Odd", "near"]);
  assertEquals([error.fields.code, error.fields.count, error.fields.list], ["E_ODD", 3, [1]]);
  assertEquals(error.fields.fn, undefined);
  const cause = error.cause as RemoteError;
  assertEquals([cause.remoteName, cause.remoteMessage], ["TypeError", "far"]);
  assertEquals((cause.cause as RemoteError).remoteMessage, "farther");
  assertMatch(error.formatted, /near[^]*Caused by[^]*far[^]*Caused by[^]*farther/);
});

forEachKindShared("an error that causes itself, or a huge one, arrives cut", async ({ open }) => {
  const gateway = await open();
  const circular = await failure(gateway, `const e = new Error("round"); e.cause = e; throw e`);
  assertEquals(circular.remoteMessage, "round");
  const huge = await failure(
    gateway,
    `const e = new Error("m".repeat(5e6)); e.stack = "s".repeat(5e6); e.field = "f".repeat(5e6); throw e`,
  );
  assert(huge.remoteMessage.startsWith("mmmm"));
  assertEquals(await gateway.remoteExec("channel.send(1)").receive(), 1);
});

forEachKindShared("an error leaves other executions and the gateway alone", async ({ open }) => {
  const gateway = await open();
  const other = gateway.remoteExec(`for await (const item of channel) channel.send(item)`);
  await failure(gateway, `throw new Error("why")`);
  await failure(gateway, `syntax error`);
  await other.send(1);
  assertEquals(await other.receive(), 1);
  assertEquals(await gateway.remoteExec("channel.send(2)").receive(), 2);
});

forEachKindShared("an item that remote code cannot send is an error that says so", async ({ open }) => {
  const error = await failure(await open(), `await channel.send({ report: [0, { owner: () => {} }] })`);
  assertEquals(error.remoteName, "DumpError");
  assertMatch(error.remoteMessage, /\$\.report\[1\]\.owner/);
});

forEachKindShared("an EOFError of another channel is an error of the execution", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`const other = await channel.receive(); await other.receive()`);
  const other = gateway.newChannel();
  await channel.send(other);
  await other.close();
  const error = await assertRejects(() => channel.waitClose(), RemoteError) as RemoteError;
  assertEquals(error.remoteName, "EOFError");
});
