/** Runs source text as a module with a `channel`. */

import type { Channel } from "../../channel/channel.ts";
import type { ModuleExport } from "../process/job.ts";

/** The name that a module can ask for, to tell that it runs behind a channel. */
export const EXEC_NAME = "__channelexec__";

/** What stacks call the text that was sent: in one line, and without what ends the name there. */
function sourceName(name: string): string {
  return name === "" ? "<remote exec>" : `<remote exec ${name.replace(/[<>\p{Cc}]/gu, "_")}>`;
}

/** Lines that come before the text: the engine's own two and that of a prefix. */
const PREFIX_LINES = 3;

/** What the engine calls text that took the quick way, and the agent's own text. */
const QUICK_URL = "execnet:exec";
const AGENT_URL = "execnet:agent";

const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (
  channel: Channel,
  name: string,
) => Promise<unknown>;

/** Modules are strict; so is what takes the quick way. In a block it may declare a `channel` of its own, as a module may. */
const TEXT_PREFIX = '"use strict";{\n';
const FUNCTION_PREFIX = '"use strict";return(\n';

/** Where modules of an isolate with several executions find their own `channel`. */
const SCOPES = Symbol.for("execnet.scopes");
const scopes = new Map<number, Channel>();

/** How a text runs. */
export interface RunOptions {
  /** What the caller calls the text, or nothing. */
  name: string;
  /** The channel of the execution. */
  channel: Channel;
  /** Other executions run in this isolate, so that `channel` cannot be a global. */
  shared: boolean;
}

/**
 * Runs TypeScript. Plain JavaScript without import and export takes the quick way, as the body of an async function;
 * all else, types too, is loaded as a module.
 */
