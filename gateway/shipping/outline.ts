/** What there is in a module: its functions and what their scopes declare; and what its text alone tells. */

import { extentsOf } from "./free_variables.ts";
import type { Extents } from "./free_variables.ts";
import { parseModule, walk } from "./syntax.ts";
import type { Node } from "./syntax.ts";

/** A function in a module; offsets are those of the module's text. */
export interface WrittenFunction {
  readonly start: number;
  readonly end: number;
  /** The name that the engine gives it for where it stands; undefined where that depends on what is computed. */
  readonly name: string | undefined;
  /** Where a stack shows the call whose argument it is. */
  readonly call: number | undefined;
}

/** What is known of a module. It holds no node: a tree takes some fifty times the memory of the text. */
export interface Outline {
  readonly functions: readonly WrittenFunction[];
  /** Whether something around a function declares a name. */
  declares(name: string, fn: WrittenFunction): boolean;
}

/** Reads a module; of one that the parser does not understand, nothing is known. */
export function outlineOf(text: string): Outline {
  const functions: WrittenFunction[] = [];
  const same = new Set<string>();
  let extents: Extents = new Map();
  try {
    const program = parseModule(text);
    walk(program, (node, parent) => {
      if (FUNCTIONS.has(node.type) && parent !== undefined) {
        const { start, end } = node;
        functions.push({ start, end, name: nameOf(node, parent), call: callOf(node, parent) });
      } else if (node.type === "ImportDeclaration") {
        for (const name of sameGlobals(node)) same.add(name);
      }
    });
    extents = extentsOf(program);
  } catch {
    // What was found before that is right.
  }
  return {
    functions,
    declares: (name, { start, end }) =>
      extents.get(name)?.some((scope) =>
        scope.start <= start && scope.end >= end && scope.end - scope.start > end - start &&
        !(scope.module && same.has(name))
      ) === true,
  };
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  "FunctionExpression",
  "FunctionDeclaration",
  "ArrowFunctionExpression",
]);

/**
 * The names under which a module imports from Node what is global anyway, such as `process`, as Deno's linter wants
 * it. Such a name means the same over there.
 */
function sameGlobals({ source, specifiers }: Node): string[] {
  const specifier = String((source as Node).value);
  if (!specifier.startsWith("node:")) return [];
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): unknown } };
  let offered: Record<string, unknown> | undefined;
  return (specifiers as Node[]).flatMap(({ type, local, imported }) => {
    const { name } = local as { name: string };
    const global = (globalThis as Record<string, unknown>)[name];
    if (global === undefined || type === "ImportNamespaceSpecifier") return [];
    offered ??= (process?.getBuiltinModule?.(specifier) ?? {}) as Record<string, unknown>;
    const { name: original, value } = (imported ?? { name: "default" }) as { name?: string; value?: string };
    const key = original ?? value!;
    return (key === "default" ? offered : offered[key]) === global ? [name] : [];
  });
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

/** The offset that a stack shows for the call whose argument a function is. */
function callOf(node: Node, parent: Node): number | undefined {
  if (parent.type !== "CallExpression" && parent.type !== "NewExpression") return undefined;
  const callee = parent.callee as Node;
  if (callee === node) return undefined;
  if (parent.type === "NewExpression") return parent.start;
  return callee.type === "MemberExpression" ? (callee.property as Node).start : callee.start;
}

/**
 * The specifiers of a module's imports, without parsing it, which takes a hundred times as long. It may find more, in
 * strings and comments.
 */
export function importsIn(text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => match[2]!);
}

const IMPORT = /\b(?:from|import)(?:\s|\/\*.*?\*\/|\()*(["'])([^"'\n]+)\1/g;

/**
 * Whether a text may declare a name, without parsing it: told by what stands before and behind. Where a name is used,
 * there mostly is a point or a parenthesis behind it, or a word or an operator before it.
 */
export function mayDeclare(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const end = at + name.length;
    const behind = text.slice(end, end + AROUND_CHARS);
    if (/^[\w$]/.test(behind)) continue;
    const before = text.slice(Math.max(0, at - AROUND_CHARS), at);
    if (/[\w$]$/.test(before)) continue;
    if (AFTER_WORD.test(before) || /^\s*=>/.test(behind)) return true;
    if (AFTER_MARK.test(before) && BEFORE_MARK.test(behind)) return true;
  }
  return false;
}

/** More than a comment of one line has. */
const AROUND_CHARS = 160;
/** What declares the name behind it; behind a comment, it may. */
const AFTER_WORD =
  /(?:\b(?:const|let|var|using|class|function|import|as)\s+|\bfunction\s*\*\s*|\*\/\s*|\/\/[^\n]*\n\s*)$/;
/** What may stand before a name in parameters, in patterns and in lists of declarations, */
const AFTER_MARK = /(?:[{,[(:]|\.\.\.)\s*$/;
/** and behind it. */
const BEFORE_MARK = /^(?:\s*(?:[,}\];/]|=(?!=)|\)\s*(?:=>|[{/])|$)|[^\S\n]*\n)/;
