/** The frames between client and server, once both have proved themselves: `PROTOCOL.md`. Pure. */

/** What a frame is: a byte of its header. */
export const Kind = {
  /** Bytes for the process, or from it. */
  DATA: 1,
  /** The sender has taken so many bytes: of data (client to server: of output). */
  CREDIT: 2,
  /** No more data will come. */
  END: 3,
  /** Client: start a process. */
  START: 4,
  /** Client: SIGTERM for the process. */
  TERMINATE: 5,
  /** Client: kill the process and all that it started. */
  KILL: 6,
  /** Server: the process has started. */
  STARTED: 7,
  /** Server: no process is started, for this reason. */
  REFUSED: 8,
  /** Server: what the process has printed. */
  OUTPUT: 9,
  /** Server: how the process ended. It is the last frame. */
  EXIT: 10,
} as const;

/** Kind (8 bits), length of the payload (24 bits). */
export const HEADER_BYTES = 4;

/** What the payloads of some kinds may measure; all others have none, and data is not limited. */
const MAX_BYTES: Readonly<Record<number, number>> = {
  [Kind.CREDIT]: 4,
  [Kind.START]: 1024 * 1024,
  [Kind.STARTED]: 64 * 1024,
  [Kind.REFUSED]: 64 * 1024,
  [Kind.OUTPUT]: 64 * 1024,
  [Kind.EXIT]: 1024,
};

/** A frame carries so much data at most; a longer piece is several frames. */
export const MAX_DATA_BYTES: number = 256 * 1024 + 64;

/** So much output is in one frame at most. */
export const MAX_OUTPUT_BYTES: number = MAX_BYTES[Kind.OUTPUT]!;

/** So much data may be on its way to the process that the server has no credit given back for. */
export const DATA_WINDOW_BYTES: number = 4 * 1024 * 1024;

/** So much output may be on its way to the client, likewise. */
export const OUTPUT_WINDOW_BYTES: number = 64 * 1024;

/** The other side does not keep to the protocol. */
export class FrameError extends Error {
  static {
    this.prototype.name = "FrameError";
  }
}

/** Writes a header. */
export function writeHeader(into: Uint8Array, kind: number, length: number): void {
  into[0] = kind;
  into[1] = length >> 16;
  into[2] = length >> 8;
  into[3] = length;
}

/** The length that a header names. Throws for what no frame of its kind may measure. */
export function payloadLength(header: Uint8Array): number {
  const kind = header[0]!;
  const length = header[1]! << 16 | header[2]! << 8 | header[3]!;
  if (kind !== Kind.DATA && length > (MAX_BYTES[kind] ?? 0)) {
    throw new FrameError(`Cannot read a frame of kind ${kind}: ${length} bytes are too many`);
  }
  return length;
}

/** The count in a credit. */
export function creditOf(payload: Uint8Array): number {
  if (payload.length !== 4) throw new FrameError(`Cannot read a credit of ${payload.length} bytes`);
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

/** The payload of a credit. */
export function creditPayload(count: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, count);
  return payload;
}
