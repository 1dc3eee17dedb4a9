/** A function as text that can run elsewhere. */

import { freeVariables, outsideReference } from "./free_variables.ts";
import type { FreeVariable } from "./free_variables.ts";
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

/** What was found out about a text. */
interface Analysis {
  readonly kind: "function" | "generator";
}

/**
 * Texts that can be shipped. Analysing one costs some 100 µs, and functions are shipped in loops: the engine makes a
 * new object each time, with an equal text. The oldest go first; texts beyond a size are not kept.
 */
const analyses = new Map<string, Analysis>();
const MAX_ANALYSES = 256;
const MAX_KEPT_LENGTH = 65_536;

/**
 * Looks at a function that is to be shipped.
 *
 * A function can be shipped when it needs nothing of where it stands: no variable, `this`, `arguments`, `super`,
 * `new.target` or private name of the code around it, no `import.meta`, and no import relative to its file.
 *
 * @throws {TypeError} when it cannot be shipped, with the reason and its place
 */
export function functionSource(fn: (...args: never[]) => unknown): FunctionSource {
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot ship a function: got ${fn === null ? "null" : typeof fn}`);
  }
  const text = toText.call(fn);
  const name = typeof fn.name === "string" ? fn.name : "";
  let analysis = analyses.get(text);
  if (analysis === undefined) {
    analysis = analyse(text, name);
    if (text.length <= MAX_KEPT_LENGTH) {
      if (analyses.size >= MAX_ANALYSES) analyses.delete(analyses.keys().next().value!);
      analyses.set(text, analysis);
    }
  }
  return new Shipped(text, name, analysis);
}

// A function may have a `toString` of its own.
const toText = Function.prototype.toString;

class Shipped implements FunctionSource {
  readonly text: string;
  readonly name: string;
  readonly #analysis: Analysis;

  constructor(text: string, name: string, analysis: Analysis) {
    this.text = text;
    this.name = name;
    this.#analysis = analysis;
  }

  get kind(): "function" | "generator" {
    return this.#analysis.kind;
  }

  locate(_line: number, _column: number): Place | undefined {
    return undefined;
  }
}

function analyse(text: string, name: string): Analysis {
  const refuse = (reason: string): never => {
    const subject = name === "" ? "a function without a name" : `function "${name}"`;
    throw new TypeError(`Cannot ship ${subject}: ${reason}`);
  };
  const place = (offset: number): string => {
    const { line, column } = positionAt(text, offset);
    return `at line ${line}, column ${column} of its text`;
  };
  const describe = ({ what, why = "", offset }: Problem): string =>
    offset === undefined ? what + why : `${what} ${place(offset)}${why}`;

  const parsed = parseFunction(text, name);
  if (parsed.problem !== undefined) return refuse(describe(parsed.problem));
  const problem = outsideReference(parsed.node);
  if (problem !== undefined) return refuse(describe(problem));
  const free = freeVariables(parsed.node).filter((variable) => !isRemoteGlobal(variable.name));
  if (free.length > 0) return refuse(freeReason(free, place));
  return { kind: parsed.kind };
}

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
