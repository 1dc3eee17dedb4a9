/** Finds the frames in bytes that come cut anywhere. Pure: it neither reads nor waits. */

import { ProtocolError } from "./errors.ts";
import {
  HEADER_BYTES,
  isChannelFrame,
  isFrameType,
  MAX_PAYLOAD_BYTES,
  readUint32,
  readUint48,
} from "./frame.ts";
import type { FrameType } from "./frame.ts";

/** The first words of every frame: what it says, and about which channel. */
export interface FrameHead {
  type: FrameType;
  flags: number;
  channel: number;
}

/** Who takes the frames. */
export interface FrameSink {
  /**
   * A whole frame. Its payload is `bytes` from `start` to `end`, its header the bytes just before `start`.
   * All of it is valid only during the call, unless `owned` says that nobody else will use `bytes`.
   */
  frame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void;
  /**
   * Asks for a place of exactly `length` bytes for a payload of which only a part has come, so that the rest
   * can be read right into it; `placed` follows. With `undefined` the reader makes room itself, and `frame` follows.
   */
  place(head: FrameHead, length: number): Uint8Array | undefined;
  /** The payload for which `place` gave room is all there. */
  placed(head: FrameHead, payload: Uint8Array): void;
}

/** 64 KiB holds thousands of small frames a read, and is cheap to keep for each connection. */
const BUFFER_BYTES = 64 * 1024;

/** Payloads from this size on are read right to where they belong; smaller ones are cheaper to copy. */
const PLACE_FROM_BYTES = 8 * 1024;

/**
 * A reader of frames. Give it bytes by filling {@linkcode FrameReader.space} and telling how many with
 * {@linkcode FrameReader.filled}, or whole chunks with {@linkcode FrameReader.push}.
 *
 * - The length in a header is checked before anything is allocated for it.
 * - An unknown type, a length over the limit or a channel id where none belongs is a {@linkcode ProtocolError}.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #limit: number;
  readonly #head: FrameHead = { type: 1, flags: 0, channel: 0 };
  #buffer: Uint8Array | undefined;
  #start = 0;
  #end = 0;
  /** Where the payload of the current frame goes, and whether the sink gave that place. */
  #placing: { head: FrameHead; into: Uint8Array; got: number; given: boolean } | undefined;

  /** Makes a reader that hands its frames to `sink`, and takes payloads of so many bytes at the most. */
  constructor(sink: FrameSink, limit: number = MAX_PAYLOAD_BYTES) {
    this.#sink = sink;
    this.#limit = limit;
  }

  /** Where the next bytes go. Never empty. */
  space(): Uint8Array {
    const placing = this.#placing;
    if (placing !== undefined) return placing.into.subarray(placing.got);
    this.#buffer ??= new Uint8Array(BUFFER_BYTES);
    return this.#end === 0 ? this.#buffer : this.#buffer.subarray(this.#end);
  }

  /** Takes the first `count` bytes of what `space` gave. */
  filled(count: number): void {
    const placing = this.#placing;
    if (placing !== undefined) {
      placing.got += count;
      if (placing.got === placing.into.length) this.#finishPlacing(placing);
      return;
    }
    this.#end += count;
    const buffer = this.#buffer!;
    this.#start = this.#parse(buffer, this.#start, this.#end, false);
    if (this.#placing !== undefined || this.#start === this.#end) {
      this.#start = this.#end = 0;
    } else if (this.#start > 0) {
      buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
  }

  /** Takes a chunk that nobody else uses. Frames that lie whole in it are not copied; who takes the last may free it. */
  push(chunk: Uint8Array): void {
    const { length } = chunk;
    let offset = 0;
    while (offset < length) {
      if (this.#placing === undefined && this.#end === 0) {
        offset = this.#parse(chunk, offset, length, true);
        if (this.#placing !== undefined) return;
        if (offset === length) return;
      }
      const space = this.space();
      const part = chunk.subarray(offset, offset + space.length);
      space.set(part);
      this.filled(part.length);
      offset += part.length;
    }
  }

  /** Whether the bytes so far end between two frames. */
  get atBoundary(): boolean {
    return this.#placing === undefined && this.#end === 0;
  }

  /** Hands over the whole frames between `start` and `end`, and returns where the first incomplete one begins. */
  #parse(bytes: Uint8Array, start: number, end: number, owned: boolean): number {
    const sink = this.#sink;
    const head = this.#head;
    while (end - start >= HEADER_BYTES) {
      const type = bytes[start]!;
      if (!isFrameType(type)) throw new ProtocolError(`Cannot read a frame: ${type} is no frame type`);
      const channel = readUint48(bytes, start + 2);
      const length = readUint32(bytes, start + 8);
      if (length > this.#limit) {
        throw new ProtocolError(`Cannot read a frame: its payload of ${length} bytes is over the limit`);
      }
      if (isChannelFrame(type) === (channel === 0)) {
        throw new ProtocolError(`Cannot read a frame: type ${type} with channel id ${channel}`);
      }
      head.type = type;
      head.flags = bytes[start + 1]!;
      head.channel = channel;
      const payload = start + HEADER_BYTES;
      if (end - payload >= length) {
        sink.frame(head, bytes, payload, payload + length, owned);
        start = payload + length;
        continue;
      }
      if (length < PLACE_FROM_BYTES) break;
      const given = sink.place(head, length);
      const into = given ?? new Uint8Array(HEADER_BYTES + length);
      const got = end - payload;
      if (given !== undefined) {
        into.set(bytes.subarray(payload, end));
        this.#placing = { head: { ...head }, into, got, given: true };
      } else {
        into.set(bytes.subarray(start, end));
        this.#placing = { head: { ...head }, into, got: HEADER_BYTES + got, given: false };
      }
      return end;
    }
    return start;
  }

  #finishPlacing(placing: { head: FrameHead; into: Uint8Array; given: boolean }): void {
    this.#placing = undefined;
    const { head, into } = placing;
    if (placing.given) this.#sink.placed(head, into);
    else this.#sink.frame(head, into, HEADER_BYTES, into.length, true);
  }
}
