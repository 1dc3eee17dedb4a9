/** Where a function was written. */

import { scopeAround } from "./free_variables.ts";
import { loadedModule } from "./loaded.ts";
import type { Loaded } from "./loaded.ts";
import { positionAt } from "./place.ts";
import type { Place } from "./place.ts";
import { parseModule, walk } from "./syntax.ts";
import type { Node } from "./syntax.ts";

/** A function as it stands in the file of its author. */
export interface Origin {
  /** Where the author wrote what stands at a line and column, both from 1, of the function's text. */
  locate(line: number, column: number): Place | undefined;
  /** Whether something around the function declares a name. */
  declares(name: string): boolean;
}

/** A module that is looked at; its tree is undefined where the parser does not understand it. */
interface Module extends Loaded {
  readonly program: Node | undefined;
}

/** A function in a module. */
interface Candidate {
  module: Module;
  node: Node;
  /** The name that the engine gives it for where it stands; undefined where that depends on what is computed. */
  name: string | undefined;
  /** Where the call is whose argument it is, as the author wrote it. */
  call: Place | undefined;
}

/** How much is looked at, in files and characters: all of it takes some 100 ms, in which the program stands still. */
const MAX_MODULES = 128;
const MAX_CHARS = 1_000_000;

/**
 * Finds a function by its text: in the files that stand on the stack of the call that ships it, the nearest first,
 * then in what those import, and so on.
 *
 * A file that has the function decides. Of several functions there with equal texts, it is the one with the right name;
 * then the one that is an argument of a call on the stack, if that stack is its own. If that leaves several, or several
 * files at equal distance have it, the place is not known: no place is better than a wrong one.
 *
 * @param stack the stack of a call that ships a function with this text
 * @param own whether that is the call that ships this very function
 */
export function findOrigin(text: string, name: string, stack: string, own: boolean): Origin | undefined {
  const frames = framesOf(stack);
  const calls = own ? frames : [];
  const modules = new Map<string, Module | undefined>();
  let chars = 0;
  const candidates = (url: string): Candidate[] => {
    if (modules.has(url) || modules.size >= MAX_MODULES || chars >= MAX_CHARS || isOwn(url)) return [];
    const loaded = loadedModule(url);
    const module = loaded === undefined ? undefined : { ...loaded, program: parsed(loaded) };
    modules.set(url, module);
    if (module === undefined) return [];
    chars += module.text.length;
    return candidatesIn(module, text).filter((candidate) =>
      candidate.name === undefined || candidate.name === name
    );
  };
  let level = [...new Set(frames.map(({ url }) => url))];
  for (const url of level) {
    const found = candidates(url);
    if (found.length > 0) return asOrigin(chosen(found, calls), text);
  }
  while (level.length > 0) {
    level = [...new Set(level.flatMap((url) => importsOf(modules.get(url))))].filter((url) =>
      !modules.has(url)
    );
    const found = level.flatMap(candidates);
    if (found.length > 0) return asOrigin(chosen(found, calls), text);
  }
}

/** Whether a module is one of this package, which ships no function of a user. */
function isOwn(url: string): boolean {
  return OWN_FOLDERS.some((folder) => url.startsWith(folder));
}

const OWN_FOLDERS: readonly string[] = ["gateway/", "channel/", "xspec/"].map((folder) =>
  new URL(`../../${folder}`, import.meta.url).href
);

/** The places on a stack, the nearest first. */
function framesOf(stack: string): Place[] {
  const frames: Place[] = [];
  for (const [, shown, line, column] of stack.matchAll(FRAME)) {
    for (const url of urlsOf(shown!)) frames.push({ url, line: Number(line), column: Number(column) });
  }
  return frames;
}

const FRAME = /^ +at (?:async )?(?:.*?\()?((?:file|https?):\/\/.*?):(\d+):(\d+)\)?$/gm;

/** The URLs that a stack may mean. Of files, Deno shows some as URLs, and others with their path as it is. */
function urlsOf(shown: string): string[] {
  const urls: string[] = [];
  if (URL.parse(shown)?.href === shown) urls.push(shown);
  if (shown.startsWith("file://") && (urls.length === 0 || shown.includes("%"))) {
    // A `?` may begin a query or be of the name: it is a query far more often.
    const [path, ...query] = shown.slice("file://".length).replaceAll("%", "%25").split("?");
    const url = new URL("file:///");
    url.pathname = path!;
    url.search = query.join("?");
    urls.push(url.href);
  }
  return urls;
}

