/** What is shipped, in the form that executions take. Loaded when a gateway is made, because parsers are heavy. */

import { functionSource } from "./function_source.ts";
import type { FunctionOptions } from "./function_source.ts";
import { moduleSource } from "./module_source.ts";
import type { Place } from "./place.ts";

/** Any function. */
// deno-lint-ignore no-explicit-any -- parameters of a function that is only read
export type AnyFunction = (...args: any[]) => unknown;

/** Code that can be sent. */
export interface Shipment {
  /** The code. */
  readonly text: string;
  /** What stacks call it. */
  readonly name: string;
  /** Of a module: which of its exports is called, and whether it is TypeScript. */
  readonly module?: { readonly export: string; readonly typescript: boolean };
  /** A generator gives items; all else runs to its end. */
  readonly kind: "function" | "generator" | "module";
  /** Rewrites the lines of a remote stack that are in this code to those of the caller's own files. */
  readStack(stack: string): string;
}

/** What looks at code before it is sent. */
export interface Shipping {
  /** Throws TypeError when the function cannot be shipped. */
  shipFunction(fn: AnyFunction, options?: FunctionOptions): Shipment;
  /** Rejects when there is no such module, when it cannot be put together, or with the reason of the signal. */
  shipModule(url: URL, signal: AbortSignal): Promise<Shipment>;
}

/** What an agent calls the code that it was sent. No name holds `<`; looking past one would take the square of the time. */
const SENT = /<remote exec[^<>\n]*>:(\d+):(\d+)/g;

function stackReader(
  locate: (line: number, column: number) => Place | undefined,
): (stack: string) => string {
  return (stack) =>
    stack.replace(SENT, (sent, line, column) => {
      const place = locate(Number(line), Number(column));
      return place === undefined ? sent : `${place.url}:${place.line}:${place.column}`;
    });
}

/** The real one. */
export const shipping: Shipping = {
  shipFunction(fn, options): Shipment {
    const source = functionSource(fn, options);
    const { text, name, kind } = source;
    return { text, name, kind, readStack: stackReader((line, column) => source.locate(line, column)) };
  },
  async shipModule(url, signal): Promise<Shipment> {
    const source = await moduleSource(url, { signal });
    return {
      text: source.code,
      name: "",
      kind: "module",
      readStack: stackReader((line, column) => source.locate(line, column)),
    };
  },
};
