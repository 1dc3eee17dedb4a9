/** The frame: a header of 12 bytes, then a payload. Everything that crosses a connection is one. See PROTOCOL.md. */

/** The version of the wire protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;

/** Bytes of a frame header: type, flags, channel id (48 bits), payload length (32 bits), big-endian. */
export const HEADER_BYTES = 12;

/** The longest payload a frame may have. A longer one is refused before anything is allocated for it. */
export const MAX_PAYLOAD_BYTES: number = 256 * 1024;

/** The same on a bypass, where a long frame holds up nobody but the execution whose link it is. */
export const MAX_BYPASS_PAYLOAD_BYTES: number = 1024 * 1024;

/** The highest channel id: 48 bits. */
export const MAX_CHANNEL_ID: number = 2 ** 48 - 1;

/**
 * Ids that an execution has for channels that it makes, of which every second one is its side's. Executions that are
 * apart have such blocks, so that no two of them ever use the same id.
 */
export const ID_BLOCK: number = 2 ** 21;

/** Whether an id is in the block that begins with `first`. */
export function isInBlock(id: number, first: number): boolean {
  return id >= first && id < first + ID_BLOCK;
}

/** What a frame says. Types below 16 concern the connection and carry channel id 0. */
export const FrameType = {
  PING: 1,
  PONG: 2,
  REQUEST: 3,
  REPLY: 4,
  TERMINATE: 5,
  EXEC: 16,
  OPEN: 17,
  DATA: 18,
  CREDIT: 19,
  CLOSE_WRITE: 20,
  CLOSE: 21,
  KILL: 22,
  DONE: 23,
  BYPASS: 24,
} as const;

/** One of the values of {@linkcode FrameType}. */
export type FrameType = typeof FrameType[keyof typeof FrameType];

/** Flags of a DATA frame. */
export const DataFlag = {
  /** The payload is a part of one item; without it, the payload is one or more whole items. */
  FRAGMENT: 1,
  /** Opens such an item: the payload is the item's length, 48 bits. */
  FIRST: 2,
  /** The item is the content of a `Uint8Array`, as it is; without it, MessagePack. */
  RAW: 4,
} as const;

const LOWEST_CHANNEL_TYPE = FrameType.EXEC;
const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(FrameType));

/** Whether `type` is one that this version knows. */
export function isFrameType(type: number): type is FrameType {
  return KNOWN_TYPES.has(type);
}

/** Whether frames of this type belong to a channel, not to the connection. */
export function isChannelFrame(type: number): boolean {
  return type >= LOWEST_CHANNEL_TYPE;
}

/** Writes a header at `offset`. */
export function writeHeader(
  into: Uint8Array,
  offset: number,
  type: FrameType,
  flags: number,
  channel: number,
  length: number,
): void {
  into[offset] = type;
  into[offset + 1] = flags;
  writeUint48(into, offset + 2, channel);
  into[offset + 8] = length >>> 24;
  into[offset + 9] = length >>> 16;
  into[offset + 10] = length >>> 8;
  into[offset + 11] = length;
}

/** Writes an integer of 48 bits, big-endian. */
export function writeUint48(into: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  into[offset] = high >>> 8;
  into[offset + 1] = high;
  into[offset + 2] = value >>> 24;
  into[offset + 3] = value >>> 16;
  into[offset + 4] = value >>> 8;
  into[offset + 5] = value;
}

/** Reads an integer of 48 bits, big-endian. */
export function readUint48(from: Uint8Array, offset: number): number {
  return (from[offset]! * 256 + from[offset + 1]!) * 0x1_0000_0000 + readUint32(from, offset + 2);
}

/** Writes an integer of 32 bits, big-endian. */
export function writeUint32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}

/** Reads an integer of 32 bits, big-endian. */
export function readUint32(from: Uint8Array, offset: number): number {
  return from[offset]! * 0x100_0000 +
    ((from[offset + 1]! << 16) | (from[offset + 2]! << 8) | from[offset + 3]!);
}

/** The whole length, header included, of the frame that begins at `offset`. */
export function frameBytes(from: Uint8Array, offset: number): number {
  return HEADER_BYTES + readUint32(from, offset + 8);
}

/** Makes a frame with a small payload. */
export function makeFrame(
  type: FrameType,
  channel: number,
  payload: Uint8Array = EMPTY,
  flags: number = 0,
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  writeHeader(frame, 0, type, flags, channel, payload.length);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** No bytes. */
export const EMPTY: Uint8Array = new Uint8Array(0);
