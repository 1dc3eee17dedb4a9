/** Items as JSON and back, also those that JSON has no form for. */

import { Channel } from "../mod.ts";

/**
 * What JSON cannot hold is an object with one key, which begins with `$`:
 *
 * | item                            | form                                                      |
 * | ------------------------------- | --------------------------------------------------------- |
 * | `undefined`, a hole in an array | `{"$undefined":true}`                                     |
 * | `NaN`, infinities, `-0`         | `{"$number":"NaN"}`                                       |
 * | bigint                          | `{"$bigint":"123"}`                                       |
 * | Date                            | `{"$date":"2026-01-31T12:00:00.000Z"}`, `null` if invalid |
 * | Uint8Array                      | `{"$bytes":"base64"}`                                     |
 * | other arrays and buffers        | `{"$Float64Array":"base64"}`, by the name of their class  |
 * | Map                             | `{"$map":[[key,value]]}`                                  |
 * | Set                             | `{"$set":[value]}`                                        |
 * | RegExp                          | `{"$regexp":["source","flags"]}`                          |
 * | URL                             | `{"$url":"https://…"}`                                    |
 * | Error                           | `{"$error":{"name":…,"message":…,"stack":…}}`             |
 * | Channel                         | `{"$channel":7}`; cannot be read back                     |
 * | an object that looks like these | `{"$object":{…}}`                                         |
 */
type Form = { readonly [key: `$${string}`]: unknown };

/** Views that are made of a buffer alone, by their names. */
const VIEWS: ReadonlyMap<string, new (buffer: ArrayBuffer) => unknown> = new Map([
  DataView,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
].map((View) => [View.name, View]));

/** One line of JSON for an item. It holds no control character. */
export function json(item: unknown): string {
  switch (typeof item) {
    case "string":
      return quoted(item);
    case "boolean":
      return String(item);
    case "number":
      return Number.isFinite(item) && !Object.is(item, -0)
        ? String(item)
        : form("number", quoted(Object.is(item, -0) ? "-0" : String(item)));
    case "bigint":
      return form("bigint", `"${item}"`);
    case "object":
      return item === null ? "null" : object(item);
    default:
      return form("undefined", "true");
  }
}

/** JSON leaves C1 controls as they are, which some terminals obey. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f]/g,
    (control) => `\\u00${control.charCodeAt(0).toString(16)}`,
  );
}

function form(name: string, text: string): string {
  return `{"$${name}":${text}}`;
}

function array(items: Iterable<unknown>): string {
  return `[${Array.from(items, json).join(",")}]`;
}

function object(item: object): string {
  if (Array.isArray(item)) return array(item);
  if (item instanceof Date) {
    return form("date", Number.isNaN(item.getTime()) ? "null" : json(item.toISOString()));
  }
  if (item instanceof Map) return form("map", array(item));
  if (item instanceof Set) return form("set", array(item));
  if (item instanceof RegExp) return form("regexp", json([item.source, item.flags]));
  if (item instanceof URL) return form("url", json(item.href));
  if (item instanceof Error) return form("error", error(item));
  if (item instanceof ArrayBuffer) return form("ArrayBuffer", base64(new Uint8Array(item)));
  if (ArrayBuffer.isView(item)) {
    const bytes = new Uint8Array(item.buffer, item.byteOffset, item.byteLength);
    return form(item instanceof Uint8Array ? "bytes" : item.constructor.name, base64(bytes));
  }
  if (item instanceof Channel) return form("channel", json(item.id));
  const fields = Object.entries(item);
  const text = `{${fields.map(([key, value]) => `${quoted(key)}:${json(value)}`).join(",")}}`;
  return fields.length === 1 && fields[0]![0].startsWith("$") ? form("object", text) : text;
}

function base64(bytes: Uint8Array): string {
  return `"${bytes.toBase64()}"`;
}

function error({ name, message, stack, cause }: Error): string {
  const fields: Record<string, unknown> = { name, message };
  if (stack !== undefined) fields.stack = stack;
  if (cause !== undefined) fields.cause = cause;
  return json(fields);
}

/**
 * The item of a line of JSON.
 *
 * @throws {SyntaxError} when it is no JSON, or has a form that is none of the above
 */
export function fromJson(text: string): unknown {
  return revive(JSON.parse(text));
}

function revive(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(revive);
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0]!.startsWith("$")) return reform(keys[0]!.slice(1), value as Form);
  const fields = value as Record<string, unknown>;
  // Key by key, so that "__proto__" stays one.
  for (const key of keys) {
    Object.defineProperty(fields, key, {
      value: revive(fields[key]),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return fields;
}

function reform(name: string, value: Form): unknown {
  const inner = value[`$${name}`];
  const fail = (): never => {
    throw new SyntaxError(`There is no form ${JSON.stringify(value).slice(0, 80)}`);
  };
  const text = (): string => typeof inner === "string" ? inner : fail();
  const list = (): unknown[] => Array.isArray(inner) ? inner : fail();
  try {
    switch (name) {
      case "undefined":
        return undefined;
      case "number":
        return /^(NaN|-?Infinity|-0)$/.test(text()) ? Number(inner) : fail();
      case "bigint":
        return /^-?\d+$/.test(text()) ? BigInt(text()) : fail();
      case "date":
        return new Date(inner === null ? NaN : text());
      case "bytes":
        return Uint8Array.fromBase64(text());
      case "map":
        return new Map(
          list().map((pair) => Array.isArray(pair) && pair.length === 2 ? revivePair(pair) : fail()),
        );
      case "set":
        return new Set(list().map(revive));
      case "regexp":
        return new RegExp(String(list()[0]), String(list()[1] ?? ""));
      case "url":
        return new URL(text());
      case "error":
        return typeof inner === "object" && inner !== null ? reviveError({ ...inner }) : fail();
      case "object": {
        // What is inside is no form itself, but may hold some.
        if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return fail();
        return Object.fromEntries(Object.entries(inner).map(([key, each]) => [key, revive(each)]));
      }
      default: {
        const { buffer } = Uint8Array.fromBase64(text());
        if (name === "ArrayBuffer") return buffer;
        const View = VIEWS.get(name) ?? fail();
        return new View(buffer);
      }
    }
  } catch (cause) {
    if (cause instanceof SyntaxError && cause.message.startsWith("There is no form")) throw cause;
    return fail();
  }
}

function revivePair([key, value]: unknown[]): [unknown, unknown] {
  return [revive(key), revive(value)];
}

function reviveError({ name, message, stack, cause }: Record<string, unknown>): Error {
  const error = new Error(String(message ?? ""), cause === undefined ? undefined : { cause: revive(cause) });
  if (typeof name === "string") Object.defineProperty(error, "name", { value: name, configurable: true });
  if (typeof stack === "string") error.stack = stack;
  return error;
}
