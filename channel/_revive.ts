/** Makes the values that the decoder meets seldom, from bytes that may be hostile. */

import { LoadError } from "./errors.ts";
import { BINARY_KINDS, MAX_DEPTH } from "./item.ts";

// Without ignoreBOM a leading U+FEFF would be lost.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const errorTypes: ReadonlyMap<unknown, ErrorConstructor> = new Map(
  ([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError] as const)
    .map((type) => [type.name, type]),
);

/** The error for a payload that is not what its type promises. */
export function invalid(what: string): LoadError {
  return new LoadError(`Cannot load: invalid ${what}`);
}

/** The error for an item that goes on where its input, or the extension around it, ends. */
export function truncated(): LoadError {
  return new LoadError("Cannot load: the input ends inside an item");
}

/** The error for a container inside {@linkcode MAX_DEPTH} others. */
export function tooDeep(): LoadError {
  return new LoadError(`Cannot load: nested deeper than ${MAX_DEPTH} containers`);
}

/**
 * Makes an object keep its numbered properties in a table: for a single "499" it would otherwise set aside room for
 * hundreds, from a few bytes of input.
 */
export function sparse(object: object): void {
  const far = "4294967294";
  Object.assign(object, { [far]: undefined });
  delete (object as Record<string, unknown>)[far];
}

/** Decodes with the lax decoder, twice as fast as the strict one, which then looks at what may be a replacement. */
export function decodeUtf8(bytes: Uint8Array): string {
  const text = utf8.decode(bytes);
  return text.includes("\ufffd") ? strictUtf8.decode(bytes) : text;
}

/** Units that are made a string at once: one by one, each would take thirty times of its bytes until all are there. */
const UNITS_AT_ONCE = 4_096;

/** Makes a string of UTF-16LE units, which may hold lone surrogates. */
export function utf16(bytes: Uint8Array): string {
  if (bytes.length & 1) throw invalid("string");
  const units = new Uint16Array(Math.min(bytes.length / 2, UNITS_AT_ONCE));
  let text = "";
  for (let at = 0; at < bytes.length;) {
    let count = 0;
    for (; count < units.length && at < bytes.length; at += 2) {
      units[count++] = bytes[at]! | bytes[at + 1]! << 8;
    }
    text += String.fromCharCode(...units.subarray(0, count));
  }
  return text;
}

/** Makes a bigint of a sign byte and a magnitude in network order. */
export function bigint(bytes: Uint8Array): bigint {
  const sign = bytes[0]!;
  // V8 holds bigints of up to 2^30 bits.
  if (bytes.length < 2 || bytes.length > 2 ** 27 + 1 || sign > 1) throw invalid("bigint");
  const digits = new Uint8Array(2 * bytes.length);
  bytes.forEach((byte, i) => {
    digits[2 * i] = "0123456789abcdef".charCodeAt(byte >> 4);
    digits[2 * i + 1] = "0123456789abcdef".charCodeAt(byte & 15);
  });
  digits[1] = "x".charCodeAt(0);
  digits[0] = "0".charCodeAt(0);
  const magnitude = BigInt(utf8.decode(digits));
  return sign === 1 ? -magnitude : magnitude;
}

/** Makes binary data of a kind byte and its content. */
export function binary(bytes: Uint8Array): ArrayBuffer | ArrayBufferView {
  const kind = bytes[0];
  const buffer = bytes.slice(1).buffer as ArrayBuffer;
  if (kind === 0) return buffer;
  const Type = BINARY_KINDS[kind ?? -1];
  if (Type === undefined) throw invalid(`kind of binary data: ${kind}`);
  return new Type(buffer);
}

/** Makes an error of the class that its name tells, and never one with a stack of this place. */
export function error(fields: unknown): Error {
  if (typeof fields !== "object" || fields === null || Object.getPrototypeOf(fields) !== Object.prototype) {
    throw invalid("error");
  }
  const { name, message, stack, ...others } = fields as Record<string, unknown>;
  if (typeof name !== "string" || typeof message !== "string") throw invalid("error");
  const isAggregate = name === "AggregateError";
  const Type = errorTypes.get(name) ?? Error;
  const { stackTraceLimit } = Error as { stackTraceLimit?: number };
  let made: Error;
  try {
    (Error as { stackTraceLimit?: number | undefined }).stackTraceLimit = 0;
    made = isAggregate ? new AggregateError([], message) : new Type(message);
  } finally {
    (Error as { stackTraceLimit?: number | undefined }).stackTraceLimit = stackTraceLimit;
  }
  const define = (key: string, value: unknown, enumerable: boolean): Error =>
    Object.defineProperty(made, key, { value, enumerable, writable: true, configurable: true });
  if (!isAggregate && Type.name !== name) define("name", name, false);
  define("stack", typeof stack === "string" ? stack : `${name}: ${message}`, false);
  const names = Object.keys(others);
  if (names.some((name) => /^[0-9]/.test(name))) sparse(made);
  for (const key of names) {
    define(key, others[key], !(key === "cause" || isAggregate && key === "errors"));
  }
  return made;
}
