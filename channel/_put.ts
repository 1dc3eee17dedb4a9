/** Writes numbers and headers at `pos`, where there must be room, and returns the position behind. */

import { EXT } from "./item.ts";

/** The payloads for which an extension has a header without a length. */
const FIXED_EXT_BYTES = [1, 2, 4, 8, 16];

/** Writes a number in its smallest form. */
export function number(buf: Uint8Array, view: DataView, value: number, pos: number): number {
  const int = value | 0;
  if (int === value && (int !== 0 || 1 / value > 0)) {
    if (int < 0x80 && int >= -0x20) {
      buf[pos] = int;
      return pos + 1;
    }
    const lead = int < 0 ? 0xd0 : 0xcc;
    if (int < 0 ? int >= -0x80 : int < 0x100) {
      buf[pos] = lead;
      buf[pos + 1] = int;
      return pos + 2;
    }
    if (int < 0 ? int >= -0x8000 : int < 0x10000) {
      buf[pos] = lead + 1;
      view.setInt16(pos + 1, int);
      return pos + 3;
    }
    buf[pos] = lead + 2;
    view.setInt32(pos + 1, int);
    return pos + 5;
  }
  if (value >>> 0 === value && value !== 0) {
    buf[pos] = 0xce;
    view.setUint32(pos + 1, value);
    return pos + 5;
  }
  if (Math.fround(value) === value || value !== value) {
    buf[pos] = 0xca;
    // There are many NaN, of which one is chosen.
    if (value === value) view.setFloat32(pos + 1, value);
    else view.setInt32(pos + 1, 0x7fc00000);
    return pos + 5;
  }
  buf[pos] = 0xcb;
  view.setFloat64(pos + 1, value);
  return pos + 9;
}

/** Writes one of {@linkcode CONSTANT}. */
export function constant(buf: Uint8Array, value: number, pos: number): number {
  buf[pos] = 0xd4;
  buf[pos + 1] = EXT.CONSTANT;
  buf[pos + 2] = value;
  return pos + 3;
}

/** Writes the header of a string of so many bytes. */
export function stringHeader(buf: Uint8Array, pos: number, length: number): number {
  if (length > 31) return sized(buf, pos, 0xd9, length);
  buf[pos] = 0xa0 | length;
  return pos + 1;
}

/** Ends a string whose bytes lie between `start` and `end`, behind a header at `pos` that may be too narrow. */
export function endString(buf: Uint8Array, pos: number, start: number, end: number): number {
  const length = end - start;
  // To learn the width, the header is first written behind the bytes.
  const begin = pos + stringHeader(buf, end, length) - end;
  if (begin !== start) buf.copyWithin(begin, start, end);
  return stringHeader(buf, pos, length) + length;
}

/** Writes the header of a map (0x80) or an array (0x90). */
export function countHeader(buf: Uint8Array, pos: number, lead: number, count: number): number {
  if (count > 15) return wide(buf, pos, lead === 0x80 ? 0xde : 0xdc, count);
  buf[pos] = lead | count;
  return pos + 1;
}

/** Writes the header of an extension. */
export function extHeader(buf: Uint8Array, type: number, length: number, pos: number): number {
  const fixed = FIXED_EXT_BYTES.indexOf(length);
  if (fixed < 0) pos = sized(buf, pos, 0xc7, length);
  else buf[pos++] = 0xd4 + fixed;
  buf[pos] = type;
  return pos + 1;
}

/** Writes a number in 1, 2 or 4 bytes, for which MessagePack has successive lead bytes. */
export function sized(buf: Uint8Array, pos: number, lead: number, value: number): number {
  if (value > 0xff) return wide(buf, pos, lead + 1, value);
  buf[pos] = lead;
  buf[pos + 1] = value;
  return pos + 2;
}

/** Writes a number in 2 or 4 bytes, likewise. */
function wide(buf: Uint8Array, pos: number, lead: number, value: number): number {
  if (value > 0xffff) {
    buf[pos] = lead + 1;
    return put32(buf, pos + 1, value);
  }
  buf[pos] = lead;
  buf[pos + 1] = value >> 8;
  buf[pos + 2] = value;
  return pos + 3;
}

/** Writes the lower 32 bits, in network order. */
export function put32(buf: Uint8Array, pos: number, value: number): number {
  buf[pos] = value >> 24;
  buf[pos + 1] = value >> 16;
  buf[pos + 2] = value >> 8;
  buf[pos + 3] = value;
  return pos + 4;
}
