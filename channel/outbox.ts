/** What one channel has to send: whole frames in order, small items packed together. A hot path; see tests/bench. */

import {
  DataFlag,
  frameBytes,
  FrameType,
  HEADER_BYTES,
  writeHeader,
  writeUint32,
  writeUint48,
} from "./frame.ts";
import { free } from "./free.ts";
import { FRAME_COST_BYTES } from "./window.ts";

/** An item up to this size joins others in one frame; a longer one gets frames of its own. */
export const PACK_BYTES: number = 16 * 1024;

/** Room of a buffer for packed items, first and at the most. */
const FIRST_ROOM_BYTES = 512;
const MOST_ROOM_BYTES = 64 * 1024;

/** From here on a sender waits for the writer, so that both work at the same time and not in turns. */
export const BACKLOG_BYTES: number = 64 * 1024;

/** Bytes of whole frames, from `start` to `end` of a buffer that is filled from the left. */
interface Segment {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
  /** Where the frame begins that further items may join, or -1. */
  openAt: number;
  /** The buffer goes to the pool: when all that was packed in it has left, or when the run of a long item has. */
  readonly reuse: "packed" | "run" | "no";
}

/** Buffers that have been written and can be filled again: new memory costs more than a copy into old memory. */
export class BufferPool {
  readonly #buffers: Uint8Array[] = [];
  readonly #small: Uint8Array[] = [];
  readonly #runs: Uint8Array[] = [];

  /** A full-size buffer for packed items. */
  take(): Uint8Array {
    return this.#buffers.pop() ?? new Uint8Array(MOST_ROOM_BYTES);
  }

  /** A small buffer for a lone item. */
  takeSmall(): Uint8Array {
    return this.#small.pop() ?? new Uint8Array(FIRST_ROOM_BYTES);
  }

  /** A buffer of exactly `size` bytes: programs that send long items often send them in one size. */
  takeExact(size: number): Uint8Array {
    const at = this.#runs.findIndex((run) => run.length === size);
    return at < 0 ? new Uint8Array(size) : this.#runs.splice(at, 1)[0]!;
  }

