import { assert, assertEquals, assertFalse, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { dumps } from "../../channel/codec.ts";
import { errorData, readErrorData, RemoteError } from "../../channel/remote_error.ts";
import type { ErrorData } from "../../channel/remote_error.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";

test("errorData() keeps name, message, stack, cause and plain fields", () => {
  const error = Object.assign(new RangeError("too much", { cause: new TypeError("inner") }), {
    code: "E1",
    count: 3,
    big: 4n,
    on: true,
    nothing: null,
    list: [1, { a: 2 }],
  });
  const data = errorData(error);
  assertEquals([data.name, data.message], ["RangeError", "too much"]);
  assertStringIncludes(data.stack!, "RangeError: too much");
  assertEquals([data.cause?.name, data.cause?.message], ["TypeError", "inner"]);
  assertEquals(data.fields, { code: "E1", count: 3, big: 4n, on: true, nothing: null, list: [1, { a: 2 }] });
});

test("errorData() rewrites the stack", () => {
  const data = errorData(new Error("x"), () => "mapped");
  assertEquals(data.stack, "mapped");
});

test("errorData() describes what is no error", () => {
  for (
    const [thrown, message] of [
      ["text", "text"],
      [undefined, "undefined"],
      [null, "null"],
      [42, "42"],
      [5n, "5"],
      [Symbol("s"), "Symbol(s)"],
      [{ a: 1 }, '{"a":1}'],
    ] as const
  ) assertEquals(errorData(thrown), { name: "Error", message });
});

test("errorData() takes a DOMException for the error it is", () => {
  const data = errorData(new DOMException("stopped", "AbortError"));
  assertEquals([data.name, data.message], ["AbortError", "stopped"]);
});

test("errorData() never throws and is always sendable", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const selfCaused = new Error("loop");
  selfCaused.cause = selfCaused;
  const trap = new Proxy(new Error("x"), {
    get(): never {
      throw new Error("trap");
    },
  });
  const hostile: unknown[] = [
    cyclic,
    selfCaused,
    trap,
    Object.assign(new Error("x"), {
      cyclic,
      fn: Array.from,
      symbol: Symbol("a"),
      date: new Date(),
      map: new Map(),
    }),
    Object.defineProperty(new Error("x"), "bad", {
      enumerable: true,
      get(): never {
        throw new Error("getter");
      },
    }),
    Object.assign(new Error("x"), { name: Symbol("n") }),
    Object.assign(new Error("x"), { name: { toString: () => 1 / 0 } }),
    Object.assign(new Error("x"), { message: 5 }),
    Object.assign(new Error("x"), Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]))),
    Object.assign(new Error("y".repeat(1e6)), { long: "z".repeat(1e6) }),
    Object.assign(new Error("x"), { toJSON: 5, big: { n: 1n } }),
    new Proxy({}, {
      ownKeys(): never {
        throw new Error("trap");
      },
    }),
    Object.create(null),
    () => {},
  ];
  for (const thrown of hostile) {
    const data = errorData(thrown, (stack) => stack);
    assertEquals([typeof data.name, typeof data.message], ["string", "string"]);
    assert(dumps(data).length < 1024 * 1024);
  }
});

test("errorData() survives a mapStack that throws", () => {
  const data = errorData(new Error("x"), () => {
    throw new Error("bad map");
  });
  assertEquals(typeof data.message, "string");
});

test("errorData() cuts what is long and ends chains of causes", () => {
  assert(errorData(new Error("y".repeat(100_000))).message.length < 10_000);
  let error = new Error("0");
  for (let i = 1; i < 50; i++) error = new Error(String(i), { cause: error });
  let depth = 0;
  for (let data: ErrorData | undefined = errorData(error); data !== undefined; data = data.cause) depth++;
  assert(depth <= 10, `${depth} causes`);
});

test("readErrorData() gives back what errorData() made", () => {
  const data = errorData(Object.assign(new TypeError("x", { cause: "why" }), { code: 1 }));
  assertEquals(readErrorData(data), data);
});

test("readErrorData() leaves out what does not fit", () => {
  assertEquals(readErrorData(null), { name: "Error", message: "" });
  assertEquals(readErrorData("x"), { name: "Error", message: "x" });
  assertEquals(readErrorData(1n << 70n), { name: "Error", message: "a bigint" });
  assertEquals(readErrorData(7), { name: "Error", message: "7" });
  assertEquals(readErrorData([]), { name: "Error", message: "" });
  assertEquals(readErrorData({ name: 1, message: [], stack: {}, fields: 5 }), { name: "Error", message: "" });
});

test("readErrorData() cannot be led into a deep recursion or a prototype", () => {
  let deep: unknown = "end";
  for (let i = 0; i < 10_000; i++) deep = { name: "E", message: "m", cause: deep };
  const data = readErrorData(deep);
  let depth = 0;
  for (let at: ErrorData | undefined = data; at !== undefined; at = at.cause) depth++;
  assert(depth <= 10);
  const fields = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}');
  const read = readErrorData({ name: "E", message: "", fields });
  assertFalse("polluted" in ({} as Record<string, unknown>));
  assertEquals(Object.getPrototypeOf(read.fields), Object.prototype);
});

test("readErrorData() never throws, whatever it gets", async () => {
  await forSeeds(seeds(3), (random) => {
    const value = (depth: number): unknown => {
      switch (random.below(depth > 3 ? 5 : 8)) {
        case 0:
          return random.below(100);
        case 1:
          return "text";
        case 2:
          return null;
        case 3:
          return undefined;
        case 4:
          return 1n;
        case 5:
          return [value(depth + 1)];
        case 6:
          return new Map([[value(depth + 1), 1]]);
        default: {
          const keys = ["name", "message", "stack", "cause", "fields", "other"];
          return Object.fromEntries(
            keys.filter(() => random.chance(0.5)).map((key) => [key, value(depth + 1)]),
          );
        }
      }
    };
    for (let i = 0; i < 2_000; i++) void new RemoteError(readErrorData(value(0)), "gw").formatted;
  });
});

test("RemoteError shows the remote error and its own name", () => {
  const error = new RemoteError(
    {
      name: "TypeError",
      message: "no",
      stack: "TypeError: no\n    at <remote exec>:3:1",
      cause: { name: "RangeError", message: "deep" },
      fields: { code: 7 },
    },
    "gw7",
  );
  assertEquals(error.name, "RemoteError");
  assertFalse(Object.hasOwn(error, "name"));
  assertEquals(error.message, "TypeError: no");
  assertEquals([error.remoteName, error.remoteMessage, error.gatewayId], ["TypeError", "no", "gw7"]);
  assertEquals(error.fields, { code: 7 });
  assert(error.cause instanceof RemoteError);
  assertEquals((error.cause as RemoteError).remoteMessage, "deep");
  assertEquals(
    error.formatted,
    'Remote error on gateway "gw7":\nTypeError: no\n    at <remote exec>:3:1\n' +
      'Caused by: Remote error on gateway "gw7":\nRangeError: deep',
  );
});

test("RemoteError has no fields and no stack where none came", () => {
  const error = new RemoteError({ name: "Error", message: "m" }, "gw");
  assertEquals(error.fields, {});
  assertEquals(error.remoteStack, undefined);
  assertEquals(error.cause, undefined);
});
