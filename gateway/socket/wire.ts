/** Bytes of a connection: read exactly, written whole, one frame after the other. */

import { Decoder } from "../../channel/decode.ts";
import { FrameError, HEADER_BYTES, MAX_DATA_BYTES, payloadLength, writeHeader } from "./frames.ts";
import { HELLO_BYTES, mayBeHello } from "./proof.ts";

/** What this needs of a connection. */
export interface Wire {
  /** Reads what is there; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes` and says how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** The connection ended in the middle of something. */
export class EarlyEnd extends Error {
  static {
    this.prototype.name = "EarlyEnd";
  }
}

/** What came is no hello of ours. */
export class NoHello extends Error {
  static {
    this.prototype.name = "NoHello";
  }
  /** What came instead, as far as it was read. */
  readonly bytes: Uint8Array;

  /** Makes the error for what came. */
  constructor(bytes: Uint8Array) {
    super("it is no execnet server");
    this.bytes = bytes;
  }
}

/** Reads exactly so many bytes, and none of what follows. */
export async function readExactly(wire: Wire, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  for (let got = 0; got < count;) {
    const more = await wire.read(bytes.subarray(got));
    if (more === null) throw new EarlyEnd("The connection ended");
    got += more;
  }
  return bytes;
}

/** Reads the other side's hello; gives up at the first byte that no hello has. */
export async function readHello(wire: Wire): Promise<Uint8Array<ArrayBuffer>> {
  const hello = new Uint8Array(HELLO_BYTES);
  for (let got = 0; got < HELLO_BYTES;) {
    const more = await wire.read(hello.subarray(got));
    if (more === null) {
      throw got === 0 ? new EarlyEnd("The connection ended") : new NoHello(hello.slice(0, got));
    }
    got += more;
    if (!mayBeHello(hello.subarray(0, got))) throw new NoHello(hello.slice(0, got));
  }
  return hello;
}

/** Reads one frame, and none of what follows. Its size is looked at before room is made for it. */
export async function readFrame(wire: Wire): Promise<{ kind: number; payload: Uint8Array }> {
  const header = await readExactly(wire, HEADER_BYTES);
  const length = payloadLength(header);
  if (length > MAX_DATA_BYTES * 4) throw new FrameError(`Cannot read a frame of ${length} bytes here`);
  return { kind: header[0]!, payload: await readExactly(wire, length) };
}

/** The fields of an item that must be an object of them. */
export function readFields(payload: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    const decoder = new Decoder();
    decoder.reset(payload);
    value = decoder.next();
  } catch (error) {
    throw new FrameError("Cannot read the content of a frame", { cause: error });
  }
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    throw new FrameError("Cannot read a frame without fields");
  }
  return value as Record<string, unknown>;
}

/** Writes all of `bytes`. */
export async function writeAll(wire: Wire, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await wire.write(rest));
}

/** Writes frames, each as a whole and in the order in which they were given. */
export class FrameWriter {
  readonly #wire: Wire;
  #last: Promise<void> = Promise.resolve();

  /** Makes a writer; it should be the only one. */
  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Writes a frame with a payload that is copied at once. */
  send(kind: number, payload: Uint8Array = new Uint8Array(0)): Promise<void> {
    const frame = new Uint8Array(HEADER_BYTES + payload.length);
    frame.set(payload, HEADER_BYTES);
    return this.sendFilled(kind, frame);
  }

  /** Writes a frame whose payload lies in `frame` already, behind room for the header. */
  sendFilled(kind: number, frame: Uint8Array): Promise<void> {
    writeHeader(frame, kind, frame.length - HEADER_BYTES);
    const written = this.#last.then(() => writeAll(this.#wire, frame));
    this.#last = written.catch(() => {});
    return written;
  }
}
