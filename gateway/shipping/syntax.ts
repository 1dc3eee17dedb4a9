/** The syntax tree of a function's text. */

import * as acorn from "npm:acorn@^8.17.0";

/** A node as it is walked here: its kind, its place, and its parts by name. */
export interface Node {
  type: string;
  start: number;
  end: number;
  [part: string]: unknown;
}

/** Something a function cannot be shipped with, and where in its text it stands, if it has a place. */
export interface Problem {
  /** What is wrong, to be followed by the place. */
  what: string;
  /** What follows the place, with the comma or semicolon before it: why that is so, and what to do. */
  why?: string;
  /** Offset in the function's text. */
  offset?: number;
}

/** What a text turned out to be. */
export type Parsed =
  | { kind: "function" | "generator"; node: Node; problem?: undefined }
  | { kind?: undefined; problem: Problem };

/** How all is parsed: modules are strict, and so is what executions run. What only makes sense in a class around the text is looked at later. */
const OPTIONS = {
  ecmaVersion: "latest",
  sourceType: "module",
  allowSuperOutsideMethod: true,
  checkPrivateFields: false,
} as const;

/** Around the text stands a function, so that a `new.target` of the code around it parses. */
const PREFIX = "(function(){return(";
const SUFFIX = "\n)})";
const CLASS_PREFIX = "(class extends null{";
const CLASS_SUFFIX = "\n})";

/** The text that the engine gives for what it does not have in JavaScript; it does not parse, so no other text ends so. */
const NATIVE = /\)\s*\{\s*\[native code\]\s*\}$/;

/** Parses the text that the engine keeps of a function; offsets of the nodes are those of the text. */
export function parseFunction(text: string, name: string): Parsed {
  if (NATIVE.test(text)) {
    return {
      problem: name.startsWith("bound ")
        ? { what: "it is bound, and what it is bound to stays here", why: "; ship the function itself" }
        : { what: "it is native, so it has no source to send", why: "; wrap it in a function" },
    };
  }
  let node: Node;
  try {
    node = parseBetween(PREFIX, text, SUFFIX);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { problem: memberProblem(text) ?? syntaxProblem(error, text) };
  }
  node = (((node.body as Node).body as Node[])[0]!).argument as Node;
  if (node.type === "ClassExpression") {
    return {
      problem: {
        what: "it is a class constructor, which cannot be called",
        why: "; declare the class inside a function",
      },
    };
  }
  if (node.type !== "FunctionExpression" && node.type !== "ArrowFunctionExpression") {
    return { problem: { what: "its text is no function" } };
  }
  return { kind: node.generator === true ? "generator" : "function", node };
}

/** Parses the text of a module, as the engine got it. */
export function parseModule(text: string): Node {
  return acorn.parse(text, { ...OPTIONS, allowHashBang: true }) as unknown as Node;
}

/** The expression that prefix, text and suffix make. */
function parseBetween(prefix: string, text: string, suffix: string): Node {
  const program = acorn.parse(prefix + text + suffix, OPTIONS) as unknown as Node;
  const { expression } = (program.body as Node[])[0]! as Node & { expression: Node };
  walk(expression, (node) => {
    node.start -= prefix.length;
    node.end -= prefix.length;
  });
  return expression;
}

/** Why the text cannot be shipped, if it is that of a member of a class or an object: such a text is no expression. */
function memberProblem(text: string): Problem | undefined {
  let node: Node;
  try {
    node = parseBetween(CLASS_PREFIX, text, CLASS_SUFFIX);
  } catch {
    return undefined;
  }
  const members = (node.body as Node).body as Node[];
  if (members.length !== 1 || members[0]!.type !== "MethodDefinition") return undefined;
  const { kind } = members[0]!;
  return {
    what: `it is ${
      kind === "get" || kind === "set" ? "an accessor" : "a method"
    }, which belongs to its object`,
    why: "; write it as a function or an arrow function",
  };
}

function syntaxProblem(error: SyntaxError, text: string): Problem {
  const { pos } = error as SyntaxError & { pos?: number };
  const what = `its text does not parse as strict code: ${error.message.replace(/ \(\d+:\d+\)$/, "")}`;
  if (pos === undefined) return { what };
  return { what, offset: Math.min(Math.max(pos - PREFIX.length, 0), text.length) };
}

/** The nodes right below a node, in the order of their text but for odd cases. */
export function* partsOf(node: Node): Iterable<Node> {
  for (const key in node) {
    const value = node[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) yield item;
    } else if (isNode(value)) yield value;
  }
}

/** Calls back for a node and all below it, a node before its parts. */
export function walk(root: Node, visit: (node: Node, parent: Node | undefined) => void): void {
  const step = (node: Node, parent: Node | undefined): void => {
    visit(node, parent);
    for (const part of partsOf(node)) step(part, node);
  };
  step(root, undefined);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}
