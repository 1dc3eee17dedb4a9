/** What cannot be sent: which value is named, by what path, for what reason; and that the encoder works after it. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { dumps, loads, MAX_DEPTH } from "../../channel/codec.ts";
import { Encoder } from "../../channel/encode.ts";
import { DataFormatError, DumpError, LoadError } from "../../channel/errors.ts";
import { assertSame } from "../helpers/same_value.ts";

const roundTrip = <T>(value: T): T => loads(dumps(value)) as T;

function assertRefused(
  value: unknown,
  path: string,
  why: string,
  encode: (value: unknown) => unknown = dumps,
): DumpError {
  const error = assertThrows(() => encode(value), DumpError);
  assertEquals(error.path, path);
  assertEquals(error.message, `Cannot send ${path}: ${why}`);
  assert(error instanceof DataFormatError);
  return error;
}

const nest = (depth: number, inner: unknown): unknown => {
  for (let i = 0; i < depth; i++) inner = [inner];
  return inner;
};

Deno.test("dumps() names what cannot be sent, and where", () => {
  class Owner {}
  assertRefused(() => 1, "$", "it is a function");
  assertRefused({ report: [0, 1, 2, { owner: () => 1 }] }, "$.report[3].owner", "it is a function");
  assertRefused({ "we ird": Symbol("s") }, '$["we ird"]', "it is a symbol");
  assertRefused({ "1": { 'a"b': Symbol.iterator } }, '$["1"]["a\\"b"]', "it is a symbol");
  assertRefused({ größe_$1: new Owner() }, "$.größe_$1", "it is an instance of Owner");
  assertRefused([new Set([1, Owner])], "$[0][1]", "it is a function");
  assertRefused(
    new Map([["k", new Map([[3, new Owner()]])]]),
    '$.get("k").get(3)',
    "it is an instance of Owner",
  );
  assertRefused(
    new Map<unknown, unknown>([[1, 1], [{}, new Owner()]]),
    "$.values()[1]",
    "it is an instance of Owner",
  );
  assertRefused(new Map<unknown, unknown>([[1, 1], [[Owner], 1]]), "$.keys()[1][0]", "it is a function");
  assertRefused({ a: new (class {})() }, "$.a", "it is an instance of a class");
});

Deno.test("dumps() refuses instances of other classes, boxed, weak and subclassed values", () => {
  const values = [
    new Number(1),
    new String("s"),
    Object(1n),
    Object(Symbol()),
    new WeakMap(),
    new WeakSet(),
    new WeakRef({}),
  ];
  const more = [
    Promise.resolve(),
    new (class M extends Map {})(),
    new (class S extends Set {})(),
    new AbortController(),
  ];
  const last = [
    new (class F extends Float32Array {})(1),
    new SharedArrayBuffer(1),
    new (class A extends Array {})(),
  ];
  for (const value of [...values, ...more, ...last]) {
    assertRefused([value], "$[0]", `it is an instance of ${value.constructor.name}`);
  }
  for (const type of [Map, Set, Date, RegExp, URL, ArrayBuffer, DataView, Float64Array, Array]) {
    assertEquals(assertThrows(() => dumps({ a: Object.create(type.prototype) }), DumpError).path, "$.a");
  }
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  assertEquals(assertThrows(() => dumps({ a: [proxy] }), DumpError).path, "$.a[0]");
  const detached = new Uint8Array(8);
  structuredClone(detached, { transfer: [detached.buffer] });
  for (const value of [detached, detached.buffer]) {
    assertEquals(assertThrows(() => dumps({ a: value }), DumpError).path, "$.a");
  }
});

Deno.test("dumps() refuses a cycle, by the place where it closes", () => {
  const cycle = { a: [{ b: {} as unknown }] };
  cycle.a[0]!.b = cycle;
  assertRefused(cycle, "$.a[0].b", "it is in a cycle, being inside of itself");
  const map = new Map<string, unknown>();
  map.set("m", new Set([map]));
  assertRefused([map], '$[0].get("m")[0]', "it is in a cycle, being inside of itself");
});

Deno.test("dumps() and loads() take containers as deep as MAX_DEPTH and no deeper", () => {
  const wraps: ((inner: unknown) => unknown)[] = [
    (inner) => [inner],
    (inner) => ({ a: inner }),
    (inner) => new Map([["a", inner]]),
    (inner) => new Set([inner]),
  ];
  for (const wrap of wraps) {
    let value: unknown = "scalar";
    for (let i = 0; i < MAX_DEPTH; i++) value = wrap(value);
    assertSame(roundTrip(value), value);
    const error = assertThrows(() => dumps(wrap(value)), DumpError);
    assert(error.message.endsWith(`: it is nested deeper than ${MAX_DEPTH} containers`), error.message);
  }
  const deep = new Error("deepest");
  assertSame(roundTrip(nest(MAX_DEPTH - 1, deep)), nest(MAX_DEPTH - 1, deep));
  assertThrows(() => dumps(nest(MAX_DEPTH, deep)), DumpError);
  assertThrows(() => loads(new Uint8Array(MAX_DEPTH + 1).fill(0x91)), LoadError, "deeper than 512");
});

Deno.test("encode() keeps what a getter throws as the cause, and works after it", () => {
  const encoder = new Encoder();
  const cause = new RangeError("boom");
  const value = {
    list: [{
      get bad(): never {
        throw cause;
      },
    }],
  };
  for (let i = 0; i < 3; i++) {
    const error = assertRefused(value, "$.list[0].bad", "boom", (value) => encoder.encode(value));
    assertStrictEquals(error.cause, cause);
    assertEquals(encoder.encode([1]), new Uint8Array([0x91, 1]));
  }
  let thrown = false;
  const once = {
    get bad(): number {
      if (thrown) return 1;
      thrown = true;
      throw cause;
    },
  };
  assertStrictEquals(assertRefused(once, "$", "boom").cause, cause);
});

Deno.test("encode() refuses a Map that changes while it is read", () => {
  const map = new Map<string, unknown>();
  map.set("a", {
    get x(): number {
      map.set("b" + map.size, 1);
      return 1;
    },
  });
  assertThrows(() => dumps(map), DumpError, "it changed while it was read");
});

Deno.test("encode() gives the hook's reason with the path", () => {
  class Channel {}
  const cause = new Error('channel 3 belongs to gateway "gw1"');
  const encoder = new Encoder({
    channel: (value) => {
      if (value instanceof Channel) throw cause;
      return undefined;
    },
  });
  const error = assertRefused(
    { a: [new Channel()] },
    "$.a[0]",
    cause.message,
    (value) => encoder.encode(value),
  );
  assertStrictEquals(error.cause, cause);
});

Deno.test("encode() refuses a Channel without a hook that knows it", () => {
  class Channel {
    constructor(readonly id: number) {}
  }
  const encoder = new Encoder({ channel: (value) => value instanceof Channel ? value.id : undefined });
  assertRefused(
    [new Date(), new (class Odd {})()],
    "$[1]",
    "it is an instance of Odd",
    (value) => encoder.encode(value),
  );
  assertRefused({ ch: new Channel(1) }, "$.ch", "it is an instance of Channel");
});
