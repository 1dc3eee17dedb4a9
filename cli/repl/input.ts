/** What is typed, made ready for the far side; or that it goes on, or that it makes no sense. */

import { type Edited, type Position, positionAt } from "./edits.ts";
import { type Names, rewrite } from "./rewrite.ts";
import { parse, ParseError, tokensOf } from "./syntax.ts";
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
  | { readonly kind: "unfinished" }
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
    if (!whole && goesOn(text)) return { kind: "unfinished" };
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

/** Whether more lines may make sense of a text that does not parse: a bracket, a template or an operator waits. */
export function goesOn(text: string): boolean {
  const { tokens, problem } = tokensOf(text);
  if (problem !== undefined && /^Unterminated (?:template|comment)/.test(problem.message)) return true;
  const open: string[] = [];
  for (const { label } of tokens) {
    if (/^(?:[{([`]|\$\{)$/.test(label)) {
      if (label === "`" && open.at(-1) === "`") open.pop();
      else open.push(label);
    } else if (/^[})\]]$/.test(label)) {
      const opening = open.pop();
      if (opening === undefined || CLOSING[opening] !== label) return false;
    }
  }
  if (problem !== undefined) return false;
  if (open.length > 0) return true;
  // An empty line gives it up.
  if (/\n[^\S\n]*$/.test(text)) return false;
  if (tokens.at(-1)?.wantsMore === true) return true;
  try {
    parse(text);
    return false;
  } catch (error) {
    return error instanceof ParseError && error.offset >= text.trimEnd().length;
  }
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
