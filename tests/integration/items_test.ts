/** Items of every kind through a whole connection, large ones, many, and those that cannot be sent. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { Buffer } from "node:buffer";
import { DumpError, type Item } from "../../mod.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

const MIB = 1024 * 1024;
const ECHO = `for await (const item of channel) await channel.send(item)`;

/** One source of each kind of value: it is evaluated here and there. */
const VALUES: readonly string[] = [
  `null`,
  `undefined`,
  `true`,
  `0`,
  `-0`,
  `1.5`,
  `NaN`,
  `-Infinity`,
  `Number.MAX_SAFE_INTEGER`,
  `-(2 ** 31) - 1`,
  `10n ** 60n`,
  `-(2n ** 64n)`,
  `0n`,
  `-1n`,
  `1234567890123456789012345n`,
  `-1234567890123456789012345n`,
  `"ä€😀"`,
  `"\\ud800 alone"`,
  `[]`,
  `[1, [], [2, [3]]]`,
  `[1, [], 3]`,
  `[true, false]`,
  `{ a: { b: [undefined, null] } }`,
  `JSON.parse('{"__proto__": 1}')`,
  `new Map([[1, new Map([["x", null]])], [{ a: 1 }, "y"]])`,
  `new Set([1, "a", NaN])`,
  `new Set()`,
  `new Map()`,
  `new Map([[[1, 2], "a list for a key"]])`,
  `new Date(1234567890123)`,
  `new Date(NaN)`,
  `/a+\\/b/giu`,
  `new URL("https://example.org/a?b#c")`,
  `new Uint8Array([0, 127, 255])`,
  `new Uint8Array(0)`,
  `new Int8Array([-1])`,
  `new Uint8ClampedArray([255])`,
  `new Int16Array([-2])`,
  `new Uint16Array([65535])`,
  `new Int32Array([-3])`,
  `new Uint32Array([4294967295])`,
  `new Float32Array([0.5])`,
  `new Float64Array([Math.PI])`,
  `new BigInt64Array([-4n])`,
  `new BigUint64Array([5n])`,
  `new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 2)`,
  `new Uint8Array([9, 8]).buffer`,
  `new Uint8Array([1, 2, 3, 4]).subarray(1, 3)`,
];

/** What a value is, as text that tells -0 from 0, a hole from undefined and one view from another. */
function shown(value: unknown): string {
  if (value instanceof DataView || value instanceof ArrayBuffer) {
    const bytes = value instanceof DataView
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
    return `${value.constructor.name} ${bytes}`;
  }
  if (typeof value === "string") return JSON.stringify(value);
  return Deno.inspect(value, { depth: 20, sorted: false });
}

forEachKindShared("items of every type arrive equal, there and back", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  for (const source of VALUES) {
    const value = (0, eval)(`(${source})`);
    await channel.send(value);
    assertEquals(shown(await channel.receive()), shown(value), source);
  }
});

forEachKind("items of every type that remote code makes arrive equal", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(VALUES.map((source) => `await channel.send(${source});`).join("\n"));
  for (const source of VALUES) {
    assertEquals(shown(await channel.receive()), shown((0, eval)(`(${source})`)), source);
  }
});

forEachKindShared("items arrive in remote code as what they are there", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const [date, map, bytes, url, error, hole, proto] = await channel.receive();
    channel.send([
      date instanceof Date, map instanceof Map && map.get("a") instanceof Set, bytes.constructor === Uint8Array,
      url instanceof URL, error instanceof RangeError && error.message, 1 in hole, hole.length,
      Object.getPrototypeOf(proto) === Object.prototype, Object.keys(proto),
    ]);
  `);
  // deno-lint-ignore no-sparse-arrays
  const hole = [1, , 3] as Item[];
  await channel.send([
    new Date(0),
    new Map([["a", new Set([1])]]),
    new Uint8Array(2),
    new URL("https://example.org"),
    new RangeError("far"),
    hole,
    JSON.parse('{"__proto__": 1}'),
  ]);
  assertEquals(await channel.receive(), [true, true, true, true, "far", false, 3, true, ["__proto__"]]);
});

forEachKindShared("errors as items arrive as errors", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  await channel.send([new RangeError("far", { cause: new TypeError("near") })]);
  const [error] = await channel.receive() as Error[];
  assert(error instanceof RangeError);
  assertEquals([error!.name, error!.message, (error!.cause as Error).message], ["RangeError", "far", "near"]);
});

forEachKindShared("an item of 20 MiB arrives whole, both ways", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const bytes = await channel.receive();
    let sum = 0;
    for (let i = 0; i < bytes.length; i += 4099) sum += bytes[i];
    await channel.send([bytes.length, sum]);
    await channel.send(bytes);
  `);
  const bytes = new Uint8Array(20 * MIB);
  for (let i = 0; i < bytes.length; i += 4099) bytes[i] = i;
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 4099) sum += bytes[i]!;
  await channel.send(bytes);
  assertEquals(await channel.receive(), [bytes.length, sum]);
  const back = await channel.receive() as Uint8Array;
  assertEquals(Buffer.compare(back, bytes), 0);
});

