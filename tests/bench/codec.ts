/** Codec speed: encode and decode of typical shapes, interleaved with msgpackr and `@std/msgpack`. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { decode as stdDecode, encode as stdEncode } from "jsr:@std/msgpack@^1.0.3";
// Named before msgpackr, whose own choice of its optional native part is not everywhere to be had.
import "npm:msgpackr-extract@3.0.4";
import { isNativeAccelerationEnabled, Packr } from "npm:msgpackr@2.1.3";
import { dumps, loads } from "../../channel/codec.ts";
import { Decoder } from "../../channel/decode.ts";
import { Encoder } from "../../channel/encode.ts";

/** One line of the table: the ratios are the peer's time divided by ours, so above 1 we are faster. */
export interface CodecRow {
  /** What was encoded and decoded. */
  shape: string;
  /** Which half of the round trip, or both. */
  work: "encode" | "decode" | "both" | "dumps+loads";
  /** Our median time, in nanoseconds per item. */
  ours: number;
  /** Median of msgpackr's time divided by ours. */
  msgpackr: number;
  /** Median of the time of `@std/msgpack` divided by ours. */
  std: number;
}

const ROUNDS = 7;
const ROUND_MS = 12;

const nested = (id: number): unknown => ({
  id,
  name: "user " + id,
  active: id % 2 === 0,
  score: id * 1.25,
  tags: ["a", "b", "tag " + id],
  address: { street: "Long Street " + id, city: "Springfield", geo: { lat: id / 7, lon: -id / 3 } },
});

const SHAPES: Record<string, unknown> = {
  "small int": 42,
  "small object": { id: 7, name: "abc", vals: [1, 2, 3] },
  "1 MiB bytes": new Uint8Array(1 << 20).map((_, i) => i * 31),
  "200 nested objects": Array.from({ length: 200 }, (_, id) => nested(id)),
  "long ASCII string": "The quick brown fox jumps over the lazy dog. ".repeat(2000),
  "long non-ASCII string": "Größe naïve 日本語 テキスト 😀 — ".repeat(2000),
  "medium string": "a sentence of some eighty characters, as it is found in logs and in messages, ok",
  "short non-ASCII string": "Füße und Käse",
  "1,000 ints": Array.from({ length: 1000 }, (_, i) => (i * 7919) % 100_000),
  "1,000 floats": Array.from({ length: 1000 }, (_, i) => Math.sin(i)),
};

/** Runs `work` for about `ms` milliseconds and returns the nanoseconds per call. */
function time(work: () => unknown, ms: number): number {
  let calls = 0;
  let batch = 1;
  const start = performance.now();
  let now = start;
  while (now - start < ms) {
    for (let i = 0; i < batch; i++) work();
    calls += batch;
    if (batch < 1024) batch *= 2;
    now = performance.now();
  }
  return (now - start) * 1e6 / calls;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Measures every shape; asserts first that all three codecs give the value back. */
export function run(only = ""): CodecRow[] {
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  const encoder = new Encoder();
  const decoder = new Decoder();
  const rows: CodecRow[] = [];
  const plain = (bytes: Uint8Array) => new Uint8Array(bytes);
  const decode = (bytes: Uint8Array): unknown => {
    decoder.reset(bytes);
    return decoder.next();
  };
  for (const [shape, value] of Object.entries(SHAPES)) {
    if (!shape.includes(only)) continue;
    const ours = plain(encoder.encode(value));
    const theirs = plain(packr.pack(value));
    const std = plain(stdEncode(value as never));
    assertEquals(decode(ours), value);
    assertEquals(loads(ours), value);
    const unpacked: unknown = packr.unpack(theirs);
    assertEquals(unpacked instanceof Uint8Array ? plain(unpacked) : unpacked, value);
    assertEquals(stdDecode(std), value as never);
    assertEquals(ours.length, dumps(value).length);
    const works: [CodecRow["work"], () => unknown, () => unknown, () => unknown][] = [
      ["encode", () => encoder.encode(value), () => packr.pack(value), () => stdEncode(value as never)],
      ["decode", () => decode(ours), () => packr.unpack(theirs), () => stdDecode(std)],
      [
        "both",
        () => decode(encoder.encode(value)),
        () => packr.unpack(packr.pack(value)),
        () => stdDecode(stdEncode(value as never)),
      ],
      [
        "dumps+loads",
        () => loads(dumps(value)),
        () => packr.unpack(packr.pack(value)),
        () => stdDecode(stdEncode(value as never)),
      ],
    ];
    for (const [work, mine, other, third] of works) {
      for (const warm of [mine, other, third]) time(warm, 3 * ROUND_MS);
      const times: number[] = [];
      const msgpackr: number[] = [];
      const std: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const a = time(mine, ROUND_MS);
        times.push(a);
        msgpackr.push(time(other, ROUND_MS) / a);
        std.push(time(third, ROUND_MS) / a);
      }
      rows.push({ shape, work, ours: median(times), msgpackr: median(msgpackr), std: median(std) });
    }
  }
  return rows;
}

if (import.meta.main) {
  // deno-lint-ignore no-console
  const print = console.log;
  print(`msgpackr with its native part: ${isNativeAccelerationEnabled}`);
  for (const row of run(Deno.args[0])) {
    const rounded = [row.msgpackr, row.std].map((ratio) => ratio.toFixed(2).padStart(8) + "x");
    print(
      `${row.shape.padEnd(24)} ${row.work.padEnd(12)} ${row.ours.toFixed(0).padStart(9)} ns  ` +
        `msgpackr ${rounded[0]}  @std/msgpack ${rounded[1]}`,
    );
  }
}
