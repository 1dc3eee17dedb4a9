/** What is typed, made ready for the far side; or that it goes on, or that it makes no sense. */

import { type Edited, type Position, positionAt } from "./edits.ts";
import { type Names, rewrite } from "./rewrite.ts";
import { parse, ParseError, type Token, tokensOf } from "./syntax.ts";
import { compile, type Compiled, withoutTypes } from "./typescript.ts";

/** An input that can be evaluated. */
export interface Ready {
  readonly kind: "ready";
  /** An async function's expression, of the session and its helper. */
  readonly code: string;
  readonly vars: readonly string[];
  readonly lets: readonly string[];
  /** Where a place of `code` is in what was typed. */
  before(position: Position): Position;
}

/** What an input is. */
export type Input =
  | Ready
  | { readonly kind: "unfinished"; readonly waits: Waiting }
  | { readonly kind: "wrong"; readonly message: string; readonly place: Position };

/** What stands before the statements: one line. */
const PREFIX_LINES = 1;

/** Reads an input. One that is `whole` does not go on, whatever it looks like. */
export async function readInput(text: string, session: Names, whole = false): Promise<Input> {
  const wrapped = asObject(text);
  if (wrapped !== undefined) {
    // As all prompts do, this one takes `{ a: 1 }` for an object and not for a block with a label.
    const input = await read(wrapped, session).catch(() => undefined);
    if (input !== undefined) return { ...input, before: (place) => afterParenthesis(input.before(place)) };
  }
  try {
    return await read(text, session);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const waits = whole ? undefined : waitingFor(text);
    if (waits !== undefined) return { kind: "unfinished", waits };
    if (withoutTypes(text) === undefined) {
      try {
        return await readCompiled(text, session);
      } catch (error) {
        if (!(error instanceof ParseError)) throw error;
        return { kind: "wrong", message: error.message, place: positionAt(text, error.offset) };
      }
    }
    return { kind: "wrong", message: error.message, place: positionAt(text, error.offset) };
  }
}

/** Reads one that has types at most. */
function read(text: string, session: Names): Promise<Ready> {
  const compiled = withoutTypes(text);
  // The parser tells better than Deno what is wrong with JavaScript.
  if (compiled === undefined) return Promise.reject(new ParseError("Cannot be parsed", 0));
  return Promise.resolve().then(() => assemble(compiled, session, text));
}

async function readCompiled(text: string, session: Names): Promise<Ready> {
  return assemble(await compile(text, unused("$session", text)), session, text);
}

/** A name that is not in a text. */
function unused(name: string, text: string): string {
  while (text.includes(name)) name += "_";
  return name;
}

/** What there is in an object literal only. */
function asObject(text: string): string | undefined {
  return /^\s*\{/.test(text) && !/;\s*$/.test(text) ? `(${text}\n)` : undefined;
}

function afterParenthesis({ line, column }: Position): Position {
  return { line, column: line === 1 ? Math.max(1, column - 1) : column };
}

/**
 * What an unfinished input waits for: brackets that are open, from the outermost on; the end of a template or of a
 * comment; or whatever the next line may be.
 */
export type Waiting = readonly string[] | "`" | "*/" | "line";

/** Whether more lines may make sense of a text that does not parse, and what these have to bring. */
export function waitingFor(text: string): Waiting | undefined {
  const { tokens, problem } = tokensOf(text);
  if (problem !== undefined && /^Unterminated template/.test(problem.message)) return "`";
  if (problem !== undefined && /^Unterminated comment/.test(problem.message)) return "*/";
  const open = openAfter([], tokens);
  if (open === undefined || problem !== undefined) return undefined;
  if (open.length > 0) return open;
  // An empty line gives it up.
  if (/\n[^\S\n]*$/.test(text)) return undefined;
  if (tokens.at(-1)?.wantsMore === true) return "line";
  try {
    parse(text);
    return undefined;
  } catch (error) {
    return error instanceof ParseError && error.offset >= text.trimEnd().length ? "line" : undefined;
  }
}

/**
 * What an input waits for behind one more line, as far as that line alone tells: undefined says to read all of it. Long
 * inputs would otherwise be read as often as they have lines.
 */
export function stillWaitingFor(waits: Waiting, line: string): Waiting | undefined {
  if (typeof waits === "string") {
    return waits === "line" || line.includes(waits) || waits === "`" && line.includes("${")
      ? undefined
      : waits;
  }
  // What is in a template is no line of its own.
  if (waits.includes("`")) return undefined;
  const { tokens, problem } = tokensOf(line);
  // What a slash is depends on what stands before it.
  if (problem !== undefined || tokens.some(({ label }) => label === "/" || label === "regexp")) {
    return undefined;
  }
  const open = openAfter(waits, tokens);
  return open === undefined || open.length === 0 ? undefined : open;
}

/** The brackets that are open behind words; undefined where one closes what is not open. */
function openAfter(before: readonly string[], tokens: readonly Token[]): string[] | undefined {
  const open = [...before];
  for (const { label } of tokens) {
    if (/^(?:[{([`]|\$\{)$/.test(label)) {
      if (label === "`" && open.at(-1) === "`") open.pop();
      else open.push(label);
    } else if (/^[})\]]$/.test(label)) {
      const opening = open.pop();
      if (opening === undefined || CLOSING[opening] !== label) return undefined;
    }
  }
  return open;
}

const CLOSING: Readonly<Record<string, string>> = { "{": "}", "(": ")", "[": "]", "${": "}" };

function assemble(compiled: Compiled, session: Names, text: string): Ready {
  const [store, helper] = [unused("$session", text), unused("$prompt", text)];
  const { hoisted, body, vars, lets } = rewrite(compiled.text, session, {
    store,
    helper,
    wrote: compiled.wrote,
  });
  const head = `(async(${store},${helper})=>{"use strict";`;
  const parts: Edited[] = hoisted === undefined ? [body] : [hoisted, body];
  return {
    kind: "ready",
    code: [head, ...parts.map(({ text }) => text), "})"].join("\n"),
    vars,
    lets,
    before(place): Position {
      let line = place.line - PREFIX_LINES;
      for (const part of parts) {
        const lines = part.text.split("\n").length;
        if (line <= lines) {
          return compiled.before(part.before({ line: Math.max(1, line), column: place.column }));
        }
        line -= lines;
      }
      return { line: 1, column: 1 };
    },
  };
}
