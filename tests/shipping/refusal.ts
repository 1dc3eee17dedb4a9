import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { functionSource } from "../../gateway/shipping/function_source.ts";
import type { FunctionOptions } from "../../gateway/shipping/function_source.ts";

/** The function that a text stands for, made in strict code at the top. */
export function evaluate(text: string): (...args: never[]) => unknown {
  return new Function(`"use strict"; return (${text}\n);`)();
}

/** The message of the TypeError with which a function is refused. */
export function refusal(fn: unknown, options?: FunctionOptions): string {
  const error = assertThrows(() => functionSource(fn as (...args: never[]) => unknown, options));
  assertEquals((error as Error).name, "TypeError", (error as Error).stack);
  return (error as Error).message;
}
