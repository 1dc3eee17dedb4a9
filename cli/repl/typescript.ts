/** TypeScript as JavaScript, with the places of the text it came from. */

import { stripTypeScriptTypes } from "node:module";
import { originalPositionFor, TraceMap } from "npm:@jridgewell/trace-mapping@^0.3.31";
import type { Edited, Position } from "./edits.ts";
import { ParseError, type Token, tokensOf } from "./syntax.ts";

/** JavaScript that was made of TypeScript. */
export interface Compiled extends Edited {
  /** Whether the author wrote a name; others are the compiler's own. */
  wrote(name: string): boolean;
}

/** The text without its types; undefined when it has more than types, or is no TypeScript. */
export function withoutTypes(text: string): Compiled | undefined {
  try {
    // Types become blanks, so that all places stay.
    return { text: stripTypeScriptTypes(text), before: (position) => position, wrote: () => true };
  } catch {
    return undefined;
  }
}

/**
 * Compiles what has more than types: enums, namespaces, parameter properties, decorators. A process of Deno does it,
 * which takes some 50 ms, because only that knows decorators. `session` is what the text may call the session.
 *
 * @throws {ParseError} when it is no TypeScript
 */
export async function compile(text: string, session: string): Promise<Compiled> {
  const { tokens } = tokensOf(text);
  const written = new Set(tokens.map(({ value }) => value));
  const folder = await Deno.makeTempDir({ prefix: "execnet-repl-" });
  try {
    const path = `${folder}/input.ts`;
    await Deno.writeTextFile(path, `${text}\n${kept(tokens, session)}`);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["transpile", "--quiet", "--no-config", "--source-map", "inline", path],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (!success) throw complaint(text, decoder.decode(stderr));
    const [code, encoded] = decoder.decode(stdout).split(SOURCE_MAP);
    const map = new TraceMap(decoder.decode(Uint8Array.fromBase64(encoded!.trim())));
    return {
      text: code!,
      before({ line, column }): Position {
        const found = originalPositionFor(map, { line, column: column - 1 });
        return found.line === null ? { line: 1, column: 1 } : { line: found.line, column: found.column + 1 };
      },
      wrote: (name) => written.has(name),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const SOURCE_MAP = "//# sourceMappingURL=data:application/json;base64,";

/** What the compiler says, as an error at the place it names. */
function complaint(text: string, stderr: string): ParseError {
  const message = stderr.match(/error: (?:SyntaxError: )?(.*)/i)?.[1] ?? "Cannot be parsed";
  const place = stderr.match(/input\.ts:(\d+):(\d+)/);
  if (place === null) return new ParseError(message, 0);
  const before = text.split("\n").slice(0, Number(place[1]) - 1).join("\n");
  const offset = (before === "" && place[1] === "1" ? 0 : before.length + 1) + Number(place[2]) - 1;
  return new ParseError(message, Math.min(offset, text.length));
}

/**
 * A statement that uses what the input imports, because the compiler drops imports that nothing uses, and gives the
 * session the classes that it declares: the compiler has another name for one that a decorator may replace.
 */
function kept(tokens: readonly Token[], session: string): string {
  const parts = [
    ...importedNames(tokens),
    ...declaredClasses(tokens).map((name) => `${session}.${name} = ${name}`),
  ];
  return parts.length === 0 ? "" : `var ${session}kept = [${parts.join(", ")}];`;
}

/** The tokens of the top: those outside of all brackets. */
function* atTop(tokens: readonly Token[]): Generator<[token: Token, index: number]> {
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (/^(?:[{([]|\$\{)$/.test(token.label)) depth++;
    else if (/^[})\]]$/.test(token.label)) depth--;
    else if (depth === 0) yield [token, index];
  }
}

function declaredClasses(tokens: readonly Token[]): string[] {
  const names: string[] = [];
  for (const [{ label }, index] of atTop(tokens)) {
    const before = tokens[index - 1];
    const name = tokens[index + 1];
    if (label !== "class" || name?.label !== "name") continue;
    if (before?.wantsMore !== true || before.label === "default") names.push(name.value as string);
  }
  return names;
}

/** The names that imports declare, but those of types. */
function importedNames(tokens: readonly Token[]): string[] {
  const names: string[] = [];
  for (const [{ label }, index] of atTop(tokens)) {
    if (label !== "import") continue;
    const end = tokens.findIndex(({ label }, at) => at > index && label === "string");
    const clause = tokens.slice(index + 1, end < 0 ? index + 1 : end);
    const from = clause.pop();
    if (from?.value !== "from") continue;
    if (clause[0]?.value === "type" && clause.length > 1 && clause[1]!.label !== ",") continue;
    let entry: Token[] = [];
    for (const token of [...clause, undefined]) {
      if (token !== undefined && !/^[{},]$/.test(token.label)) {
        entry.push(token);
        continue;
      }
      const isType = entry.length > 1 && entry[0]!.value === "type" && entry[1]!.value !== "as";
      const last = entry.at(-1);
      if (!isType && last?.label === "name") names.push(last.value as string);
      entry = [];
    }
  }
  return names;
}
