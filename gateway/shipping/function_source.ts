/** A function as text that can run elsewhere. */

import { freeVariables, outsideReference } from "./free_variables.ts";
import type { FreeVariable } from "./free_variables.ts";
import { declaredAround, findOrigin } from "./origin.ts";
import type { Origin } from "./origin.ts";
import { positionAt } from "./place.ts";
import type { Place } from "./place.ts";
import { isRemoteGlobal } from "./remote_globals.ts";
import { parseFunction } from "./syntax.ts";
import type { Problem } from "./syntax.ts";

/** What is shipped of a function, and where it came from. */
export interface FunctionSource {
  /** The function as an expression, as the engine keeps it. */
  readonly text: string;
  /** Its name, or "". */
  readonly name: string;
  /** Whether it is a generator function, async ones included. */
  readonly kind: "function" | "generator";
  /** Where the author wrote what stands at a line and column, both from 1, of `text`; undefined where that cannot be found out. */
  locate(line: number, column: number): Place | undefined;
}

/** How a function is to be executed. */
export interface FunctionOptions {
  /** Whether the execution has a channel of its own, and so the globals `channel` and `__name__`; by default it has. */
  channel?: boolean;
}

/** What was found out about a text. */
interface Analysis {
  readonly kind: "function" | "generator";
  /** The stack of the call that shipped it first, as text: an error that kept its frames would keep what they hold. */
  readonly stack: string;
}

/**
 * Texts that can be shipped. Analysing one takes 0.3 to 0.7 ms, and functions are shipped in loops: the engine makes a
 * new object each time, with an equal text. The oldest go first; texts beyond a size are not kept.
 */
const withChannel = new Map<string, Analysis>();
const withoutChannel = new Map<string, Analysis>();
const MAX_ANALYSES = 256;
const MAX_KEPT_LENGTH = 65_536;

/**
 * Looks at a function that is to be shipped.
 *
 * - A function can be shipped when it needs nothing of where it stands: no variable, `this`, `arguments`, `super`,
 *   `new.target` or private name of the code around it, no `import.meta`, and no import relative to its file.
 * - What exists remotely is used as it is there, and so is what the function asks for with `typeof`; but not where the
 *   code around the function declares the name, which the text does not tell. The file is looked at for that, the first
 *   time that a text is shipped, if it can be found nearby: see {@linkcode declaredAround}.
 * - Places are found in the files of the stack of the call and in what they import: see {@linkcode findOrigin}. That
 *   takes permission to read them and, for TypeScript and for what came over http, Deno's cache, and to read the
 *   environment variable that tells where that is. There are none for what was evaluated from text, compiled into an
 *   executable, or has changed since it was loaded. The stack is that of the first call that shipped an equal text.
 *
 * @throws {TypeError} when it cannot be shipped, with the reason and its place
 */
export function functionSource(
  fn: (...args: never[]) => unknown,
  { channel = true }: FunctionOptions = {},
): FunctionSource {
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot ship a function: got ${fn === null ? "null" : typeof fn}`);
  }
  const text = toText.call(fn);
  const name = typeof fn.name === "string" ? fn.name : "";
  const analyses = channel ? withChannel : withoutChannel;
  let analysis = analyses.get(text);
  const first = analysis === undefined;
  if (analysis === undefined) {
    analysis = analyse(text, name, stackAbove(functionSource), channel);
    if (text.length <= MAX_KEPT_LENGTH) {
      if (analyses.size >= MAX_ANALYSES) analyses.delete(analyses.keys().next().value!);
      analyses.set(text, analysis);
    }
  }
  return new Shipped(text, name, analysis, first);
}

// A function may have a `toString` of its own.
const toText = Function.prototype.toString;

/** The stack above a function that is running. It costs 40 to 80 µs, for Deno finds the places of its frames. */
function stackAbove(callee: (...args: never[]) => unknown): string {
  const holder: { stack?: unknown } = {};
  Error.captureStackTrace(holder, callee);
  // A program can make stacks something else.
  return typeof holder.stack === "string" ? holder.stack : "";
}

class Shipped implements FunctionSource {
  readonly text: string;
  readonly name: string;
  readonly #analysis: Analysis;
  /** Whether the stack that is known is that of its own call. */
  readonly #first: boolean;
  #origin: Origin | null | undefined;

  constructor(text: string, name: string, analysis: Analysis, first: boolean) {
    this.text = text;
    this.name = name;
    this.#analysis = analysis;
    this.#first = first;
  }

  get kind(): "function" | "generator" {
    return this.#analysis.kind;
  }

  locate(line: number, column: number): Place | undefined {
    if (this.#origin === undefined) {
      const { text, name } = this;
      const { stack } = this.#analysis;
      this.#origin = findOrigin({ text, name, stack, own: this.#first }) ?? null;
    }
    return this.#origin?.locate(line, column);
  }
}

function analyse(text: string, name: string, stack: string, channel: boolean): Analysis {
  const wanted = { text, name, stack, own: true };
  let origin: Origin | null | undefined;
  const found = (): Origin | null => origin === undefined ? origin = findOrigin(wanted) ?? null : origin;
  const refuse = (reason: string): never => {
    const subject = name === "" ? "a function without a name" : `function "${name}"`;
    throw new TypeError(`Cannot ship ${subject}: ${reason}`);
  };
  const place = (offset: number): string => {
    const { line, column } = positionAt(text, offset);
    const written = found()?.locate(line, column);
    if (written === undefined) return `at line ${line}, column ${column} of its text`;
    return `at ${written.url}:${written.line}:${written.column}`;
  };
  const describe = ({ what, why = "", offset }: Problem): string =>
    offset === undefined ? what + why : `${what} ${place(offset)}${why}`;

  const parsed = parseFunction(text, name);
  if (parsed.problem !== undefined) return refuse(describe(parsed.problem));
  const problem = outsideReference(parsed.node);
  if (problem !== undefined) return refuse(describe(problem));
  const used = freeVariables(parsed.node);
  const isThere = ({ name, asked }: FreeVariable): boolean => asked || isRemoteGlobal(name, channel);
  const doubtful = used.filter((variable) => isThere(variable) && !CONSTANT.has(variable.name));
  const declared = doubtful.length === 0 ? [] : declaredAround(wanted, doubtful.map(({ name }) => name));
  const free = used.filter((variable) => !isThere(variable) || declared.includes(variable.name));
  if (free.length > 0) return refuse(freeReason(free, place));
  return { kind: parsed.kind, stack };
}

/** Globals that nobody declares. */
const CONSTANT: ReadonlySet<string> = new Set(["undefined", "NaN", "Infinity", "globalThis"]);

/** The reason that names the free variables of a function, the first with its place. */
function freeReason([first, ...rest]: FreeVariable[], place: (offset: number) => string): string {
  const others = rest.map(({ name }) => `"${name}"`);
  const last = others.pop();
  const list = last === undefined
    ? ""
    : `, and so do ${[others.join(", "), last].filter(Boolean).join(" and ")}`;
  return `"${first!.name}" ${place(first!.offset)} exists only here${list}; ` +
    "pass it as an argument, import it inside the function, or ship a module by URL";
}

// The first analysis builds the parser's tables, which takes 5 ms. It is done while a gateway starts, and waits anyway.
analyse("function warm({ a, b = a }, ...c) { return [a, b, c].map((d) => d.e + 1); }", "warm", "", true);