forEachKindShared("large items of other types arrive whole", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  const items: Item[] = [
    "ä".repeat(MIB),
    { list: Array.from({ length: 50_000 }, (_, i) => ({ i, name: `n${i}` })) },
    new Float64Array(MIB / 4).fill(0.25),
    [new Uint8Array(MIB).fill(1), new Uint8Array(MIB).fill(2)],
  ];
  for (const item of items) {
    await channel.send(item);
    assert(shown(await channel.receive()) === shown(item));
  }
});

forEachKindShared("items of every size around a boundary arrive whole", async ({ open }) => {
  const channel = (await open()).remoteExec(`for await (const item of channel) channel.send(item)`);
  for (const boundary of [127, 255, 1024, 4096, 16_384, 65_536, 262_144, MIB]) {
    const sizes = [-2, -1, 0, 1, 2, 6, 8, 9].map((delta) => boundary + delta);
    for (const size of sizes) channel.send(new Uint8Array(size).fill(size)).catch(() => {});
    for (const size of sizes) {
      const item = await channel.receive() as Uint8Array;
      assertEquals([item.length, item[0], item[size - 1]], [size, size & 255, size & 255]);
    }
    for (const size of sizes) channel.send("s".repeat(size)).catch(() => {});
    for (const size of sizes) assertEquals((await channel.receive() as string).length, size);
  }
}, { limit: 30_000 });

forEachKindShared("100000 small items arrive in order", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const count = await channel.receive();
    for (let i = 0; i < count; i++) await channel.send(i);
    let wrong = 0;
    for (let i = 0; i < count; i++) if (await channel.receive() !== i) wrong++;
    await channel.send(wrong);
  `);
  const count = 100_000;
  await channel.send(count);
  for (let i = 0; i < count; i++) {
    const item = await channel.receive();
    if (item !== i) assertEquals(item, i);
  }
  for (let i = 0; i < count; i++) await channel.send(i);
  assertEquals(await channel.receive(), 0);
});

forEachKindShared("an item may be changed as soon as send() has been called", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  const item = { list: [1] };
  const sent = channel.send(item);
  item.list.push(2);
  await sent;
  assertEquals(await channel.receive(), { list: [1] });
});

forEachKindShared("bytes may be changed as soon as send() has resolved", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  for (const size of [10, 5_000, 300_000]) {
    const bytes = new Uint8Array(size).fill(1);
    await channel.send(bytes);
    bytes.fill(2);
    assert((await channel.receive() as Uint8Array).every((byte) => byte === 1), `${size} bytes`);
  }
});

forEachKindShared(
  "an item that cannot be sent is a DumpError with its path, and harms nothing",
  async ({ open }) => {
    const channel = (await open()).remoteExec(ECHO);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    class Own {}
    const cases: [unknown, string][] = [
      [() => {}, "$"],
      [{ report: [0, 0, 0, { owner: Symbol("s") }] }, "$.report[3].owner"],
      [[new Own()], "$[0]"],
      [{ p: Promise.resolve() }, "$.p"],
      [{ w: new WeakMap() }, "$.w"],
      [cycle, "$.self"],
    ];
    for (const [item, path] of cases) {
      const error = await assertRejects(() => channel.send(item as Item), DumpError) as DumpError;
      assertEquals(error.path, path);
      assert(error.message.includes(path), error.message);
    }
    await channel.send("fine");
    assertEquals(await channel.receive(), "fine");
  },
);
