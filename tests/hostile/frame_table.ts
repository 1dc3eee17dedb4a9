/** A table of frames (type, flags, id, length, payload), and what PROTOCOL.md says of each: an oracle of its own. */

import { dumps } from "../../channel/codec.ts";
import { HEADER_BYTES } from "../../channel/frame.ts";
import { concat, uint48 } from "../helpers/sessions.ts";

/** What a local side, which takes no links, has to make of a frame. */
export type Verdict = "ends" | "goes on";

/** How a channel stands, as the one that takes the frame sees it. */
type Standing = "open" | "ended" | "amid" | "forgotten" | "never ours" | "never theirs";

/** The channels of the scene: those with odd ids are executions of the local side. */
const CHANNELS: ReadonlyMap<number, Standing> = new Map([
  [1, "open"],
  [2, "open"],
  [3, "ended"],
  [4, "forgotten"],
  [5, "forgotten"],
  [6, "never theirs"],
  [7, "amid"],
  [99, "never ours"],
  [2 ** 48 - 2, "never theirs"],
  [2 ** 48 - 1, "never ours"],
]);

/** How many executions the local side has to start for it, which get the ids 1, 3, and so on. */
export const EXECUTIONS = 5;

/** The channel of an execution that no frame of the table is about. */
export const SPARE = 9;

/** What is announced of the item on channel 7, which is no byte array. */
export const AMID_BYTES = 100;

/** A payload, and whether an item is at its beginning. */
interface Payload {
  readonly bytes: Uint8Array;
  readonly item: boolean;
}

const is = (bytes: Uint8Array): Payload => ({ bytes, item: true });
const isNot = (bytes: Uint8Array): Payload => ({ bytes, item: false });

const PAYLOADS: readonly Payload[] = [
  isNot(new Uint8Array(0)),
  is(new Uint8Array([0xc0])),
  isNot(new Uint8Array([0xc1])),
  is(new Uint8Array(4)),
  // As a credit: as much as fits the window that is open, and a byte more.
  is(new Uint8Array([0, 0x70, 0, 0])),
  is(new Uint8Array([0, 0x70, 0, 1])),
  isNot(new Uint8Array([0xdd, 255, 255, 255, 255])),
  isNot(new Uint8Array(600).fill(0x91)),
  is(new Uint8Array(AMID_BYTES)),
  is(new Uint8Array(AMID_BYTES + 1)),
  is(dumps([77, "late"])),
  is(dumps({ name: "E", message: "m" })),
  // As lengths of items, and as carriers.
  ...[0, 1, 2, 4, 6, 7, 99, 2 ** 31 - 1, 2 ** 31, 2 ** 48 - 1].map((value) => {
    const bytes = uint48(value);
    return { bytes, item: bytes[0] !== 0xc1 };
  }),
];

const FLAGS = [0, 1, 2, 3, 4, 5, 7, 8, 255];
const CHANNEL_TYPES = [16, 17, 18, 19, 20, 21, 22, 23, 24];
const CONNECTION_TYPES = [1, 2, 3, 4, 5];
const NO_TYPES = [0, 6, 15, 25, 255];

/** The longest payload. */
const LIMIT_BYTES = 262_144;

/** A frame of the table. */
export interface TableFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  /** What the header says, which is the payload's own length or over the limit. */
  readonly length: number;
  readonly payload: Payload;
}

/** All of the table. */
export function* tableFrames(): Generator<TableFrame> {
  const [nothing] = PAYLOADS as [Payload];
  const ids = [0, ...CHANNELS.keys()];
  for (const type of [...NO_TYPES, ...CONNECTION_TYPES, ...CHANNEL_TYPES]) {
    for (const id of ids) {
      for (const length of [LIMIT_BYTES + 1, 0xffffffff]) {
        yield { type, flags: 0, id, length, payload: nothing };
      }
      const fits = NO_TYPES.includes(type) ? false : (id === 0) === CONNECTION_TYPES.includes(type);
      for (const flags of fits ? FLAGS : [0]) {
        for (const payload of fits ? PAYLOADS : [nothing]) {
          yield { type, flags, id, length: payload.bytes.length, payload };
        }
      }
    }
  }
}

/** The bytes of a frame. */
export function bytesOf({ type, flags, id, length, payload }: TableFrame): Uint8Array {
  const head = new Uint8Array(HEADER_BYTES);
  const view = new DataView(head.buffer);
  head[0] = type;
  head[1] = flags;
  head.set(uint48(id), 2);
  view.setUint32(8, length);
  return concat(head, payload.bytes);
}

/** A frame in words. */
export function describeFrame({ type, flags, id, length, payload }: TableFrame): string {
  return `type ${type}, flags ${flags}, id ${id}, length ${length}, payload ${
    payload.bytes.toHex().slice(0, 40)
  }`;
}

function number(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** What PROTOCOL.md says. */
export function verdict({ type, flags, id, length, payload: { bytes, item } }: TableFrame): Verdict {
  const allow = (condition: boolean): Verdict => condition ? "goes on" : "ends";
  if (NO_TYPES.includes(type) || length > LIMIT_BYTES) return "ends";
  if (CONNECTION_TYPES.includes(type) !== (id === 0)) return "ends";
  const standing = CHANNELS.get(id);
  if (standing === "never ours" && type !== 17) return "ends";
  // What was closed is forgotten, and frames for it may have been under way.
  const ignored = standing === "forgotten" || standing === "never theirs";
  switch (type) {
    case 1: // PING
    case 2: // PONG
      return allow(flags === 0 && length === 0);
    case 4: // REPLY
      return allow(flags === 0 && item);
    case 17: // OPEN
      return allow(flags === 0 && length === 6 && mayOpen(id, number(bytes)));
    case 18: // DATA
      return allow(ignored || mayCome(standing!, flags, bytes));
    case 19: // CREDIT
      return allow(flags === 0 && length === 4 && (ignored || number(bytes) <= 7 * 1024 * 1024));
    case 20: // CLOSE_WRITE
      return allow(flags === 0 && length === 0 && standing !== "ended" && standing !== "amid");
    case 21: // CLOSE, which is a last word with flags 1 and 3
      return allow((length === 0 || item) && (flags === 0 || (flags === 1 || flags === 3) && id % 2 === 1));
    default: // What only the local side says, or one that executes.
      return "ends";
  }
}

function mayOpen(id: number, carrier: number): boolean {
  const standing = CHANNELS.get(carrier);
  // A carrier that never was is one of the local side's, or one that it has forgotten.
  if (standing === "never ours" || standing === undefined && carrier % 2 === 1) return false;
  if (id % 2 === 1) return false;
  const reachable = standing === "open" || standing === "ended" || standing === "amid";
  return !reachable || CHANNELS.get(id) !== "open";
}

function mayCome(standing: Standing, flags: number, bytes: Uint8Array): boolean {
  const [FRAGMENT, FIRST, RAW] = [1, 2, 4];
  if (standing === "ended") return false;
  switch (flags) {
    case 0:
      return standing === "open" && bytes.length > 0;
    case FRAGMENT:
      return standing === "amid" && bytes.length > 0 && bytes.length <= AMID_BYTES;
    case FRAGMENT | FIRST:
    case FRAGMENT | FIRST | RAW:
      return standing === "open" && bytes.length === 6 && number(bytes) > 0 && number(bytes) < 2 ** 31;
    default:
      return false;
  }
}