  /** Takes a buffer back, unless it was transferred in the meantime. */
  give(buffer: Uint8Array): void {
    if (buffer.length === MOST_ROOM_BYTES) {
      if (this.#buffers.length < MAX_POOLED) this.#buffers.push(buffer);
    } else if (buffer.length === FIRST_ROOM_BYTES) {
      if (this.#small.length < MAX_POOLED_SMALL) this.#small.push(buffer);
    } else if (buffer.length > 0 && buffer.length <= MAX_POOLED_RUN_BYTES) {
      this.#runs.push(buffer);
      if (this.#runs.length > MAX_POOLED_RUNS) free(this.#runs.shift()!);
    } else {
      free(buffer);
    }
  }
}

const MAX_POOLED = 4;
const MAX_POOLED_SMALL = 32;
const MAX_POOLED_RUNS = 2;
const MAX_POOLED_RUN_BYTES = 2 * 1024 * 1024;

/** Up to here a loop is faster than a view and a call. */
const LOOP_BYTES = 24;

function copy(from: Uint8Array, to: Uint8Array, offset: number): void {
  const { length } = from;
  if (length > LOOP_BYTES) to.set(from, offset);
  else for (let i = 0; i < length; i++) to[offset + i] = from[i]!;
}

/** A queue of frames of one channel, from which a writer takes as much as it can use. */
export class Outbox {
  /** The channel's id. */
  readonly channel: number;
  /** Set and cleared by the writer: whether it waits in line there. */
  queued = false;
  /** Bytes that wait. */
  bytes = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #segments: Segment[] = [];
  #spent: Uint8Array | undefined;
  #room = FIRST_ROOM_BYTES;
  readonly #pool: BufferPool;

  /** Makes an empty queue. */
  constructor(channel: number, pool: BufferPool = new BufferPool()) {
    this.channel = channel;
    this.#pool = pool;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#segments.length === 0;
  }

  /** Bytes of the first contiguous piece, 0 when nothing waits. */
  get nextBytes(): number {
    const head = this.#segments[0];
    return head === undefined ? 0 : head.end - head.start;
  }

  /**
   * Appends a small item, to the last frame if that has room.
   *
   * @returns what that takes from the window
   */
  appendItem(item: Uint8Array): number {
    const length = item.length;
    let tail = this.#segments[this.#segments.length - 1];
    if (tail !== undefined && tail.openAt >= 0) {
      const end = tail.end;
      if (end + length <= tail.bytes.length && end + length - tail.openAt <= HEADER_BYTES + PACK_BYTES) {
        copy(item, tail.bytes, end);
        tail.end = end + length;
        writeUint32(tail.bytes, tail.openAt + 8, tail.end - tail.openAt - HEADER_BYTES);
        this.bytes += length;
        return length;
      }
      tail.openAt = -1;
    }
    if (tail === undefined || tail.bytes.length - tail.end < HEADER_BYTES + length) {
      tail = this.#addSegment(HEADER_BYTES + length);
    }
    tail.openAt = tail.end;
    writeHeader(tail.bytes, tail.end, FrameType.DATA, 0, this.channel, length);
    copy(item, tail.bytes, tail.end + HEADER_BYTES);
    tail.end += HEADER_BYTES + length;
    this.bytes += HEADER_BYTES + length;
    return length + FRAME_COST_BYTES;
  }

  /**
   * Appends the whole frames that lie between `start` and `end`. `bytes` belongs to the queue from now on; with `run`
   * it is that of {@linkcode fragmentItem}, whose end is the end of its item.
   */
  appendFrames(bytes: Uint8Array, start: number, end: number, run = false): void {
    this.bytes += end - start;
    const tail = this.#segments[this.#segments.length - 1];
    if (tail !== undefined) {
      tail.openAt = -1;
      if (tail.bytes === bytes && tail.end === start) {
        tail.end = end;
        return;
      }
    }
    this.#segments.push({ bytes, start, end, openAt: -1, reuse: run ? "run" : "no" });
  }

  /** Takes whole frames, `budget` bytes of them or one frame. Not to be called on an empty queue. */
  take(budget: number): Uint8Array {
    const head = this.#segments[0]!;
    const { bytes, start } = head;
    let end = head.end;
    if (end - start > budget) {
      end = start + frameBytes(bytes, start);
      while (end < head.end) {
        const next = end + frameBytes(bytes, end);
        if (next - start > budget) break;
        end = next;
      }
    }
    if (end === head.end) {
      this.#segments.shift();
      if (head.reuse === "packed" || (head.reuse === "run" && end === bytes.length)) this.#spent = bytes;
      // A burst makes the next buffer larger, a lone item smaller again.
      if (end < bytes.length / 4) this.#room = FIRST_ROOM_BYTES;
    } else {
      head.start = end;
    }
    this.bytes -= end - start;
    if (this.#drained !== undefined && this.bytes < BACKLOG_BYTES) this.#release();
    return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  }

  /** What `take` gave has been written: its buffer may be filled again, or is given back. It may be empty from now on. */
  written(): void {
    if (this.#spent !== undefined) this.#pool.give(this.#spent);
    this.#spent = undefined;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#segments = [];
    this.bytes = 0;
    this.#release();
  }

  /** Resolves when little enough waits for more to be worth making. */
  drained(): Promise<void> {
    this.#drained ??= Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  #release(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #addSegment(least: number): Segment {
    const room = this.#room;
    if (room < MOST_ROOM_BYTES && this.#segments.length > 0) this.#room = Math.min(MOST_ROOM_BYTES, room * 8);
    const size = Math.max(least, room);
    const pooled = size > MOST_ROOM_BYTES / 4;
    const bytes = pooled
      ? this.#pool.take()
      : size <= FIRST_ROOM_BYTES
      ? this.#pool.takeSmall()
      : new Uint8Array(size);
    const segment: Segment = { bytes, start: 0, end: 0, openAt: -1, reuse: "packed" };
    this.#segments.push(segment);
    return segment;
  }
}

/**
 * The frames of one item that is too long to be packed: a FIRST frame that holds its length, then its parts. All lie
 * in one buffer; the item is copied, so that it may change as soon as this has returned.
 */
export function fragmentItem(
  channel: number,
  item: Uint8Array,
  raw: boolean,
  fragmentBytes: number,
  pool: BufferPool = new BufferPool(),
): Uint8Array {
  const flags = DataFlag.FRAGMENT | (raw ? DataFlag.RAW : 0);
  const count = Math.ceil(item.length / fragmentBytes);
  const run = pool.takeExact(HEADER_BYTES + TOTAL_BYTES + count * HEADER_BYTES + item.length);
  writeHeader(run, 0, FrameType.DATA, flags | DataFlag.FIRST, channel, TOTAL_BYTES);
  writeUint48(run, HEADER_BYTES, item.length);
  let to = HEADER_BYTES + TOTAL_BYTES;
  for (let from = 0; from < item.length; from += fragmentBytes) {
    const part = Math.min(fragmentBytes, item.length - from);
    writeHeader(run, to, FrameType.DATA, flags, channel, part);
    run.set(from === 0 && part === item.length ? item : item.subarray(from, from + part), to + HEADER_BYTES);
    to += HEADER_BYTES + part;
  }
  return run;
}

/** Bytes of a FIRST frame's payload: the length of the item, 48 bits. */
export const TOTAL_BYTES = 6;