/** The functions of a module that have a text. */
function candidatesIn(module: Module, text: string): Candidate[] {
  if (module.program === undefined || !module.text.includes(text)) return [];
  const found: Candidate[] = [];
  walk(module.program, (node, parent) => {
    if (!FUNCTIONS.has(node.type) || parent === undefined) return;
    if (node.end - node.start !== text.length || !module.text.startsWith(text, node.start)) return;
    found.push({ module, node, name: nameOf(node, parent), call: callOf(node, parent, module) });
  });
  return found;
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  "FunctionExpression",
  "FunctionDeclaration",
  "ArrowFunctionExpression",
]);

function parsed(module: Loaded): Node | undefined {
  try {
    return parseModule(module.text);
  } catch {
    return undefined;
  }
}

/** The name that the engine gives a function. */
function nameOf(node: Node, parent: Node): string | undefined {
  if (node.id) return (node.id as Node).name as string;
  switch (parent.type) {
    case "VariableDeclarator":
      return identifier(parent.id);
    case "AssignmentExpression":
    case "AssignmentPattern":
      return identifier(parent.left);
    case "Property":
    case "PropertyDefinition": {
      if (parent.computed === true) return parent.value === node ? undefined : "";
      const { type, name, value } = parent.key as Node;
      return type === "PrivateIdentifier" ? `#${name}` : String(name ?? value);
    }
    case "ExportDefaultDeclaration":
      return "default";
  }
  return "";
}

function identifier(node: unknown): string {
  const { type, name } = node as Node;
  return type === "Identifier" ? name as string : "";
}

/** The place that a stack shows for the call whose argument a function is. */
function callOf(node: Node, parent: Node, module: Loaded): Place | undefined {
  if (parent.type !== "CallExpression" && parent.type !== "NewExpression") return undefined;
  const callee = parent.callee as Node;
  if (callee === node) return undefined;
  const start = parent.type === "CallExpression" && callee.type === "MemberExpression"
    ? (callee.property as Node).start
    : parent.type === "CallExpression"
    ? callee.start
    : parent.start;
  const { line, column } = positionAt(module.text, start);
  return module.original(line, column);
}

function chosen(found: Candidate[], calls: readonly Place[]): Candidate | undefined {
  if (found.length === 1) return found[0];
  const called = found.filter(({ call }) =>
    call !== undefined &&
    calls.some(({ url, line, column }) => url === call.url && line === call.line && column === call.column)
  );
  return called.length === 1 ? called[0] : undefined;
}

function asOrigin(candidate: Candidate | undefined, text: string): Origin | undefined {
  if (candidate === undefined) return undefined;
  const { module, node } = candidate;
  const start = positionAt(module.text, node.start);
  let around: ((name: string) => boolean) | undefined;
  const lines = text.split(/\r\n?|[\n\u2028\u2029]/);
  return {
    locate: (line, column) => {
      const length = lines[line - 1]?.length;
      if (length === undefined || column < 1 || column > length + 1) return undefined;
      return module.original(start.line + line - 1, line === 1 ? start.column + column - 1 : column);
    },
    declares: (name) => (around ??= scopeAround(module.program!, node))(name),
  };
}

/** The modules that a module imports, as URLs of files and hosts. */
function importsOf(module: Module | undefined): string[] {
  if (module?.program === undefined) return [];
  const urls: string[] = [];
  const add = (source: unknown): void => {
    const { value } = (source ?? {}) as { value?: unknown };
    if (typeof value !== "string") return;
    try {
      urls.push(/^\.{0,2}\//.test(value) ? new URL(value, module.url).href : import.meta.resolve(value));
    } catch {
      // What cannot be resolved was not loaded.
    }
  };
  walk(module.program, (node) => {
    if (IMPORTS.has(node.type)) add(node.source);
  });
  return urls;
}

const IMPORTS: ReadonlySet<string> = new Set([
  "ImportDeclaration",
  "ImportExpression",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
]);
