/** Items as lines of JSON, and the ways in and out. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { factLines } from "../../cli/facts.ts";
import { Failure } from "../../cli/failure.ts";
import { ignoredSignals } from "../../cli/ignored.ts";
import { itemsOf } from "../../cli/input.ts";
import { fromJson, json } from "../../cli/json.ts";
import { linesOf } from "../../cli/lines.ts";
import { ItemWriter } from "../../cli/output.ts";
import { oneLine, plain } from "../../cli/plain.ts";
import { linesAsTheyAre } from "../../cli/printed.ts";
import { statusLines } from "../../cli/status.ts";
import { styleFor } from "../../cli/style.ts";
import type { RemoteStatus } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";

test("json() has a form for every item, which fromJson() reads back", () => {
  const forms: [unknown, string][] = [
    [undefined, '{"$undefined":true}'],
    [[NaN, -0, Infinity], '[{"$number":"NaN"},{"$number":"-0"},{"$number":"Infinity"}]'],
    [-(2n ** 70n), '{"$bigint":"-1180591620717411303424"}'],
    [new Date(0), '{"$date":"1970-01-01T00:00:00.000Z"}'],
    [new Uint8Array([0, 255]), '{"$bytes":"AP8="}'],
    [new Uint16Array([258]), '{"$Uint16Array":"AgE="}'],
    [new DataView(new ArrayBuffer(1)), '{"$DataView":"AA=="}'],
    [new ArrayBuffer(2), '{"$ArrayBuffer":"AAA="}'],
    [new Map<unknown, unknown>([[1n, new Set(["x"])]]), '{"$map":[[{"$bigint":"1"},{"$set":["x"]}]]}'],
    [/a\/"b"/gi, '{"$regexp":["a\\\\/\\"b\\"","gi"]}'],
    [new URL("https://a.b/c"), '{"$url":"https://a.b/c"}'],
    [{ $date: 1 }, '{"$object":{"$date":1}}'],
    [{ $object: { $bigint: "1" } }, '{"$object":{"$object":{"$object":{"$bigint":"1"}}}}'],
    [{ $a: 1, b: [null, true, "x\n\u009b"] }, '{"$a":1,"b":[null,true,"x\\n\\u009b"]}'],
    [JSON.parse('{"__proto__":{"x":[]}}'), '{"__proto__":{"x":[]}}'],
  ];
  for (const [item, text] of forms) {
    assertEquals(json(item), text);
    assertEquals(fromJson(text), item);
    assertEquals(json(fromJson(text)), text);
  }
  const holes = Array(2);
  holes[1] = 1;
  assertEquals(json(holes), '[{"$undefined":true},1]');
  assertEquals(json(new Date(NaN)), '{"$date":null}');
  assert(Number.isNaN((fromJson('{"$date":null}') as Date).getTime()));
  const error = fromJson(json(new RangeError("far", { cause: new Error("first") }))) as Error;
  assertEquals([error.name, error.message, (error.cause as Error).message], ["RangeError", "far", "first"]);
  assertEquals(Object.getPrototypeOf(fromJson('{"__proto__":{"x":1}}')), Object.prototype);
});

test("fromJson() refuses what only looks like a form", () => {
  for (
    const text of [
      '{"$nothing":1}',
      '{"$bigint":"x"}',
      '{"$number":"12"}',
      '{"$bytes":"?"}',
      '{"$map":[1]}',
      '{"$url":"x"}',
      '{"$object":[]}',
      '{"$constructor":"AA=="}',
      "{",
    ]
  ) assertThrows(() => fromJson(text), SyntaxError, undefined, text);
});

function streamOf(...parts: (string | Uint8Array<ArrayBuffer>)[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    parts.map((part) => typeof part === "string" ? new TextEncoder().encode(part) : part),
  );
}

test("linesOf() gives the same lines however the bytes are cut", async () => {
  const bytes = new TextEncoder().encode("a\r\n\nöü\n\ufefflast");
  const lines = ["a", "", "öü", "\ufefflast"];
  for (let cut = 0; cut <= bytes.length; cut++) {
    const parts = streamOf(bytes.slice(0, cut), bytes.slice(cut));
    assertEquals(await Array.fromAsync(linesOf(parts)), lines, `cut at ${cut}`);
  }
  assertEquals(
    await Array.fromAsync(linesOf(streamOf(...Array.from(bytes, (byte) => new Uint8Array([byte]))))),
    lines,
  );
  assertEquals(await Array.fromAsync(linesOf(streamOf("x\n"))), ["x"]);
  const binary = await assertRejects(
    () => Array.fromAsync(linesOf(streamOf("good\n", new Uint8Array([0xff, 10])))),
    Failure,
  ) as Failure;
  assertMatch(binary.message, /line 2 .* UTF-8/);
  assertMatch(binary.advice, /--in bytes/);
  assertEquals(await Array.fromAsync(linesAsTheyAre(streamOf(new Uint8Array([0xff]), "\nb\nc"))), [
    "\ufffd",
    "b",
    "c",
  ]);
});

test("itemsOf() reads every form, and names the line that it cannot read", async () => {
  assertEquals(await Array.fromAsync(itemsOf("json", streamOf('1\n\n{"$bigint":"2"}'))), [1, 2n]);
  assertEquals(await Array.fromAsync(itemsOf("bytes", streamOf("a\n"))), [new Uint8Array([97, 10])]);
  assertEquals(await Array.fromAsync(itemsOf("none", streamOf("a\n"))), []);
  await assertRejects(
    () => Array.fromAsync(itemsOf("json", streamOf("1\nx"))),
    Failure,
    "line 2 of standard input",
  );
});

test("ItemWriter gathers what comes while it writes, waits when that is much, and passes errors on", async () => {
  const written: string[] = [];
  let release = (): void => {};
  const sink = {
    write(text: string): Promise<void> {
      written.push(text);
      return new Promise((resolve) => release = resolve);
    },
    writeBytes: (bytes: Uint8Array): Promise<void> => Promise.resolve(void written.push(String(bytes))),
  };
  const writer = new ItemWriter("text", sink);
  await Promise.all([writer.put("a"), writer.put(1)]);
  assertEquals(written, ["a\n1\n"]);
  await writer.put("b");
  let room = false;
  const big = writer.put("x".repeat(100_000)).then(() => room = true);
  await Promise.resolve();
  assertEquals([written.length, room], [1, false]);
  release();
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(written.length, 2);
  release();
  await big;

  const bytes = new ItemWriter("bytes", {
    ...sink,
    write: (text) => Promise.resolve(void written.push(text)),
  });
  await bytes.put(new Uint16Array([1]));
  await bytes.put("t");
  assertEquals(written.slice(2), ["1,0", "t"]);
  await assertRejects(() => bytes.put({}), Failure, "{}");

  const broken = new ItemWriter("json", {
    ...sink,
    write: () => Promise.reject(new Deno.errors.BrokenPipe("gone")),
  });
  await broken.put(1);
  await assertRejects(() => broken.done(), Deno.errors.BrokenPipe);
  await assertRejects(() => broken.put(2), Deno.errors.BrokenPipe);
});

test("only a channel is told of as one", () => {
  assertEquals(json({ waitClose: 1, id: 2 }), '{"waitClose":1,"id":2}');
});

test("ignoredSignals() reads the mask that Linux tells", () => {
  const status = (mask: string): string =>
    `SigBlk:\t0000000000000000\nSigIgn:\t${mask}\nSigCgt:\tffffffffffffffff\n`;
  assertEquals([...ignoredSignals(status("8000000000005001"))], [1, 13, 15, 64]);
  assertEquals([ignoredSignals(status("0000000000000000")).size, ignoredSignals("").size], [0, 0]);
});

test("facts and states from elsewhere are lines that steer no terminal, as wide as it is", () => {
  const evil = "/a\x1b[2J\n\u202eb";
  assertEquals(factLines({ cwd: evil, [evil]: ["x\x07"], not: undefined }, styleFor(false)), [
    "cwd         /a\ufffd[2J; \ufffdb",
    "/a\ufffd[2J; \ufffdb  x\ufffd",
  ]);
  const state = {
    ...{
      numExecuting: evil,
      numQueued: 0,
      numRunaway: 0,
      numChannels: 17,
      execmodel: evil,
      rss: 1,
      uptime: 1,
    },
    channels: Array.from(
      { length: 17 },
      () => ({ id: evil, state: evil, sendCredit: 1, waiting: 2, unread: 3 }),
    ),
  } as unknown as RemoteStatus;
  for (const columns of [5, 12, 13, 30, 79, Infinity]) {
    const lines = statusLines(state, undefined, styleFor(false), columns);
    assertEquals(lines.length, 21);
    for (const line of lines) {
      assert(line.length <= columns, `${columns}: ${line}`);
      assertEquals(plain(line), line);
      assert(!line.includes("\n"));
    }
  }
});

test("plain() takes what steers a terminal out of text", () => {
  assertEquals(
    plain("\x1b[31mred\x1b[0m\n\ttab\x07\x1b]0;title\x9b"),
    "red\n\ttab\ufffd\ufffd]0;title\ufffd",
  );
  assertEquals(plain("a\u202eb\u2066c\u2029d\u200fe 日本"), "a\ufffdb\ufffdc\ufffdd\ufffde 日本");
  assertEquals(oneLine(" a\n  b\r\nc\n"), "a; b; c");
});