export async function runText(source: string, options: RunOptions): Promise<void> {
  let quick: InstanceType<typeof AsyncFunction> | undefined;
  try {
    quick = new AsyncFunction("channel", "__name__", `${TEXT_PREFIX}${source}\n}${sourceUrl(options)}`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (quick !== undefined) await quick(options.channel, EXEC_NAME);
  else await runModule(source, options, "application/typescript");
}

function sourceUrl({ name }: FunctionOptions): string {
  return `\n//# sourceURL=${QUICK_URL}/${encodeURIComponent(name.toWellFormed())}`;
}

/** How a function runs: those of calls and streams see no channel. */
export interface FunctionOptions {
  name: string;
  channel: Channel | undefined;
}

/** Makes a function of its text. */
export function compileFunction(source: string, options: FunctionOptions): (...args: unknown[]) => unknown {
  const make = new Function("channel", "__name__", `${FUNCTION_PREFIX}${source}\n)${sourceUrl(options)}`);
  const made: unknown = make(options.channel, EXEC_NAME);
  if (typeof made !== "function") throw new TypeError("Cannot execute: the source is no function");
  return made as (...args: unknown[]) => unknown;
}

/** What kind of text a module is. */
export type ModuleType = "application/typescript" | "application/javascript";

/** Loads text as a module, and gives what it exports. */
export async function runModule(
  source: string,
  options: RunOptions,
  type: ModuleType,
): Promise<Record<string, unknown>> {
  if (!options.shared) return await loadModule(source, "", options, type);
  const { id } = options.channel;
  Object.defineProperty(globalThis, SCOPES, { value: scopes, configurable: true });
  scopes.set(id, options.channel);
  const prefix =
    `const channel=globalThis[Symbol.for("execnet.scopes")].get(${id}),__name__="${EXEC_NAME}";\n`;
  try {
    return await loadModule(source, prefix, options, type);
  } catch (error) {
    if (!(error instanceof SyntaxError) || !DECLARES_OWN.test(error.message)) throw error;
    // It did not even parse, so nothing of it has run. What it declares itself it does not want from here.
    return await loadModule(source, "", options, type);
  } finally {
    scopes.delete(id);
  }
}

/** What a module exports. */
export type Exports = Readonly<Record<string, unknown>>;

/** Runs a module, and gives what it exports. */
export function loadExports(source: string, name: string, { typescript }: ModuleExport): Promise<Exports> {
  return loadModule(source, "", { name }, typescript ? "application/typescript" : "application/javascript");
}

/** A module's export that is a function. Throws TypeError when it is none, or does not give one result. */
export function functionOf(
  exports: Exports,
  { export: wanted, typescript }: ModuleExport,
): (...args: unknown[]) => unknown {
  const found = Object.hasOwn(exports, wanted) ? exports[wanted] : undefined;
  if (typeof found === "function") {
    if (!/GeneratorFunction$/.test(found.constructor?.name)) return found as (...args: unknown[]) => unknown;
    throw new TypeError("Cannot call: a generator function gives items to stream()");
  }
  if (typescript) throw new TypeError(`Cannot call: the text gives ${kindOf(found)}, not a function`);
  const functions = Object.keys(exports).filter((key) => typeof exports[key] === "function");
  throw new TypeError(
    `Cannot call: the module exports no function "${wanted}"; it exports ${functions.join(", ") || "none"}`,
  );
}

function kindOf(value: unknown): string {
  return value === null ? "null" : value === undefined ? "nothing" : `a value of type ${typeof value}`;
}

const DECLARES_OWN = /Identifier '(channel|__name__)' has already been declared/;

async function loadModule(
  source: string,
  prefix: string,
  { name }: Pick<RunOptions, "name">,
  type: ModuleType,
): Promise<Record<string, unknown>> {
  const lines = prefix === "" ? 0 : 1;
  const url = URL.createObjectURL(new Blob([prefix, source], { type }));
  moduleUrls.set(url, { label: sourceName(name), lines });
  try {
    return await import(url);
  } catch (error) {
    throw readable(error, url, name, lines);
  } finally {
    URL.revokeObjectURL(url);
    if (moduleUrls.size > MAX_REMEMBERED_URLS) moduleUrls.delete(moduleUrls.keys().next().value!);
  }
}

/** The URLs under which sources were loaded lately; errors that are thrown later still show them. */
const moduleUrls = new Map<string, { label: string; lines: number }>();
const MAX_REMEMBERED_URLS = 256;

/**
 * An error of loading a module, whose message names the URL it was loaded from, and colours it, as one that names the
 * text that was sent. Deno reports text that does not parse as a TypeError that talks of a SyntaxError.
 */
function readable(error: unknown, url: string, name: string, prefixLines: number): unknown {
  if (!(error instanceof Error) || !error.message.includes(url)) return error;
  const place = error.message.replace(COLOURS, "").match(/^([^]*?)\s*\bat blob:\S*?:(\d+):(\d+)\s*$/);
  if (place === null) return error;
  const line = Number(place[2]) - prefixLines;
  const text = place[1]!.replace(/^SyntaxError: /, "");
  const syntax = error instanceof SyntaxError || text !== place[1];
  const clean = syntax ? new SyntaxError(text.split("\n")[0]) : new TypeError(text);
  clean.stack = `${clean.name}: ${text}\n    at ${sourceName(name)}:${line}:${place[3]}`;
  return clean;
}

// deno-lint-ignore no-control-regex -- this is how Deno colours its messages
const COLOURS = /\u001b\[[0-9;]*m/g;

/** Rewrites a stack to the lines of the text that was sent, without the lines of the agent. */
export function mapStack(stack: string): string {
  const lines: string[] = [];
  for (const line of stack.split("\n")) {
    const quick = line.match(QUICK_FRAME);
    if (quick !== null) {
      const row = Number(quick[2]) - PREFIX_LINES;
      lines.push(
        line.replace(quick[0], `${sourceName(decodeURIComponent(quick[1]!))}:${row}:${quick[3]}`).replace(
          /at (?:async )?eval \((.*)\)$/,
          "at $1",
        ),
      );
      continue;
    }
    if (/^\s+at /.test(line) && (line.includes(AGENT_URL) || line.includes("ext:"))) continue;
    let mapped = line;
    for (const [url, { label, lines }] of moduleUrls) {
      if (!mapped.includes(url)) continue;
      mapped = mapped.replaceAll(url, label).replace(
        /(?<=>:)\d+(?=:\d+)/,
        (row) => String(Number(row) - lines),
      );
    }
    lines.push(mapped);
  }
  return lines.join("\n");
}

const QUICK_FRAME = new RegExp(`${QUICK_URL}/(\\S*), <anonymous>:(\\d+):(\\d+)`);
