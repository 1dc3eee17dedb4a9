/**
 * Codec speed: each shape there and back, in turn with msgpackr and `@std/msgpack`.
 *
 * Every contestant does the same work, save where a row says otherwise. "encode" writes into a buffer that is kept,
 * and the result counts until the next call; `@std/msgpack` cannot do that. "decode" copies bytes, so that what it
 * gives shares no memory with its input. "dumps and loads" has the encoding in a buffer of its own between the two.
 */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { decode as stdDecode, encode as stdEncode } from "jsr:@std/msgpack@^1.0.3";
// Named before msgpackr, whose own choice of its optional native part is not everywhere to be had.
import "npm:msgpackr-extract@3.0.4";
import { isNativeAccelerationEnabled, Packr, RESET_BUFFER_MODE } from "npm:msgpackr@2.1.3";
import { dumps, loads } from "../../channel/codec.ts";
import { Decoder } from "../../channel/decode.ts";
import { Encoder } from "../../channel/encode.ts";
import { SHAPES } from "./codec_shapes.ts";

/** One line of the table: a figure of each contestant for each round. */
export interface CodecRow {
  /** What was encoded and decoded. */
  shape: string;
  /** Which half of the round trip, or both, or the length of the encoding. */
  work: string;
  /** Times a second, or bytes. */
  unit: "/s" | "B";
  /** In the order of {@linkcode CONTESTANTS}; empty for one who does not take part. */
  samples: [ours: number[], msgpackr: number[], std: number[]];
}

/** Who takes part, we first. */
export const CONTESTANTS: readonly string[] = [
  "ours",
  isNativeAccelerationEnabled ? "msgpackr" : "msgpackr without its native part",
  "@std/msgpack",
];

/** In a round each has so many turns, of so many milliseconds, so that all meet with the same disturbances. */
const TURNS = 6;
const TURN_MS = 3;
const WARM_UP_MS = 40;

/** A piece of work: ours, msgpackr's, and that of `@std/msgpack`. */
type Work = [name: string, ours: () => unknown, msgpackr: () => unknown, std: () => unknown];

/** Does `work` for about `ms` milliseconds; returns how often, and how long it took. */
function turn(work: () => unknown, ms: number): [calls: number, ms: number] {
  let calls = 0;
  let batch = 1;
  const start = performance.now();
  let now = start;
  while (now - start < ms) {
    for (let i = 0; i < batch; i++) work();
    calls += batch;
    if (batch < 256) batch *= 2;
    now = performance.now();
  }
  return [calls, now - start];
}

/** Measures one round; returns how often a second each does its work. */
function measure(works: readonly (() => unknown)[]): number[] {
  const calls = works.map(() => 0);
  const times = works.map(() => 0);
  for (let i = 0; i < TURNS * works.length; i++) {
    // Nobody comes always after the same other one, whose garbage may have to be collected.
    const at = (i + Math.floor(i / works.length)) % works.length;
    const [more, ms] = turn(works[at]!, TURN_MS);
    calls[at]! += more;
    times[at]! += ms;
  }
  return calls.map((count, at) => count / times[at]! * 1e3);
}

// With these msgpackr writes the smallest form that it has.
const FORM = { useRecords: false, variableMapSize: true };
const packr = new Packr({ ...FORM, copyBuffers: true });
const encoder = new Encoder();
const decoder = new Decoder();

/** Whatever is a Uint8Array as one of that class itself, in a buffer of its own. */
function own(value: unknown): unknown {
  return value instanceof Uint8Array ? new Uint8Array(value) : value;
}

/** The works for a shape, and first the encodings: ours, msgpackr's, and that of `@std/msgpack`. */
function worksFor(shape: string, value: unknown): [encodings: Uint8Array[], works: Work[]] {
  const pack = (): Uint8Array => packr.pack(value, RESET_BUFFER_MODE);
  const ours = new Uint8Array(encoder.encode(value));
  const theirs = new Uint8Array(pack());
  const std = new Uint8Array(stdEncode(value as never));

  const decode = (): unknown => {
    decoder.reset(ours);
    return decoder.next();
  };
  const isBytes = value instanceof Uint8Array;
  const ofStd = (bytes: Uint8Array<ArrayBuffer>): unknown =>
    isBytes ? own(stdDecode(bytes)) : stdDecode(bytes);
  const dumpsLoads = (): unknown => loads(dumps(value));
  const stdBoth = (): unknown => ofStd(stdEncode(value as never));
  const works: Work[] = [
    ["encode", () => encoder.encode(value), pack, () => stdEncode(value as never)],
    ["decode", decode, () => packr.unpack(theirs), () => ofStd(std)],
    ["dumps and loads", dumpsLoads, () => packr.unpack(new Uint8Array(pack())), stdBoth],
  ];
  if (shape === "small object") {
    works.push(["msgpackr in a shared buffer:", dumpsLoads, () => packr.unpack(packr.pack(value)), stdBoth]);
  }
  if (isBytes) {
    const viewing = new Packr(FORM);
    works.push(["the peers a view: decode", decode, () => viewing.unpack(theirs), () => stdDecode(std)]);
  }
  return [[ours, theirs, std], works];
}

/** Measures the shapes whose name has `only` in it; asserts that all give the value back, and ours is the shortest. */
export function run(rounds: number, only = ""): CodecRow[] {
  const rows: CodecRow[] = [];
  for (const { name: shape, value, bytes } of SHAPES) {
    if (!shape.includes(only)) continue;
    const [encodings, works] = worksFor(shape, value);
    const [ours, msgpackr, std] = encodings.map(({ length }) => length) as [number, number, number];
    assertEquals(ours, bytes, shape);
    assert(ours <= msgpackr && ours <= std, `a peer's encoding of ${shape} is shorter`);
    rows.push({ shape, work: "bytes of", unit: "B", samples: [[ours], [msgpackr], [std]] });
    for (const [work, ...contestants] of works) {
      contestants.forEach((contestant, at) => {
        const result = own(contestant());
        assertEquals(result, work === "encode" ? encodings[at] : value, `${work} ${shape}`);
        turn(contestant, WARM_UP_MS);
      });
      const samples: CodecRow["samples"] = [[], [], []];
      for (let round = 0; round < rounds; round++) {
        measure(contestants).forEach((rate, at) => samples[at]!.push(rate));
      }
      rows.push({ shape, work, unit: "/s", samples });
    }
  }
  return rows;
}
