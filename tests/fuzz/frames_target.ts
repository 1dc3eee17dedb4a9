/**
 * Fuzzes the frame reader against its plain twin: the same frames, the same end, the same error, however the bytes are
 * cut, by whichever of the two ways they come, and whoever has room for them.
 *
 * An input is two bytes that say how it is cut, and what comes.
 */

import { ProtocolError } from "../../channel/errors.ts";
import {
  FrameType,
  HEADER_BYTES,
  makeFrame,
  MAX_BYPASS_PAYLOAD_BYTES,
  MAX_PAYLOAD_BYTES,
} from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import type { FrameHead } from "../../channel/frame_reader.ts";
import { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { bigEndian, edgeNumber } from "./bytes.ts";
import { digest, plainFrames } from "./plain_frames.ts";
import { hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

/** From here on a reader asks for a place. */
const PLACE_FROM_BYTES = 8 * 1024;

/** Takes frames, and looks whether the reader keeps its word. */
class Taker {
  readonly taken: string[] = [];
  readonly owned: { bytes: Uint8Array; start: number; end: number; digest: string }[] = [];
  readonly #random: Random;
  readonly #limit: number;
  #given: Uint8Array | undefined;

  constructor(random: Random, limit: number) {
    this.#random = random;
    this.#limit = limit;
  }

  frame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    hold(this.#given === undefined, "A frame came before the place for another one was filled");
    hold(bytes[start - HEADER_BYTES] === head.type, "The header does not lie before the payload");
    hold(bytes[start - HEADER_BYTES + 1] === head.flags, "The header does not lie before the payload");
    const text = digest(bytes.subarray(start, end));
    if (owned) this.owned.push({ bytes, start, end, digest: text });
    this.#take(head, text);
  }

  place(head: FrameHead, length: number): Uint8Array | undefined {
    hold(length >= PLACE_FROM_BYTES && length <= this.#limit, `A place for ${length} bytes`);
    hold(this.#given === undefined, "A place amid another one");
    void head;
    if (this.#random.chance(0.5)) return undefined;
    return this.#given = new Uint8Array(length);
  }

  placed(head: FrameHead, payload: Uint8Array): void {
    hold(payload === this.#given, "Another place than the one that was given");
    this.#given = undefined;
    this.#take(head, digest(payload));
  }

  #take({ type, flags, channel }: FrameHead, payload: string): void {
    this.taken.push(`${type} ${flags} ${channel} ${payload}`);
  }
}

/** Gives the bytes to a reader in pieces. */
function feed(reader: FrameReader, bytes: Uint8Array, random: Random): void {
  // Pieces of few bytes are for short inputs.
  const most = Math.max(bytes.length >> 7, random.pick([1, 3, 13, 40, 300, 5_000, 100_000]));
  for (let at = 0; at < bytes.length;) {
    const part = bytes.slice(at, at + random.between(random.chance(0.05) ? 0 : 1, most));
    if (random.chance(0.5)) {
      reader.push(part);
      at += part.length;
      continue;
    }
    const space = reader.space();
    hold(space.length > 0, "No space for the next bytes");
    const some = part.subarray(0, space.length);
    if (some.length === 0) continue;
    space.set(some);
    reader.filled(some.length);
    at += some.length;
  }
}

function run(input: Uint8Array): Outcome {
  const random = new Random((input[0] ?? 0) * 256 + (input[1] ?? 0));
  const bytes = input.subarray(2);
  const limit = (input[0] ?? 0) & 1 ? MAX_BYPASS_PAYLOAD_BYTES : MAX_PAYLOAD_BYTES;
  const { frames, end } = plainFrames(bytes, limit);
  const taker = new Taker(random, limit);
  const reader = new FrameReader(taker, limit);
  let error: unknown;
  try {
    feed(reader, bytes, random);
  } catch (thrown) {
    if (!(thrown instanceof ProtocolError)) throw thrown;
    error = thrown;
  }
  const expected = frames.map(({ type, flags, channel, payload }) =>
    `${type} ${flags} ${channel} ${digest(payload)}`
  );
  hold(taker.taken.length === expected.length, `${taker.taken.length} frames instead of ${expected.length}`);
  for (const [i, frame] of expected.entries()) {
    hold(taker.taken[i] === frame, `Another frame than in the bytes: ${taker.taken[i]} for ${frame}`);
  }
  for (const one of taker.owned) {
    const now = digest(one.bytes.subarray(one.start, one.end));
    hold(now === one.digest, "Bytes that were given away have changed");
  }
  const types = `${frames.length > 3 ? "many" : frames.length}, the last of type ${frames.at(-1)?.type}`;
  if (typeof end === "object") {
    hold(error !== undefined, `No error for bytes with a frame that is none: ${end.error}`);
    hold(
      (error as Error).message.includes(end.error),
      `Another error: ${(error as Error).message} for ${end.error}`,
    );
    return { kind: end.error, feature: `${end.error} after ${types}` };
  }
  hold(error === undefined, `An error for good frames: ${error}`);
  hold(
    reader.atBoundary === (end === "boundary"),
    `It takes the end for ${reader.atBoundary ? "one" : "none"}`,
  );
  return { kind: end, feature: `${end} after ${types}` };
}

function seeds(random: Random): Uint8Array[] {
  const small = Object.values(FrameType).map((type) =>
    makeFrame(type, type < 16 ? 0 : random.between(1, 9), random.bytes(random.below(30)), random.below(8))
  );
  const large = [PLACE_FROM_BYTES - 1, PLACE_FROM_BYTES, 20_000].map((size) =>
    makeFrame(FrameType.DATA, 2 ** 48 - 1, random.bytes(size), 1)
  );
  const limits = [MAX_PAYLOAD_BYTES, MAX_BYPASS_PAYLOAD_BYTES].flatMap((limit) =>
    [0, 1].map((over) => {
      const head = makeFrame(FrameType.DATA, 1);
      head.set(bigEndian(limit + over, 4), 8);
      return head;
    })
  );
  return [
    concat(...small),
    ...small.map((frame, i) => concat(frame, small[(i + 1) % small.length]!)),
    ...small,
    ...limits,
    concat(small[0]!, large[1]!, small[3]!),
    ...large.map((frame) => concat(frame, small[4]!)),
  ].map((bytes, i) => concat(new Uint8Array([i, 7 * i]), bytes));
}

/** Changes a field of a header, or the frames as wholes. */
function mutate(input: Uint8Array, random: Random, other: () => Uint8Array): Uint8Array {
  const all = input.slice();
  if (all.length > 1 && random.chance(0.2)) {
    all[random.below(2)] = random.below(256);
    return all;
  }
  const { frames } = plainFrames(all.subarray(2), 2 ** 32);
  if (frames.length === 0) return concat(all, other().subarray(2));
  const frame = random.pick(frames);
  const at = 2 + frame.at;
  const end = at + HEADER_BYTES + frame.payload.length;
  switch (random.below(6)) {
    case 0:
      all[at] = random.chance(0.9) ? random.pick(Object.values(FrameType)) : random.below(256);
      return all;
    case 1:
      all.set(bigEndian(random.chance(0.5) ? edgeNumber(random) : random.below(9), 6), at + 2);
      return all;
    case 2:
      all.set(
        bigEndian(random.chance(0.5) ? edgeNumber(random) : frame.payload.length + random.between(-3, 3), 4),
        at + 8,
      );
      return all;
    case 3:
      return concat(all.subarray(0, at), all.subarray(end));
    case 4:
      return concat(all.subarray(0, end), all.subarray(at));
    default:
      return concat(all.subarray(0, end), other().subarray(2));
  }
}

/** The frame reader. */
export const FRAMES: Target = {
  name: "frames",
  share: 22,
  short: 8_000,
  maxBytes: 24_000,
  isAsync: false,
  memory: { base: 4 * 2 ** 20, factor: 400 },
  seeds,
  mutate,
  run,
};
