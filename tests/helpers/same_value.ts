/** Compares two items as exactly as the item format promises to keep them. */

import { assert, assertEquals, assertStrictEquals } from "jsr:@std/assert@^1.0.19";

/** Throws an AssertionError that names the place, unless both are the same value: same type, same bits, same holes. */
export function assertSame(actual: unknown, expected: unknown, path = "$"): void {
  if (typeof expected !== "object" || expected === null) {
    assert(Object.is(actual, expected), `${path}: ${typeof actual} is not ${String(expected)}`);
    return;
  }
  assert(typeof actual === "object" && actual !== null, `${path}: ${typeof actual} is not an object`);
  assertStrictEquals(Object.prototype.toString.call(actual), Object.prototype.toString.call(expected), path);
  if (expected instanceof Error) {
    const other = actual as Error;
    for (const name of ["name", "message", "stack", "cause", "errors"] as const) {
      assertSame(other[name as "cause"], expected[name as "cause"], `${path}.${name}`);
    }
    assertEquals("cause" in other, "cause" in expected, path);
    assertSame(inOrder(other), inOrder(expected), path);
    return;
  }
  assertStrictEquals(
    Object.getPrototypeOf(actual),
    Object.getPrototypeOf(expected) ?? Object.prototype,
    path,
  );
  if (expected instanceof Map) {
    assertSame([...actual as Map<unknown, unknown>], [...expected], path);
  } else if (expected instanceof Set) {
    assertSame([...actual as Set<unknown>], [...expected], path);
  } else if (expected instanceof Date) {
    assertSame((actual as Date).getTime(), expected.getTime(), path);
  } else if (expected instanceof RegExp || expected instanceof URL) {
    assertEquals(String(actual), String(expected), path);
  } else if (expected instanceof ArrayBuffer || ArrayBuffer.isView(expected)) {
    const bytes = actual instanceof ArrayBuffer
      ? new Uint8Array(actual)
      : ownBytes(actual as ArrayBufferView, path);
    assertEquals(bytes, expected instanceof ArrayBuffer ? new Uint8Array(expected) : viewed(expected), path);
  } else {
    if (Array.isArray(expected)) assertEquals((actual as unknown[]).length, expected.length, path);
    // The names come in the same order; an array's holes have none.
    assertEquals(Object.keys(actual as object), Object.keys(expected), path);
    for (const name of Object.keys(expected)) {
      const [mine, theirs] = [actual, expected].map((from) =>
        Object.getOwnPropertyDescriptor(from, name)?.value
      );
      assertSame(mine, theirs, `${path}.${name}`);
    }
  }
}

/** The own fields of an error, in one order: that of the format is its own. */
function inOrder(error: Error): Record<string, unknown> {
  return Object.fromEntries(Object.entries(error).sort(([a], [b]) => a < b ? -1 : 1));
}

function viewed(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function ownBytes(view: ArrayBufferView, path: string): Uint8Array {
  assertEquals(view.byteOffset, 0, path);
  assertEquals(view.byteLength, view.buffer.byteLength, path);
  return viewed(view);
}
