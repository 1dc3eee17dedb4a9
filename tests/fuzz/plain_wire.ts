/** The reader of rsync's messages against a plain twin, with integers of any size: the same values, or an error in both. */

import { ProtocolError } from "../../channel/errors.ts";
import { ByteReader, ByteWriter } from "../../rsync/common/wire.ts";
import { hold } from "./target.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A value, and where the next one begins; undefined where there is none. */
export type Read = { readonly value: unknown; readonly next: number } | undefined;

/** A byte. */
export function plainByte(bytes: Uint8Array, at: number): Read {
  return at < bytes.length ? { value: bytes[at], next: at + 1 } : undefined;
}

/** Eight bytes of seven bits each, and no more than a double holds exactly. */
export function plainNumber(bytes: Uint8Array, at: number): Read {
  let value = 0n;
  for (let i = 0; i < 8; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte >= 0x80) continue;
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? { value: Number(value), next: at + i + 1 } : undefined;
  }
  return undefined;
}

/** The same behind its sign. */
export function plainSigned(bytes: Uint8Array, at: number): Read {
  const number = at < bytes.length ? plainNumber(bytes, at + 1) : undefined;
  if (number === undefined) return undefined;
  const value = number.value as number;
  return { value: bytes[at] === 1 ? -value : value, next: number.next };
}

/** Bytes behind their length. */
export function plainBytes(bytes: Uint8Array, at: number): Read {
  const length = plainNumber(bytes, at);
  if (length === undefined) return undefined;
  const next = length.next + (length.value as number);
  return next <= bytes.length ? { value: bytes.slice(length.next, next), next } : undefined;
}

/** The same as a text. */
export function plainText(bytes: Uint8Array, at: number): Read {
  const content = plainBytes(bytes, at);
  if (content === undefined) return undefined;
  try {
    return { value: strict.decode(content.value as Uint8Array), next: content.next };
  } catch {
    return undefined;
  }
}

interface Way {
  readonly plain: (bytes: Uint8Array, at: number) => Read;
  readonly read: (reader: ByteReader) => unknown;
  readonly write: (writer: ByteWriter, value: never) => unknown;
}

const WAYS: readonly Way[] = [
  { plain: plainByte, read: (reader) => reader.byte(), write: (writer, value: never) => writer.byte(value) },
  {
    plain: plainNumber,
    read: (reader) => reader.number(),
    write: (writer, value: never) => writer.number(value),
  },
  {
    plain: plainSigned,
    read: (reader) => reader.signed(),
    write: (writer, value: never) => writer.signed(value),
  },
  { plain: plainText, read: (reader) => reader.text(), write: (writer, value: never) => writer.text(value) },
  {
    plain: plainBytes,
    read: (reader) => reader.bytes(),
    write: (writer, value: never) => writer.bytes(value),
  },
];

/** Reads values of the kinds that the first byte says, as long as it goes well; says how far that was. */
export function plainRead(input: Uint8Array): string {
  const first = input[0] ?? 0;
  const bytes = input.slice(1);
  const reader = new ByteReader(bytes);
  const writer = new ByteWriter();
  const values: unknown[] = [];
  let at = 0;
  let end = "all";
  for (let i = 0; at < bytes.length; i++) {
    const way = WAYS[(first + i) % WAYS.length]!;
    const expected = way.plain(bytes, at);
    let value: unknown;
    let failed = false;
    try {
      value = way.read(reader);
    } catch (error) {
      hold(error instanceof ProtocolError, `No ProtocolError but ${error}`);
      failed = true;
    }
    hold(
      failed === (expected === undefined),
      `${failed ? "Refused" : "Read"} at ${at}, otherwise than its twin`,
    );
    if (expected === undefined) {
      end = `refused ${i % 5}`;
      break;
    }
    hold(equal(value, expected.value), `Another value at ${at}: ${value} for ${expected.value}`);
    values.push(value);
    way.write(writer, value as never);
    at = expected.next;
  }
  hold(end !== "all" || reader.done, "Something is left where nothing is");
  const again = new ByteReader(writer.take());
  for (const [i, value] of values.entries()) {
    hold(
      equal(WAYS[(first + i) % WAYS.length]!.read(again), value),
      "Another value when it was written again",
    );
  }
  return `wire ${end} ${Math.min(values.length, 6)}`;
}

function equal(a: unknown, b: unknown): boolean {
  if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return a === b || a === 0 && b === 0;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
