/** The far side of the prompt: one execution, which holds what the inputs have declared. It is shipped as a function. */

import type { Channel } from "../../mod.ts";
import type { FarOptions, Outcome, Reply, Request } from "./wire.ts";

/** Evaluates inputs until the channel ends. */
export async function farSide(
  channel: Channel<Request, Reply>,
  { colours, base, mark }: FarOptions,
): Promise<void> {
  const maxShown = 100_000;
  const { inspect, stdout } = Deno;
  const encoder = new TextEncoder();

  // What the platform computes when it is asked for may be looked at; what programs put there may not.
  const lazy = new Set<unknown>();
  for (const object of [globalThis, Deno]) {
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(object))) {
      if (get !== undefined && !/^(?:localStorage|sessionStorage|caches)$/.test(name)) lazy.add(get);
    }
  }

  // The channel is the prompt's: nobody would read what is sent on it.
  for (const name of ["channel", "__name__"]) Reflect.deleteProperty(globalThis, name);

  // Whatever the session has not is a global's, or nobody's.
  const unknown = (name: PropertyKey): never => {
    throw new ReferenceError(`${String(name)} is not defined`);
  };
  const session: Record<string, unknown> = Object.create(
    new Proxy(Object.create(null), {
      get: (_, name) => name in globalThis ? Reflect.get(globalThis, name) : unknown(name),
      set: (_, name, value) => name in globalThis ? Reflect.set(globalThis, name, value) : unknown(name),
    }),
  );
  const define = (name: string, descriptor: PropertyDescriptor): void => {
    Object.defineProperty(session, name, { enumerable: true, configurable: true, ...descriptor });
  };
  const variable = (name: string, value: unknown): void => define(name, { value, writable: true });
  /** A name that is declared and not there yet. */
  const unborn = new Map<string, () => unknown>();
  const isUnborn = (name: string): boolean =>
    unborn.has(name) && Object.getOwnPropertyDescriptor(session, name)?.get === unborn.get(name);
  const declare = (vars: readonly string[], lets: readonly string[]): void => {
    for (const name of [...vars, ...lets]) {
      if (Object.hasOwn(session, name) && !isUnborn(name)) {
        // Declared anew, and what it was until that is reached; a constant is none any more.
        variable(name, session[name]);
      } else if (vars.includes(name)) variable(name, undefined);
      else {
        const get = (): never => {
          throw new ReferenceError(`Cannot access '${name}' before initialization`);
        };
        unborn.set(name, get);
        define(name, { get, set: (value) => variable(name, value) });
      }
    }
  };
  const forgetUnborn = (names: readonly string[]): void => {
    for (const name of names) {
      if (isUnborn(name)) Reflect.deleteProperty(session, name);
      unborn.delete(name);
    }
  };
  const constant = (name: string, get: () => unknown): void => {
    const set = (): never => {
      throw new TypeError("Assignment to constant variable.");
    };
    define(name, { get, set });
  };
  /** The last value and the last error, until somebody declares or assigns a name like theirs. */
  const last: Record<string, unknown> = { _: undefined, _error: undefined };
  for (const name of Object.keys(last)) {
    define(name, { get: () => last[name], set: (value) => variable(name, value) });
  }

  const meta = { url: new URL("prompt.ts", base).href, main: false, resolve: (to: string) => resolve(to) };
  const resolve = (specifier: unknown): string => {
    const text = String(specifier);
    return /^(?:\.{0,2}\/)/.test(text) ? new URL(text, base).href : text;
  };
  const helper = (): Record<string, unknown> => ({
    value: undefined,
    meta,
    fix(...names: string[]): void {
      for (const name of names) {
        const value = session[name];
        constant(name, () => value);
      }
    },
    type: (name: string) =>
      name in globalThis || Object.hasOwn(session, name) ? typeof session[name] : "undefined",
    load: (specifier: unknown, options?: ImportCallOptions) => import(resolve(specifier), options),
    async bind(
      specifier: string,
      attributes: Record<string, string>,
      names: [string, string][],
    ): Promise<void> {
      const module = await import(resolve(specifier), { with: attributes });
      for (const [local, imported] of names) {
        if (imported !== "*" && !(imported in module)) {
          throw new SyntaxError(
            `The requested module '${specifier}' does not provide an export named '${imported}'`,
          );
        }
        constant(local, () => imported === "*" ? module : module[imported]);
      }
    },
  });

  const shown = (value: unknown): string => {
    let text: string;
    try {
      text = inspect(value, { colors: colours, depth: 4, iterableLimit: 100, strAbbreviateSize: 10_000 });
    } catch (error) {
      text = "[cannot be shown]";
      try {
        const { message } = error as Error;
        if (typeof message === "string") text = `[cannot be shown: ${message}]`;
      } catch {
        // Nor can it be asked why.
      }
    }
    const more = text.length - maxShown;
    return more > 0 ? `${text.slice(0, maxShown)}… (${more} more characters)` : text;
  };
  const marked = (id: number): boolean => {
    try {
      stdout.writeSync(encoder.encode(`${mark}${id}${mark}`));
      return true;
    } catch {
      return false; // Somebody has closed it.
    }
  };
  let interrupt = (): void => {};
  const evaluate = async ({ id, code, vars, lets }: Request & { kind: "evaluate" }): Promise<void> => {
    const { promise: interrupted, resolve } = Promise.withResolvers<Outcome>();
    interrupt = () => resolve("interrupted");
    const own = helper();
    const run = async (): Promise<Outcome> => {
      try {
        declare(vars, lets);
        await (0, eval)(`${code}\n//# sourceURL=execnet:repl/${id}`)(session, own);
        last._ = own.value;
        return own.value === undefined ? "nothing" : "value";
      } catch (error) {
        own.value = last._error = error;
        return "error";
      } finally {
        forgetUnborn(lets);
      }
    };
    const outcome = await Promise.race([run(), interrupted]);
    const text = outcome === "interrupted" ? "" : shown(own.value);
    await channel.send({ kind: "done", id, outcome, text, marked: marked(id) });
  };

  /** The names that a path leads to, without running anything that a program has put in its way. */
  const namesBelow = async (path: readonly string[]): Promise<string[]> => {
    if (path.length === 0) return Object.keys(session).concat(Object.getOwnPropertyNames(globalThis));
    const { types } = await import("node:util");
    const propertyOf = (object: unknown, name: string): unknown => {
      for (let one = object; one !== null && one !== undefined; one = Object.getPrototypeOf(one)) {
        if (types.isProxy(one)) return undefined;
        const found = Object.getOwnPropertyDescriptor(one, name);
        if (found === undefined) continue;
        return found.get === undefined || !lazy.has(found.get)
          ? found.value
          : Reflect.apply(found.get, one, []);
      }
      return undefined;
    };
    let value: unknown;
    for (const [index, name] of path.entries()) {
      if (index > 0) value = propertyOf(Object(value), name);
      else if (name === "this") value = globalThis;
      else if (!Object.hasOwn(session, name)) value = propertyOf(globalThis, name);
      else if (isUnborn(name)) return [];
      // The accessors of a session are its own: they run nothing.
      else value = session[name];
      if (value === undefined || value === null) return [];
    }
    const names: string[] = [];
    for (let one = Object(value); one !== null && !types.isProxy(one); one = Object.getPrototypeOf(one)) {
      names.push(...Object.getOwnPropertyNames(one).slice(0, 10_000));
    }
    return names;
  };

  // The agent looks here before it ends an execution with an error that nobody caught.
  Object.defineProperty(globalThis, Symbol.for("execnet.uncaught"), {
    configurable: true,
    value: (error: unknown) => {
      channel.send({ kind: "uncaught", text: shown(error) }).catch(() => {});
    },
  });
  await channel.send({ kind: "ready", globals: Object.getOwnPropertyNames(globalThis) });
  for await (const request of channel) {
    switch (request.kind) {
      case "evaluate":
        // Whatever an input has done to what this stands on, the prompt waits for an answer.
        evaluate(request).catch((error) =>
          channel.send({ kind: "done", id: request.id, outcome: "error", text: shown(error), marked: false })
        ).catch(() => {});
        break;
      case "interrupt":
        interrupt();
        break;
      case "complete":
        await channel.send({ kind: "names", id: request.id, names: await namesBelow(request.path) });
        break;
    }
  }
}
