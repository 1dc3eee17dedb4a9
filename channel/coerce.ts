/** Turns what was received into the kinds of values that a receiver has asked for. */

import { decodeUtf8, sparse } from "./_revive.ts";

/**
 * Which kinds of received values are turned into others, everywhere in an item: in arrays, plain objects, Maps (keys and
 * values) and Sets. What an Error, a RegExp or a URL holds stays, and so do the keys of plain objects.
 *
 * Each value is turned at most once, so that `bytesAsString` and `stringAsBytes` together swap the two. Keys of a Map or
 * elements of a Set that become equal become one; of a Map the last one's value counts.
 */
export interface CoercionOptions {
  /** A `Uint8Array` becomes a string, read as UTF-8; it stays when it is none. Other binary data stays. */
  bytesAsString?: boolean;
  /** A string becomes a `Uint8Array`, written as UTF-8; it stays when it has lone surrogates, which UTF-8 has not. */
  stringAsBytes?: boolean;
  /**
   * A Map whose keys are all strings, as they came or by `bytesAsString`, becomes a plain object; those keys stay
   * strings. Another Map stays one. `__proto__` becomes a key like any other.
   */
  mapsAsObjects?: boolean;
  /** A bigint becomes a number; it stays where that is no safe integer. */
  bigintAsNumber?: boolean;
}

const NAMES: readonly string[] = [
  "bytesAsString",
  "stringAsBytes",
  "mapsAsObjects",
  "bigintAsNumber",
] satisfies (keyof CoercionOptions)[];

const encoder = new TextEncoder();

/**
 * Checks and copies what a caller gave; `whose` completes the message.
 *
 * @returns The options, or undefined when they ask for nothing.
 * @throws {TypeError} When they are no object, one is unknown, or one is no boolean.
 */
export function checkCoercion(options: CoercionOptions, whose: string): CoercionOptions | undefined {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`Cannot reconfigure ${whose}: the options must be an object`);
  }
  let asked = false;
  for (const [name, value] of Object.entries(options)) {
    if (!NAMES.includes(name)) {
      throw new TypeError(`Cannot reconfigure ${whose}: there is no option "${name}"`);
    }
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(`Cannot reconfigure ${whose}: ${name} must be a boolean, got ${typeof value}`);
    }
    asked ||= value === true;
  }
  return asked ? { ...options } : undefined;
}

/**
 * Turns a decoded item into what was asked for. Arrays and plain objects are changed in place, so that their holes and
 * their layout stay: the item must belong to the caller alone.
 */
export function coerce(value: unknown, options: CoercionOptions): unknown {
  switch (typeof value) {
    case "string":
      return options.stringAsBytes && value.isWellFormed() ? encoder.encode(value) : value;
    case "bigint":
      return options.bigintAsNumber && isSafe(value) ? Number(value) : value;
    case "object":
      return value === null ? value : coerceObject(value, options);
    default:
      return value;
  }
}

function coerceObject(value: object, options: CoercionOptions): unknown {
  if (value instanceof Uint8Array) return options.bytesAsString ? textOf(value) : value;
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    const fields = value as Record<string, unknown>;
    for (const key of Object.keys(fields)) {
      const before = fields[key];
      const after = coerce(before, options);
      // The key is an own one, so this sets it even when it is `__proto__`.
      if (after !== before) fields[key] = after;
    }
    return value;
  }
  if (value instanceof Map) return coerceMap(value, options);
  if (value instanceof Set) return new Set(Array.from(value, (element) => coerce(element, options)));
  return value;
}

function coerceMap(map: Map<unknown, unknown>, options: CoercionOptions): unknown {
  const entries = options.mapsAsObjects ? stringEntries(map, options) : undefined;
  if (entries === undefined) {
    return new Map(Array.from(map, ([key, value]) => [coerce(key, options), coerce(value, options)]));
  }
  const object: Record<string, unknown> = {};
  if (entries.some(([key]) => /^[0-9]/.test(key))) sparse(object);
  for (const [key, before] of entries) {
    const value = coerce(before, options);
    if (key !== "__proto__") object[key] = value;
    else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return object;
}

/** The entries of a Map if all keys are strings or may become some. */
function stringEntries(
  map: Map<unknown, unknown>,
  options: CoercionOptions,
): [string, unknown][] | undefined {
  const entries: [string, unknown][] = [];
  for (const [key, value] of map) {
    const name = options.bytesAsString && key instanceof Uint8Array ? textOf(key) : key;
    if (typeof name !== "string") return undefined;
    entries.push([name, value]);
  }
  return entries;
}

function textOf(bytes: Uint8Array): string | Uint8Array {
  try {
    return decodeUtf8(bytes);
  } catch {
    // No UTF-8, or longer than a string can be.
    return bytes;
  }
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}
