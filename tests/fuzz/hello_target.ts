/**
 * Fuzzes the greeting's reader against its plain twin: the same greeting, the same noise, the same rest, however the
 * bytes are cut.
 *
 * An input is a byte that says how it is cut, and what comes.
 */

import { dumps } from "../../channel/codec.ts";
import { Decoder } from "../../channel/decode.ts";
import { LoadError, ProtocolError } from "../../channel/errors.ts";
import { encodeHello, HelloReader } from "../../channel/handshake.ts";
import type { Hello } from "../../channel/handshake.ts";
import { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { assertSame } from "../helpers/same_value.ts";
import { bigEndian } from "./bytes.ts";
import { blurred, hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

const MAGIC = [0x00, 0xff, ...new TextEncoder().encode("execnet\n")];
const HEAD_BYTES = 16;
const MAX_NOISE_BYTES = 64 * 1024;
const MAX_FACTS_BYTES = 1024 * 1024;

/** What some bytes are: a greeting, the beginning of one, or none. */
type Plain = "waits" | "refused" | { noise: number; version: number; facts: unknown; rest: Uint8Array };

function plainHello(bytes: Uint8Array): Plain {
  const noise = indexOfMagic(bytes);
  if (noise < 0) return bytes.length > MAX_NOISE_BYTES ? "refused" : "waits";
  const hello = bytes.subarray(noise);
  if (hello.length < HEAD_BYTES) return "waits";
  const view = new DataView(hello.buffer, hello.byteOffset);
  const length = view.getUint32(12);
  if (length > MAX_FACTS_BYTES) return "refused";
  if (hello.length < HEAD_BYTES + length) return "waits";
  const decoder = new Decoder();
  decoder.reset(hello.slice(HEAD_BYTES, HEAD_BYTES + length));
  try {
    const facts = decoder.next();
    const plain = typeof facts === "object" && facts !== null &&
      Object.getPrototypeOf(facts) === Object.prototype;
    if (!plain) return "refused";
    return { noise, version: view.getUint16(10), facts, rest: hello.slice(HEAD_BYTES + length) };
  } catch (error) {
    hold(error instanceof LoadError, `No LoadError but ${error}`);
    return "refused";
  }
}

function indexOfMagic(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, at + 1)) {
    if (MAGIC.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

function run(input: Uint8Array): Outcome {
  const random = new Random(input[0] ?? 0);
  const bytes = input.subarray(1);
  const expected = plainHello(bytes);
  const reader = new HelloReader();
  // Pieces of few bytes are for short inputs.
  const most = Math.max(bytes.length >> 7, random.pick([1, 4, 30, 400, 100_000]));
  let hello: Hello | undefined;
  let at = 0;
  let error: unknown;
  try {
    while (at < bytes.length && hello === undefined) {
      const part = bytes.slice(at, at + random.between(1, most));
      at += part.length;
      hello = reader.push(part);
    }
  } catch (thrown) {
    hold(thrown instanceof ProtocolError, `No ProtocolError but ${thrown}`);
    error = thrown;
  }
  if (expected === "refused") {
    hold(error !== undefined, "No error for what is no greeting");
    return { kind: "refused", feature: blurred((error as Error).message) };
  }
  // Behind so much noise a greeting is found if it comes in time, as far as the cuts allow.
  const late = expected !== "waits" && expected.noise + MAGIC.length > MAX_NOISE_BYTES;
  if (late && error !== undefined) return { kind: "refused", feature: blurred((error as Error).message) };
  hold(error === undefined, `An error for a greeting: ${error}`);
  if (expected === "waits") {
    hold(hello === undefined, "A greeting out of nothing");
    hold(reader.noise.length <= bytes.length, "More noise than came");
    return { kind: "waits" };
  }
  hold(hello !== undefined, "A greeting was not seen");
  hold(hello.version === expected.version, `Version ${hello.version} for ${expected.version}`);
  hold(reader.noise.length === expected.noise, `${reader.noise.length} bytes of noise for ${expected.noise}`);
  assertSame(hello.facts, expected.facts);
  assertSame(concat(hello.rest, bytes.subarray(at)), expected.rest);
  return {
    kind: "greeting",
    feature: `greeting ${expected.noise > 0} ${expected.rest.length > 0} ${hello.version}`,
  };
}

function seeds(random: Random): Uint8Array[] {
  const facts = [{}, { role: "agent", name: "gw0", env: { A: "1" } }, {
    pid: 1,
    cwd: "/",
    permissions: ["read"],
  }];
  const hellos = facts.map((one) => encodeHello(one));
  const banner = new TextEncoder().encode("Welcome to Debian!\r\nLast login: today\r\n");
  const cut = hellos[1]!.slice(0, 7);
  const raw = (item: unknown): Uint8Array => {
    const bytes = dumps(item);
    return concat(hellos[0]!.slice(0, 12), bigEndian(bytes.length, 4), bytes);
  };
  return [
    ...hellos,
    ...hellos.map((hello) => concat(banner, hello, random.bytes(20))),
    concat(cut, hellos[1]!),
    concat(banner, cut, cut, hellos[2]!, hellos[0]!),
    ...[null, [], new Map(), "text", new Error("x"), new Date(0), { constructor: 1 }].map(raw),
    concat(new Uint8Array(MAX_NOISE_BYTES - 20).fill(65), hellos[0]!),
  ].map((bytes, i) => concat(new Uint8Array([i]), bytes));
}

/** The reader of greetings. */
export const HELLO: Target = {
  name: "hello",
  share: 10,
  short: 6_000,
  maxBytes: MAX_NOISE_BYTES + 100,
  isAsync: false,
  tokens: [new Uint8Array(MAGIC), encodeHello({}).slice(0, 12), dumps({ a: 1 })],
  seeds,
  run,
};
