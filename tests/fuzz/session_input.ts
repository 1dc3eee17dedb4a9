/**
 * What an input of the session's fuzzing is: a byte of settings, and steps. A step is a byte that says what it is, a
 * length of two bytes, and as many bytes. Whatever the bytes are, they mean something.
 */

import { dumps } from "../../channel/codec.ts";
import { FrameType, HEADER_BYTES, ID_BLOCK, makeFrame } from "../../channel/frame.ts";
import { fragmentItem } from "../../channel/outbox.ts";
import type { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { bigEndian, changed, edgeNumber, replaced } from "./bytes.ts";
import { plainFrames } from "./plain_frames.ts";

/** The settings: bits of the first byte. */
export const Setting = {
  /** It is the side that executes. */
  REMOTE: 1,
  /** Bytes come as messages. */
  MESSAGES: 2,
  /** Nobody reads what the session writes. */
  STUCK: 4,
  /** Executions have links of their own. */
  LINKS: 8,
  /** All executions share one session over there. */
  SHARED: 16,
} as const;

/** What a step is, by its first byte modulo 8. */
export const StepKind = {
  /** Bytes by the connection. */
  CONNECTION: 0,
  /** Bytes by one of three links. */
  LINK_1: 1,
  LINK_2: 2,
  LINK_3: 3,
  /** What the program on this side does: a byte for each deed. */
  LOCAL: 4,
  /** A link ends: its number is the first byte. */
  LINK_END: 5,
  /** No further link comes. */
  NO_MORE_LINKS: 6,
  /** The input of the connection ends. */
  END: 7,
} as const;

/** A step. */
export interface Step {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** The channel of an honest execution, which other frames leave alone unless an input means to meet it. */
export const HONEST = 7;

/** The numbers of the three links. */
export const LINK_NUMBERS: readonly number[] = [2, ID_BLOCK, 2 * ID_BLOCK];

/** The steps of an input. */
export function stepsOf(input: Uint8Array): Step[] {
  const steps: Step[] = [];
  for (let at = 1; at + 3 <= input.length;) {
    const length = input[at + 1]! * 256 + input[at + 2]!;
    steps.push({ kind: input[at]! & 7, bytes: input.subarray(at + 3, at + 3 + length) });
    at += 3 + length;
  }
  return steps;
}

/** The input of some steps. */
export function inputOf(settings: number, steps: readonly Step[]): Uint8Array {
  const parts = steps.map(({ kind, bytes }) => {
    const some = bytes.subarray(0, 0xffff);
    return concat(new Uint8Array([kind]), bigEndian(some.length, 2), some);
  });
  return concat(new Uint8Array([settings]), ...parts);
}

/** Ids that frames are about: open channels, closed ones, those to come, and those that are nobody's. */
const IDS: readonly number[] = [
  1,
  1,
  1,
  3,
  3,
  5,
  2,
  2,
  4,
  6,
  8,
  9,
  11,
  99,
  ID_BLOCK,
  ID_BLOCK + 2,
  2 * ID_BLOCK,
  2 ** 48 - 1,
];

const ERROR = {
  name: "TypeError",
  message: "no",
  stack: "at x",
  cause: { name: "E", message: "m" },
  fields: { a: 1 },
};

/** What payloads are made of. */
const ITEMS: readonly Uint8Array[] = [
  null,
  1,
  "text",
  { hello: [1, 2, 3] },
  ERROR,
  [1, "status"],
  [1, { pid: 1 }],
  new Map<unknown, unknown>([["a", 1n]]),
  new Uint8Array(40),
  { permissions: {}, service: true },
].map((item) => dumps(item));

/** An item that is a channel. */
function channelItem(id: number): Uint8Array {
  return concat(new Uint8Array([0xc7, 6, 9]), bigEndian(id, 6));
}

function payload(random: Random, type: number): Uint8Array {
  const id = random.pick(IDS);
  switch (type) {
    case FrameType.OPEN:
      return bigEndian(id, 6);
    case FrameType.CREDIT:
      return bigEndian(
        random.chance(0.3)
          ? edgeNumber(random) % 2 ** 32
          : random.pick([1, 128, 60_000, 2 ** 20, 2 ** 23, 2 ** 24]),
        4,
      );
    case FrameType.BYPASS:
      return random.chance(0.5) ? new Uint8Array(0) : bigEndian(random.pick([...LINK_NUMBERS, 9]), 6);
    case FrameType.CLOSE_WRITE:
    case FrameType.PING:
    case FrameType.PONG:
    case FrameType.TERMINATE:
    case FrameType.DONE:
      return new Uint8Array(0);
    case FrameType.CLOSE:
      return random.chance(0.5) ? new Uint8Array(0) : dumps(ERROR);
    case FrameType.DATA:
      if (random.chance(0.25)) return channelItem(id);
      return concat(...Array.from({ length: random.between(1, 3) }, () => random.pick(ITEMS)));
    default:
      return random.pick(ITEMS);
  }
}

/** A frame that is likely to mean something, or the frames of a long item. */
export function someFrame(random: Random): Uint8Array {
  const channel = random.pick(IDS);
  if (random.chance(0.1)) {
    const run = fragmentItem(
      channel,
      random.bytes(random.between(1, 900)),
      random.chance(0.5),
      random.pick([100, 400]),
    );
    return random.chance(0.5) ? run : run.slice(0, 18 + random.below(run.length - 17));
  }
  const type = random.chance(0.35) ? FrameType.DATA : random.pick(Object.values(FrameType));
  const flags = random.chance(0.85) ? 0 : random.below(8);
  const content = random.chance(0.9) ? payload(random, type) : random.bytes(random.below(20));
  return makeFrame(type, type < 16 ? 0 : channel, content, flags);
}

function someStep(random: Random): Step {
  const kind = random.pick([0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 4, 4, 5, 6, 7]);
  if (kind === StepKind.LOCAL) return { kind, bytes: random.bytes(random.between(1, 3)) };
  if (kind === StepKind.LINK_END) return { kind, bytes: new Uint8Array([random.below(3)]) };
  if (kind >= StepKind.LINK_END) return { kind, bytes: new Uint8Array(0) };
  const claim = kind !== StepKind.CONNECTION && random.chance(0.4);
  const first = claim ? makeFrame(FrameType.BYPASS, random.pick([1, 3, 5])) : new Uint8Array(0);
  return {
    kind,
    bytes: concat(first, ...Array.from({ length: random.between(1, 3) }, () => someFrame(random))),
  };
}

/** Changes a frame in some bytes: a field of its header, its payload with the length made right, or the frame as a whole. */
function frameChanged(bytes: Uint8Array, random: Random): Uint8Array {
  const { frames } = plainFrames(bytes, 2 ** 32);
  if (frames.length === 0) return concat(bytes, someFrame(random));
  const { type, flags, channel, payload: content, at } = random.pick(frames);
  const end = at + HEADER_BYTES + content.length;
  const all = bytes.slice();
  switch (random.below(8)) {
    case 0:
      all[at] = random.pick(Object.values(FrameType));
      return all;
    case 1:
      all[at + 1] = random.below(8);
      return all;
    case 2:
      all.set(bigEndian(random.pick(IDS), 6), at + 2);
      return all;
    case 3:
      all.set(
        bigEndian(random.chance(0.5) ? edgeNumber(random) : content.length + random.between(-2, 2), 4),
        at + 8,
      );
      return all;
    case 4:
    case 5: {
      const other = changed(content, random, () => random.pick(ITEMS), ITEMS);
      return replaced(bytes, at, end, makeFrame(type as FrameType, channel, other.slice(0, 2_000), flags));
    }
    case 6:
      return replaced(bytes, at, end, new Uint8Array(0));
    default:
      return replaced(bytes, end, end, random.chance(0.5) ? all.slice(at, end) : someFrame(random));
  }
}

/** Changes an input: its settings, its steps, or frames in them. */
export function changedInput(input: Uint8Array, random: Random, other: () => Uint8Array): Uint8Array {
  const steps = stepsOf(input);
  const at = random.below(Math.max(1, steps.length));
  const step = steps[at];
  let settings = input[0] ?? 0;
  switch (step === undefined ? 0 : random.below(10)) {
    case 0:
    case 1:
      steps.splice(random.below(steps.length + 1), 0, someStep(random));
      break;
    case 2:
      steps.splice(at, 1);
      break;
    case 3:
      steps.splice(random.below(steps.length + 1), 0, step!);
      break;
    case 4: {
      const cut = random.below(step!.bytes.length + 1);
      const halves = [step!.bytes.slice(0, cut), step!.bytes.slice(cut)];
      steps.splice(at, 1, ...halves.map((bytes) => ({ kind: step!.kind, bytes })));
      break;
    }
    case 5:
      steps[at] = { kind: random.below(4), bytes: step!.bytes };
      break;
    case 6: {
      const others = stepsOf(other());
      steps.splice(at, 0, ...others.slice(random.below(others.length + 1)).slice(0, 4));
      break;
    }
    case 7:
      if (random.chance(0.3)) settings ^= 1 << random.below(5);
      else {steps[at] = {
          kind: step!.kind,
          bytes: changed(step!.bytes, random, () => random.pick(ITEMS), ITEMS),
        };}
      break;
    default:
      steps[at] = {
        kind: step!.kind,
        bytes: step!.kind < 4 ? frameChanged(step!.bytes, random) : random.bytes(2),
      };
  }
  return inputOf(settings, steps);
}

/** What an honest far side says to a local session with three executions, in a few ways; and to a remote one. */
export function goodInputs(random: Random): Uint8Array[] {
  const near: Step[] = [
    concat(makeFrame(FrameType.DATA, 1, dumps({ a: [1, 2] })), makeFrame(FrameType.OPEN, 2, bigEndian(1, 6))),
    concat(makeFrame(FrameType.DATA, 1, channelItem(2)), makeFrame(FrameType.DATA, 2, dumps("inner"))),
    makeFrame(FrameType.PING, 0),
    fragmentItem(3, random.bytes(900), true, 400),
    fragmentItem(3, dumps("y".repeat(800)), false, 300),
    makeFrame(FrameType.REPLY, 0, dumps([1, { pid: 1 }])),
    makeFrame(FrameType.CREDIT, 5, bigEndian(60_000, 4)),
    makeFrame(FrameType.DATA, 5, concat(dumps(1), dumps("two"))),
    makeFrame(FrameType.CLOSE_WRITE, 3),
    makeFrame(FrameType.CLOSE, 5, dumps(ERROR)),
    concat(makeFrame(FrameType.CLOSE, 2), makeFrame(FrameType.CLOSE, 1)),
  ].map((bytes) => ({ kind: StepKind.CONNECTION, bytes }));
  const links: Step[] = [
    { kind: StepKind.CONNECTION, bytes: makeFrame(FrameType.BYPASS, 1, bigEndian(2, 6)) },
    {
      kind: StepKind.LINK_1,
      bytes: concat(makeFrame(FrameType.BYPASS, 1), makeFrame(FrameType.OPEN, 4, bigEndian(1, 6))),
    },
    { kind: StepKind.LINK_1, bytes: makeFrame(FrameType.DATA, 1, channelItem(4)) },
    { kind: StepKind.LOCAL, bytes: new Uint8Array([0, 1, 24, 205]) },
    {
      kind: StepKind.LINK_2,
      bytes: concat(makeFrame(FrameType.BYPASS, 3), makeFrame(FrameType.DATA, 3, dumps(5))),
    },
    { kind: StepKind.CONNECTION, bytes: makeFrame(FrameType.BYPASS, 3, bigEndian(ID_BLOCK, 6)) },
    { kind: StepKind.LINK_1, bytes: makeFrame(FrameType.CLOSE, 1) },
    { kind: StepKind.LINK_END, bytes: new Uint8Array([0]) },
    { kind: StepKind.CONNECTION, bytes: makeFrame(FrameType.CLOSE, 1, undefined, 1) },
    { kind: StepKind.CONNECTION, bytes: makeFrame(FrameType.CLOSE, 3, dumps(ERROR), 3) },
    { kind: StepKind.NO_MORE_LINKS, bytes: new Uint8Array(0) },
  ];
  const far: Step[] = [
    makeFrame(FrameType.EXEC, 1, dumps({ permissions: {} })),
    makeFrame(FrameType.EXEC, 3, dumps(null)),
    concat(makeFrame(FrameType.DATA, 1, dumps("job")), makeFrame(FrameType.REQUEST, 0, dumps([1, "status"]))),
    concat(makeFrame(FrameType.OPEN, 9, bigEndian(3, 6)), makeFrame(FrameType.DATA, 3, channelItem(9))),
    makeFrame(FrameType.KILL, 1, dumps(ERROR)),
    fragmentItem(3, random.bytes(500), true, 300),
    makeFrame(FrameType.CLOSE, 3),
    makeFrame(FrameType.TERMINATE, 0),
  ].map((bytes) => ({ kind: StepKind.CONNECTION, bytes }));
  const end: Step = { kind: StepKind.END, bytes: new Uint8Array(0) };
  const locals: Step[] = Array.from(
    { length: 12 },
    (_, i) => ({ kind: StepKind.LOCAL, bytes: new Uint8Array([i * 4, i * 4 + 1]) }),
  );
  const mixed = (steps: readonly Step[]): Step[] =>
    steps.flatMap((step, i) => [step, locals[i % locals.length]!]);
  const { REMOTE, MESSAGES, STUCK, LINKS, SHARED } = Setting;
  return [
    ...[0, MESSAGES, STUCK, SHARED].flatMap((
      settings,
    ) => [inputOf(settings, near), inputOf(settings, mixed(near))]),
    ...[LINKS, LINKS | MESSAGES, LINKS | STUCK].flatMap((settings) => [
      inputOf(settings, links),
      inputOf(settings, mixed([...links, end])),
    ]),
    ...[REMOTE, REMOTE | MESSAGES, REMOTE | LINKS].flatMap((settings) => [
      inputOf(settings, far),
      inputOf(settings, mixed(far)),
    ]),
  ];
}
