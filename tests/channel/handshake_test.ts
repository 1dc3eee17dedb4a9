import { assert, assertEquals, assertStringIncludes, assertThrows } from "jsr:@std/assert@^1.0.19";
import { dumps } from "../../channel/codec.ts";
import { ProtocolError } from "../../channel/errors.ts";
import { PROTOCOL_VERSION, writeUint32 } from "../../channel/frame.ts";
import { encodeHello, HelloReader } from "../../channel/handshake.ts";
import type { Hello } from "../../channel/handshake.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";

const MAGIC_BYTES = 10;
const text = new TextEncoder();

/** A greeting around any bytes. */
function hello(facts: Uint8Array, version = PROTOCOL_VERSION, length = facts.length): Uint8Array {
  const head = encodeHello({}).slice(0, MAGIC_BYTES + 6);
  head[MAGIC_BYTES] = version >> 8;
  head[MAGIC_BYTES + 1] = version & 0xff;
  writeUint32(head, MAGIC_BYTES + 2, length);
  return concat(head, facts);
}

test("encodeHello() writes the golden bytes", () => {
  assertEquals(encodeHello({ a: 1 }).toHex(), "00ff657865636e65740a" + "0001" + "00000004" + "81a16101");
});

test("HelloReader reads what encodeHello() wrote", () => {
  const facts = { agent: "ab".repeat(32), pid: 42, list: ["x"], nested: { on: true } };
  const got = new HelloReader().push(encodeHello(facts))!;
  assertEquals(got.version, PROTOCOL_VERSION);
  assertEquals(got.facts, facts);
  assertEquals(got.rest.length, 0);
});

const NOISE: readonly [string, Uint8Array][] = [
  ["none", new Uint8Array(0)],
  ["a banner", text.encode("Last login: Mon\r\nWelcome to build1\r\n")],
  ["zero bytes", new Uint8Array(50)],
  ["beginnings of the magic", concat(...[1, 2, 5, 9].map((n) => encodeHello({}).slice(0, n)))],
  ["all but the last byte, twice", concat(encodeHello({}).slice(0, 9), encodeHello({}).slice(0, 9))],
];

for (const [what, noise] of NOISE) {
  test(`HelloReader finds the greeting behind noise (${what}), at every cut`, () => {
    const rest = new Uint8Array([1, 0, 0xff, 2]);
    const stream = concat(noise, encodeHello({ a: [1, 2] }), rest);
    for (let cut = 0; cut <= stream.length; cut++) {
      const reader = new HelloReader();
      let got: Hello | undefined = reader.push(stream.slice(0, cut));
      let left = stream.slice(cut);
      if (got === undefined) {
        got = reader.push(left);
        left = new Uint8Array(0);
      }
      assert(got !== undefined, `cut at ${cut}`);
      assertEquals(got!.facts, { a: [1, 2] });
      assertEquals(concat(got!.rest, left), rest, `cut at ${cut}`);
      assertEquals(reader.noise, noise);
    }
  });

  test(`HelloReader finds the greeting behind noise (${what}), byte by byte`, () => {
    const stream = concat(noise, encodeHello({ a: 1 }));
    const reader = new HelloReader();
    for (let at = 0; at < stream.length; at++) {
      const got = reader.push(stream.slice(at, at + 1));
      assertEquals(got !== undefined, at === stream.length - 1);
      if (got !== undefined) assertEquals(got.facts, { a: 1 });
    }
    assertEquals(reader.noise, noise);
  });
}

test("HelloReader.noise holds what came when no greeting did", () => {
  const reader = new HelloReader();
  assertEquals(reader.push(text.encode("bash: deno: ")), undefined);
  assertEquals(reader.push(text.encode("command not found\n")), undefined);
  assertEquals(new TextDecoder().decode(reader.noise), "bash: deno: command not found\n");
});

test("HelloReader refuses more noise than a banner can be", () => {
  const reader = new HelloReader();
  assertThrows(
    () => {
      for (let i = 0; i < 100; i++) reader.push(text.encode("x".repeat(1000)));
    },
    ProtocolError,
    "No greeting",
  );
  assert(reader.noise.length > 64 * 1024 && reader.noise.length < 66 * 1024);
});

test("HelloReader takes noise in single bytes in reasonable time", () => {
  const started = performance.now();
  for (const filler of [0x00, 0x78]) {
    const reader = new HelloReader();
    const byte = new Uint8Array([filler]);
    for (let i = 0; i < 8_000; i++) reader.push(byte);
    assertEquals(reader.push(encodeHello({ a: 1 }))?.facts, { a: 1 });
  }
  const ms = performance.now() - started;
  assert(ms < 1_000, `${ms} ms for 16,000 bytes: the time grows with the square`);
});

test("HelloReader gives another version to its caller to judge", () => {
  const got = new HelloReader().push(hello(dumps({ a: 1 }), 0x0203))!;
  assertEquals(got.version, 0x0203);
});

test("HelloReader refuses facts beyond the limit before they have come", () => {
  for (const length of [1024 * 1024 + 1, 0x80000000, 0xffffffff]) {
    const error = assertThrows(
      () => new HelloReader().push(hello(new Uint8Array(0), PROTOCOL_VERSION, length)),
      ProtocolError,
    );
    assertStringIncludes(error.message, String(length));
  }
  assertEquals(
    new HelloReader().push(hello(new Uint8Array(0), PROTOCOL_VERSION, 1024 * 1024)),
    undefined,
  );
});

const BAD_FACTS: readonly [string, Uint8Array][] = [
  ["none", new Uint8Array(0)],
  ["null", dumps(null)],
  ["a number", dumps(1)],
  ["a string", dumps("hello")],
  ["an array", dumps([1])],
  ["a Map", dumps(new Map([["a", 1]]))],
  ["a byte that is nothing", new Uint8Array([0xc1])],
  ["a cut item", dumps({ a: 1 }).slice(0, -1)],
];

for (const [what, facts] of BAD_FACTS) {
  test(`HelloReader refuses facts that are ${what}`, () => {
    assertThrows(() => new HelloReader().push(hello(facts)), ProtocolError);
  });
}

test("HelloReader never throws anything but ProtocolError", async () => {
  const good = concat(text.encode("motd\n"), encodeHello({ agent: "x", n: [1, 2, 3], o: { p: null } }));
  await forSeeds(seeds(5), (random) => {
    for (let run = 0; run < 2_000; run++) {
      const bytes = good.slice();
      for (let n = random.between(1, 4); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
      const reader = new HelloReader();
      try {
        const cut = random.below(bytes.length);
        if (reader.push(bytes.slice(0, cut)) === undefined) reader.push(bytes.slice(cut));
      } catch (error) {
        assert(error instanceof ProtocolError, String(error));
      }
    }
  });
});
