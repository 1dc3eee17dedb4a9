/** Runs source text as a module with a `channel`. */

import type { Channel } from "../../channel/channel.ts";

/** The name that a module can ask for, to tell that it runs behind a channel. */
export const EXEC_NAME = "__channelexec__";

/** What stacks call the text that was sent. */
const SOURCE_NAME = "<remote exec>";

/** Lines that the engine puts before a function's body. */
const FUNCTION_LINES = 2;

const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (
  channel: Channel,
  name: string,
) => Promise<unknown>;

/** Where modules of an isolate with several executions find their own `channel`. */
const SCOPES = Symbol.for("execnet.scopes");
const scopes = new Map<number, Channel>();

/**
 * Runs TypeScript. Plain JavaScript without import and export takes the quick way, as the body of an async function;
 * all else, types too, is loaded as a module.
 *
 * @param shared other executions run in this isolate, so that `channel` cannot be a global
 */
export async function runSource(source: string, channel: Channel, shared: boolean): Promise<void> {
  let quick: InstanceType<typeof AsyncFunction> | undefined;
  try {
    quick = new AsyncFunction("channel", "__name__", `"use strict";${source}\n`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (quick !== undefined) await quick(channel, EXEC_NAME);
  else await runModule(source, channel, shared);
}

async function runModule(source: string, channel: Channel, shared: boolean): Promise<void> {
  const id = channel.id;
  let prefix = "";
  if (shared) {
    Object.defineProperty(globalThis, SCOPES, { value: scopes, configurable: true });
    scopes.set(id, channel);
    prefix = `const channel=globalThis[Symbol.for("execnet.scopes")].get(${id}),__name__="${EXEC_NAME}";`;
  }
  const url = URL.createObjectURL(new Blob([prefix + source], { type: "application/typescript" }));
  moduleUrls.add(url);
  try {
    await import(url);
  } catch (error) {
    throw asSyntaxError(error, url, prefix.length);
  } finally {
    URL.revokeObjectURL(url);
    scopes.delete(id);
    if (moduleUrls.size > MAX_REMEMBERED_URLS) moduleUrls.delete(moduleUrls.values().next().value!);
  }
}

/** The URLs under which sources were loaded lately; errors that are thrown later still show them. */
const moduleUrls = new Set<string>();
const MAX_REMEMBERED_URLS = 256;

/** Deno reports text that does not parse as a TypeError that talks of a SyntaxError. */
function asSyntaxError(error: unknown, url: string, shift: number): unknown {
  if (!(error instanceof TypeError) || !error.message.includes(url)) return error;
  const text = error.message.match(/^SyntaxError: ([^]*?)\n?\s*at blob:[^\s]*?:(\d+):(\d+)\s*$/) ??
    error.message.match(/^([^]*?)\n?\s*at blob:[^\s]*?:(\d+):(\d+)\s*$/);
  if (text === null) return error;
  const line = Number(text[2]);
  const column = Number(text[3]) - (line === 1 ? shift : 0);
  const syntax = new SyntaxError(text[1]!.split("\n")[0]);
  syntax.stack = `SyntaxError: ${text[1]}\n    at ${SOURCE_NAME}:${line}:${column}`;
  return syntax;
}

/** Rewrites a stack to the lines of the text that was sent, without the lines of the agent. */
export function mapStack(stack: string, agentUrl: string): string {
  const lines: string[] = [];
  for (const line of stack.split("\n")) {
    const quick = line.match(/^(\s+at )(?:(.*?) \()?(?:eval \()?eval at .*?, <anonymous>:(\d+):(\d+)\)*$/);
    if (quick !== null) {
      const [, at, name, row, column] = quick;
      const place = `${SOURCE_NAME}:${Number(row) - FUNCTION_LINES}:${
        Number(row) === FUNCTION_LINES + 1 ? Math.max(1, Number(column) - QUICK_PREFIX) : column
      }`;
      lines.push(name === undefined || name === "eval" ? `${at}${place}` : `${at}${name} (${place})`);
      continue;
    }
    if (/^\s+at /.test(line) && (line.includes(agentUrl) || line.includes("ext:"))) continue;
    let mapped = line;
    for (const url of moduleUrls) mapped = mapped.replaceAll(url, SOURCE_NAME);
    lines.push(mapped);
  }
  return lines.join("\n");
}

const QUICK_PREFIX = '"use strict";'.length;
