import { assert, assertEquals, assertStrictEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { dumps, loads } from "../../channel/codec.ts";
import { checkCoercion, coerce } from "../../channel/coerce.ts";
import type { CoercionOptions } from "../../channel/coerce.ts";
import type { Item } from "../../channel/item.ts";
import { test } from "../helpers/bounded.ts";
import { withPair } from "../helpers/sessions.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What a receiver gets. */
const received = (item: Item, options: CoercionOptions): unknown => coerce(loads(dumps(item)), options);

test("coerce() turns bytes that are UTF-8 into strings, a BOM included, and nothing else", () => {
  const options = { bytesAsString: true };
  assertEquals(received(bytes("é\u{1f600}"), options), "é\u{1f600}");
  assertEquals(received(bytes("\ufeffa"), options), "\ufeffa");
  assertEquals(received(bytes("\ufffd"), options), "\ufffd");
  assertEquals(received(new Uint8Array(0), options), "");
  for (const bad of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
    assertEquals(received(new Uint8Array(bad), options), new Uint8Array(bad));
  }
  for (const other of [new Uint8ClampedArray([65]), new Int8Array([65]), new DataView(new ArrayBuffer(1))]) {
    assertEquals(received(other, options), other);
  }
  assertEquals(received(new ArrayBuffer(1), options), new ArrayBuffer(1));
  assertEquals(received("a", options), "a");
});

test("coerce() turns well-formed strings into bytes, not the keys of objects", () => {
  const options = { stringAsBytes: true };
  assertEquals(received("é", options), bytes("é"));
  assertEquals(received("", options), new Uint8Array(0));
  assertEquals(received("\ud800", options), "\ud800");
  assertEquals(received({ a: "b" }, options), { a: bytes("b") });
  const error = received(new Error("why"), options) as Error;
  assertEquals(error.message, "why");
  assertEquals(String(received(/a/, options)), "/a/");
});

test("coerce() swaps bytes and strings when both are asked for", () => {
  const options = { bytesAsString: true, stringAsBytes: true };
  assertEquals(received([bytes("a"), "b"], options), ["a", bytes("b")]);
});

test("coerce() turns bigints into numbers where that is exact", () => {
  const options = { bigintAsNumber: true };
  const max = BigInt(Number.MAX_SAFE_INTEGER);
  assertEquals(received([0n, -1n, max, -max], options), [0, -1, Number(max), -Number(max)]);
  assertEquals(received([max + 1n, -max - 1n, 1n << 200n], options), [max + 1n, -max - 1n, 1n << 200n]);
});

test("coerce() turns Maps whose keys are all strings into objects", () => {
  const options = { mapsAsObjects: true };
  assertEquals(received(new Map([["a", 1], ["", 2]]), options), { a: 1, "": 2 });
  assertEquals(received(new Map(), options), {});
  const other = new Map<Item, Item>([["a", 1], [2, new Map([["b", 3]])]]);
  assertEquals(received(other, options), new Map<Item, Item>([["a", 1], [2, { b: 3 }]]));
  assertEquals(received(new Map([[bytes("a"), 1]]), options), new Map([[bytes("a"), 1]]));
});

test("coerce() makes __proto__ a key like any other", () => {
  for (const wrap of [(item: Item) => item, (item: Item) => new Map([["x", item]])]) {
    const item = wrap(new Map<string, Item>([["__proto__", new Map([["isAdmin", true]])]]));
    let object = received(item, { mapsAsObjects: true }) as Record<string, unknown>;
    if ("x" in object) object = object.x as Record<string, unknown>;
    assertStrictEquals(Object.getPrototypeOf(object), Object.prototype);
    assertEquals(Object.keys(object), ["__proto__"]);
    assertEquals(object.isAdmin, undefined);
  }
  const object = received(JSON.parse('{"__proto__": {"n": "x"}}'), { stringAsBytes: true }) as object;
  assertStrictEquals(Object.getPrototypeOf(object), Object.prototype);
  assertEquals(Object.getOwnPropertyDescriptor(object, "__proto__")!.value, { n: bytes("x") });
  assertEquals(({} as Record<string, unknown>).n, undefined);
});

test("coerce() keeps the keys of a Map that becomes an object strings, those too that were bytes", () => {
  const options = { mapsAsObjects: true, bytesAsString: true, stringAsBytes: true };
  assertEquals(received(new Map<Item, Item>([["a", "b"], [bytes("c"), bytes("d")]]), options), {
    a: bytes("b"),
    c: "d",
  });
  const invalid = new Map<Item, Item>([["a", 1], [new Uint8Array([0xff]), 2]]);
  assertEquals(
    received(invalid, { mapsAsObjects: true, bytesAsString: true }),
    new Map<Item, Item>([["a", 1], [new Uint8Array([0xff]), 2]]),
  );
});

test("coerce() reaches into arrays, objects, Maps and Sets, and keeps holes and order", () => {
  const options = { bytesAsString: true, bigintAsNumber: true };
  assertEquals(
    received([{ a: new Map<Item, Item>([[bytes("k"), new Set<Item>([bytes("e"), 1n])]]) }], options),
    [{ a: new Map([["k", new Set<unknown>(["e", 1])]]) }],
  );
  // deno-lint-ignore no-sparse-arrays
  const holes = received([, 1n, , bytes("x")] as Item, options) as unknown[];
  assertEquals(Object.keys(holes), ["1", "3"]);
  assertEquals(holes.length, 4);
  assertEquals([...(received(new Map([[2n, 1], [1n, 2]]), options) as Map<unknown, unknown>).keys()], [2, 1]);
});

test("coerce() makes keys that become equal one, of which the last counts", () => {
  const options = { bytesAsString: true, mapsAsObjects: true };
  assertEquals(received(new Map<Item, Item>([["a", 1], [bytes("a"), 2]]), options), { a: 2 });
  assertEquals(received(new Set<Item>([1, 1n]), { bigintAsNumber: true }), new Set([1]));
});

test("coerce() takes what is as deep as an item can be, and far keys cost no room", () => {
  let deep: Item = 1n;
  for (let i = 0; i < 511; i++) deep = i % 2 ? [deep] : new Map([["k", deep]]);
  let value = received(deep, { mapsAsObjects: true, bigintAsNumber: true });
  while (typeof value === "object") value = Object.values(value as object)[0];
  assertEquals(value, 1);
  const far = received(new Map([["4294967290", 1], ["7", 2]]), { mapsAsObjects: true });
  assertEquals(far, { 7: 2, 4294967290: 1 });
});

test("checkCoercion() refuses what is no option and copies what is", () => {
  for (const bad of [null, undefined, 1, "x", [], () => {}]) {
    assertThrows(
      () => checkCoercion(bad as never, "this"),
      TypeError,
      "Cannot reconfigure this: the options",
    );
  }
  assertThrows(() => checkCoercion({ bytesAsText: true } as never, "this"), TypeError, '"bytesAsText"');
  assertThrows(() => checkCoercion({ bytesAsString: 1 } as never, "this"), TypeError, "must be a boolean");
  assertThrows(() => checkCoercion({ bytesAsString: null } as never, "this"), TypeError, "must be a boolean");
  assertEquals(checkCoercion({}, "this"), undefined);
  assertEquals(
    checkCoercion({ mapsAsObjects: false, bigintAsNumber: undefined } as never, "this"),
    undefined,
  );
  const options = { bytesAsString: true };
  const checked = checkCoercion(options, "this")!;
  options.bytesAsString = false;
  assert(checked.bytesAsString);
});

test("Channel.reconfigure() concerns what is taken from then on, raw and packed, and the last call counts", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const long = "é".repeat(20_000);
    for (let i = 0; i < 3; i++) {
      await far.send(bytes("a"));
      await far.send(bytes(long));
    }
    await far.send([1n, "s"]);
    assertEquals(await near.receive(), bytes("a"));
    near.reconfigure({ bytesAsString: true });
    assertEquals(await near.receive(), long);
    assertEquals(await near.receive(), "a");
    near.reconfigure({});
    assertEquals(await near.receive(), bytes(long));
    near.reconfigure({ bytesAsString: true });
    near.reconfigure({ bigintAsNumber: true });
    assertEquals(await near.receive(), bytes("a"));
    assertEquals(await near.receive(), bytes(long));
    assertThrows(() => near.reconfigure({ nothing: true } as never), TypeError, "channel 1");
    assertEquals(await near.receive(), [1, "s"]);
    await near.send(1n);
    assertEquals(await far.receive(), 1n);
  });
});

test("Channel.reconfigure() holds for a receive that waits, a callback and what is left after the end", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const waiting = near.receive();
    near.reconfigure({ bigintAsNumber: true });
    await far.send(1n);
    assertEquals(await waiting, 1);
    await far.send(2n);
    await far.close();
    await near.waitClose();
    const items: unknown[] = [];
    near.setCallback((item: unknown) => items.push(item));
    await near.waitClose();
    assertEquals(items, [2]);
  });
});

test("a session gives its coercion to channels that are met from then on", async () => {
  await withPair({}, async (pair) => {
    const before = await pair.open();
    const passed = pair.remote.newChannel();
    await before.far.send(passed);
    pair.local.coercion = { bigintAsNumber: true };
    const after = await pair.open();
    await before.far.send(1n);
    await after.far.send(1n);
    await passed.send(1n);
    // It was there before, but is received only now.
    const arrived = await before.near.receive() as typeof passed;
    assertEquals(await arrived.receive(), 1);
    assertEquals(await before.near.receive(), 1n);
    assertEquals(await after.near.receive(), 1);
    const own = pair.local.newChannel();
    await after.near.send(own);
    const there = await after.far.receive() as typeof own;
    await there.send(2n);
    assertEquals(await own.receive(), 2);
  });
});
