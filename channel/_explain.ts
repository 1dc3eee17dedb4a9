/** Says which value inside an item cannot be sent, and why: the slow second walk after a failed encoding. */

import { DumpError } from "./errors.ts";
import { MAX_DEPTH, MAX_ITEM_BYTES } from "./item.ts";

/** Why a value cannot be sent, before it is known where that value sits. */
export class Refusal extends Error {}

/** The one refusal that is nobody's fault, so that there is no culprit to look for. */
export class TooLong extends Refusal {
  /** Makes the refusal. */
  constructor() {
    super(`its encoding exceeds ${MAX_ITEM_BYTES} bytes`);
  }
}

/** The refusal of a container inside {@linkcode MAX_DEPTH} others. */
export function tooDeep(): Refusal {
  return new Refusal(`it is nested deeper than ${MAX_DEPTH} containers`);
}

/** The refusal of an object that is reached from itself. */
export function inCycle(): Refusal {
  return new Refusal("it is in a cycle, being inside of itself");
}

/** The refusal of an object that the format does not know. */
export function unknownObject(value: object): Refusal {
  return new Refusal(`it is an instance of ${Object.getPrototypeOf(value)?.constructor?.name || "a class"}`);
}

/**
 * Finds the first value that cannot be sent, in the order of writing.
 *
 * @param value The item.
 * @param reason Why the item could not be written: the answer where the second look finds nothing to object to, as
 * only what changes while it is read can fail once and not twice.
 * @param write Tries to write a value that holds no others, inside so many containers.
 * @returns The error that names the culprit.
 */
export function explain(
  value: unknown,
  reason: unknown,
  write: (value: unknown, depth: number) => void,
): DumpError {
  const ancestors: unknown[] = [];
  const visit = (value: unknown, path: string): DumpError | undefined => {
    let at = path;
    try {
      if (!isContainer(value)) return void write(value, ancestors.length);
      if (ancestors.includes(value)) throw inCycle();
      if (ancestors.length >= MAX_DEPTH) throw tooDeep();
      ancestors.push(value);
      for (const [step, read] of children(value)) {
        at = path + step;
        const found = visit(read(), at);
        if (found !== undefined) return found;
        at = path;
      }
      ancestors.pop();
    } catch (error) {
      return refuse(at, error);
    }
  };
  return (reason instanceof TooLong ? undefined : visit(value, "$")) ?? refuse("$", reason);
}

/** The error for a culprit: a refusal's reason is ours, any other error came out of a hook or out of the value. */
function refuse(path: string, reason: unknown): DumpError {
  const text = reason instanceof Error ? reason.message : "it threw while it was read";
  const options = reason instanceof Refusal ? undefined : { cause: reason };
  return new DumpError(`Cannot send ${path}: ${text}`, path, options);
}

function isContainer(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  if (Array.isArray(value)) return prototype === Array.prototype;
  return [null, Object.prototype, Map.prototype, Set.prototype].includes(prototype);
}

/** What a container holds, in the order of writing: the step that leads there, and how it is read. */
function* children(value: object): Generator<[step: string, read: () => unknown]> {
  if (value instanceof Map) {
    let i = 0;
    for (const [key, element] of value) {
      yield [`.keys()[${i}]`, () => key];
      const isPlain = key === null || !/object|function/.test(typeof key);
      const name = typeof key === "string" ? JSON.stringify(key) : String(isPlain && key);
      yield [isPlain ? `.get(${name})` : `.values()[${i}]`, () => element];
      i++;
    }
  } else if (Array.isArray(value) || value instanceof Set) {
    const elements = Array.isArray(value) ? value : [...value];
    for (let i = 0; i < elements.length; i++) yield [`[${i}]`, () => elements[i]];
  } else {
    for (const name of Object.keys(value)) {
      const step = /^[\p{L}$_][\p{L}\p{N}$_]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
      yield [step, () => (value as Record<string, unknown>)[name]];
    }
  }
}
