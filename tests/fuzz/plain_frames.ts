/** The plain twin of the frame reader: all bytes at once, one frame after the other, no buffers. See PROTOCOL.md. */

import { FrameType, MAX_PAYLOAD_BYTES } from "../../channel/frame.ts";

/** A frame, with a copy of its payload. */
export interface PlainFrame {
  readonly type: number;
  readonly flags: number;
  readonly channel: number;
  readonly payload: Uint8Array;
  /** Where its header is. */
  readonly at: number;
}

/** What some bytes are. */
export interface PlainFrames {
  readonly frames: readonly PlainFrame[];
  /** How they end: between two frames, amid one, or with a frame that is none: then why. */
  readonly end: "boundary" | "amid" | { readonly error: string };
}

const TYPES: readonly number[] = Object.values(FrameType);
const HEADER = 12;

/** Reads all frames. */
export function plainFrames(bytes: Uint8Array, limit: number = MAX_PAYLOAD_BYTES): PlainFrames {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: PlainFrame[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const type = view.getUint8(at);
    const channel = view.getUint16(at + 2) * 2 ** 32 + view.getUint32(at + 4);
    const length = view.getUint32(at + 8);
    if (!TYPES.includes(type)) return { frames, end: { error: "no frame type" } };
    if (length > limit) return { frames, end: { error: "over the limit" } };
    if (type < 16 !== (channel === 0)) return { frames, end: { error: "with channel id" } };
    if (bytes.length - at - HEADER < length) return { frames, end: "amid" };
    const payload = bytes.slice(at + HEADER, at + HEADER + length);
    frames.push({ type, flags: view.getUint8(at + 1), channel, payload, at });
    at += HEADER + length;
  }
  return { frames, end: at === bytes.length ? "boundary" : "amid" };
}

/** A short text that differs for different bytes, as a rule. */
export function digest(bytes: Uint8Array): string {
  if (bytes.length <= 24) return bytes.toHex();
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
  return `${bytes.length}:${hash}`;
}
