/**
 * Fuzzes what takes the frames out of a socket's stream against its plain twin: the same data, the same frames, the same
 * refusal, however the bytes are cut.
 *
 * An input is a byte that says how it is cut, and what comes.
 */

import { FrameError, HEADER_BYTES, Kind, writeHeader } from "../../gateway/socket/frames.ts";
import { Sifter } from "../../gateway/socket/sifter.ts";
import { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { bigEndian, edgeNumber } from "./bytes.ts";
import { digest } from "./plain_frames.ts";
import { hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

/** What the payload of a kind may measure, as PROTOCOL.md of the server says. */
const MOST: ReadonlyMap<number, number> = new Map([
  [Kind.DATA, 0xff_ffff],
  [Kind.CREDIT, 4],
  [Kind.START, 1024 * 1024],
  [Kind.STARTED, 65_536],
  [Kind.REFUSED, 65_536],
  [Kind.OUTPUT, 65_536],
  [Kind.EXIT, 1024],
]);

interface Sifted {
  data: Uint8Array;
  frames: string[];
  /** Why it ends early. */
  refused: string | undefined;
}

function plainSift(bytes: Uint8Array): Sifted {
  const data: Uint8Array[] = [];
  const frames: string[] = [];
  let ended = false;
  let refused: string | undefined;
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const kind = bytes[at]!;
    const length = bytes[at + 1]! * 65_536 + bytes[at + 2]! * 256 + bytes[at + 3]!;
    const from = at + HEADER_BYTES;
    const to = from + length;
    if (length > (MOST.get(kind) ?? 0)) refused = "too many";
    else if (kind === Kind.DATA && ended) refused = "behind its end";
    if (refused !== undefined) break;
    if (kind === Kind.DATA) data.push(bytes.subarray(from, to));
    else if (to <= bytes.length) frames.push(`${kind} ${digest(bytes.subarray(from, to))}`);
    ended ||= kind === Kind.END;
    at = to;
  }
  return { data: concat(...data), frames, refused };
}

function run(input: Uint8Array): Outcome {
  const random = new Random(input[0] ?? 0);
  const bytes = input.subarray(1);
  const expected = plainSift(bytes);
  const frames: string[] = [];
  const sifter = new Sifter((kind, payload) => void frames.push(`${kind} ${digest(payload)}`));
  const data: Uint8Array[] = [];
  const most = Math.max(bytes.length >> 7, random.pick([1, 3, 5, 30, 300, 100_000]));
  let error: Error | undefined;
  try {
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.slice(at, at + random.between(1, most));
      at += piece.length;
      const kept = sifter.sift(piece);
      hold(kept >= 0 && kept <= piece.length, `${kept} bytes of data in a piece of ${piece.length}`);
      data.push(piece.slice(0, kept));
    }
  } catch (thrown) {
    hold(thrown instanceof FrameError, `No FrameError but ${thrown}`);
    error = thrown;
  }
  const got = concat(...data);
  hold(frames.join() === expected.frames.join(), `Other frames: ${frames} for ${expected.frames}`);
  const types = expected.frames.length === 0
    ? ""
    : [...new Set(frames.map((one) => one.split(" ")[0]))].join();
  if (expected.refused !== undefined) {
    hold(
      error?.message.includes(expected.refused) === true,
      `Not refused as "${expected.refused}" but ${error}`,
    );
    // The data of the piece in which it was refused goes nowhere.
    hold(equal(got, expected.data.subarray(0, got.length)), "Other data");
    return { kind: "refused", feature: `${expected.refused} ${types}` };
  }
  hold(error === undefined, `Refused: ${error}`);
  hold(equal(got, expected.data), "Other data");
  return { kind: "taken", feature: `taken ${types} ${sifter.ended} ${got.length > 0}` };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A frame of a socket's stream. */
export function socketFrame(kind: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  writeHeader(frame, kind, payload.length);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

function frameOf(random: Random, kind: number): Uint8Array {
  const size = kind === Kind.CREDIT ? 4 : MOST.has(kind) ? random.below(60) : 0;
  return socketFrame(kind, random.bytes(size));
}

function seeds(random: Random): Uint8Array[] {
  const kinds = Object.values(Kind);
  const cut = (i: number): Uint8Array => new Uint8Array([i]);
  return [
    ...kinds.map((kind, i) =>
      concat(cut(i), frameOf(random, Kind.DATA), frameOf(random, kind), frameOf(random, Kind.OUTPUT))
    ),
    concat(
      cut(20),
      ...kinds.filter((kind) => kind !== Kind.END).map((kind) => frameOf(random, kind)),
      frameOf(random, Kind.END),
    ),
    concat(
      cut(21),
      ...Array.from({ length: 10 }, () => frameOf(random, random.pick([Kind.DATA, Kind.CREDIT]))),
    ),
    ...[...MOST].map(([kind, most], i) =>
      concat(cut(30 + i), new Uint8Array([kind]), bigEndian(most, 3), random.bytes(9))
    ),
  ];
}

/** Puts a frame somewhere, or a header that lies. */
function mutate(input: Uint8Array, random: Random): Uint8Array {
  let at = 1;
  while (at + HEADER_BYTES <= input.length && random.chance(0.6)) {
    at += HEADER_BYTES + input[at + 1]! * 65_536 + input[at + 2]! * 256 + input[at + 3]!;
  }
  at = Math.min(at, input.length);
  const kind = random.chance(0.9) ? random.pick(Object.values(Kind)) : random.below(256);
  const piece = random.chance(0.6)
    ? frameOf(random, kind)
    : concat(new Uint8Array([kind]), bigEndian(edgeNumber(random) % 2 ** 24, 3));
  return concat(
    input.subarray(0, at),
    piece,
    input.subarray(random.chance(0.5) ? at : Math.min(input.length, at + 4)),
  );
}

/** What takes frames out of a socket's stream. */
export const SIFTER: Target = {
  name: "sifter",
  share: 12,
  short: 12_000,
  maxBytes: 2_000,
  isAsync: false,
  memory: { base: 150 * 2 ** 20, factor: 2_000 },
  seeds,
  mutate,
  run,
};
