/** What a function uses that it does not have itself. */

import { analyze } from "npm:periscopic@^4.0.3";
import { partsOf, walk } from "./syntax.ts";
import type { Node, Problem } from "./syntax.ts";

/** A name that nothing in the function declares, and the offset of its first use. */
export interface FreeVariable {
  name: string;
  offset: number;
  /** Whether the code asks with `typeof` for its existence, and so knows that it may be missing. */
  asked: boolean;
}

/**
 * The names that nothing in the function declares, in the order of their first use.
 *
 * The tree is changed, and of no further use.
 */
export function freeVariables(root: Node): FreeVariable[] {
  const asked = new Set<string>();
  walk(root, (node) => {
    if (node.type !== "UnaryExpression" || node.operator !== "typeof") return;
    const { type, name } = node.argument as Node;
    if (type === "Identifier") asked.add(name as string);
  });
  const free: FreeVariable[] = [];
  for (const [name, { start }] of scopesOf(root).globals) {
    // `new` and `import` are the halves of `new.target` and `import.meta`.
    if (name === "arguments" || name === "new" || name === "import") continue;
    free.push({ name, offset: start, asked: asked.has(name) });
  }
  return free.sort((a, b) => a.offset - b.offset);
}

/** The part of a module in which a declaration holds. */
export interface Extent {
  readonly start: number;
  readonly end: number;
  /** Whether that is all of the module. */
  readonly module: boolean;
}

/** The parts of a module in which each name is declared. */
export type Extents = ReadonlyMap<string, readonly Extent[]>;

/** Finds what the scopes of a module declare. The tree is changed. */
export function extentsOf(program: Node): Extents {
  const extents = new Map<string, Extent[]>();
  const add = (name: string, { start, end }: Node, module: boolean): void => {
    const extent = { start, end, module };
    const others = extents.get(name);
    if (others === undefined) extents.set(name, [extent]);
    else others.push(extent);
  };
  for (const { specifiers } of program.body as { specifiers?: Node[] }[]) {
    for (const { type, local } of specifiers ?? []) {
      // The scope analysis does not know these.
      if (type === "ImportNamespaceSpecifier") add((local as Node).name as string, program, true);
    }
  }
  const { scope, map } = scopesOf(program);
  for (const name of scope.declarations.keys()) add(name, program, true);
  walk(program, (node) => {
    for (const name of map.get(node)?.declarations.keys() ?? []) add(name, node, false);
  });
  return extents;
}

/** What a scope analysis says, as far as it is asked. */
interface Scopes {
  globals: ReadonlyMap<string, Node>;
  scope: Scope;
  map: WeakMap<Node, Scope>;
}

interface Scope {
  declarations: ReadonlyMap<string, Node>;
}

/**
 * Analyses the scopes of a tree. The analysis knows neither the name of a class expression nor the scope of a static
 * block; both are rewritten to what it knows and has the same scope. It takes what a module only passes on for
 * declarations, which are left out.
 */
function scopesOf(root: Node): Scopes {
  const prepare = (node: Node): void => {
    for (const part of partsOf(node)) prepare(part);
    if (node.type === "ClassExpression") {
      const declaration = { ...node, type: "ClassDeclaration" };
      for (const key of Object.keys(node)) if (key !== "start" && key !== "end") delete node[key];
      Object.assign(node, { type: "BlockStatement", body: [declaration] });
    } else if (node.type === "StaticBlock") {
      Object.assign(node, { type: "FunctionExpression", params: [] });
    } else if (node.type === "ExportNamedDeclaration" && node.source) {
      Object.assign(node, { type: "EmptyStatement", specifiers: [] });
    }
  };
  prepare(root);
  return analyze(root as never) as unknown as Scopes;
}

/** What holds at the place where a walk is. */
interface Context {
  /** Whether `this` and its like are those of the code around the function. */
  outer: boolean;
  /** The private names that classes in the function declare. */
  privates: ReadonlySet<string>;
}

/** The first thing, but for variables, that a function takes from the code around it or from its module. */
export function outsideReference(root: Node): Problem | undefined {
  let first: Problem & { offset: number } | undefined;
  const report = (offset: number, what: string, why: string): void => {
    if (first === undefined || offset < first.offset) first = { what, why, offset };
  };
  const visit = (node: Node, parent: Node | undefined, context: Context): void => {
    const problem = problemOf(node, parent, context);
    if (problem !== undefined) report(node.start, ...problem);
    for (const part of partsOf(node)) visit(part, node, inside(node, part, context));
  };
  visit(root, undefined, { outer: true, privates: new Set() });
  return first;
}

/** The context of a part of a node. Keys and heritage of a class are evaluated where the class stands. */
function inside(node: Node, part: Node, context: Context): Context {
  switch (node.type) {
    case "FunctionExpression":
    case "FunctionDeclaration":
    case "StaticBlock":
      return context.outer ? { ...context, outer: false } : context;
    case "PropertyDefinition":
      return context.outer && part === node.value ? { ...context, outer: false } : context;
    case "ClassBody": {
      const privates = new Set(context.privates);
      for (const { key } of node.body as { key?: Node }[]) {
        if (key?.type === "PrivateIdentifier") privates.add(key.name as string);
      }
      return { ...context, privates };
    }
    default:
      return context;
  }
}

/** What is wrong with a node, and why. */
function problemOf(
  node: Node,
  parent: Node | undefined,
  { outer, privates }: Context,
): [what: string, why: string] | undefined {
  const around = ", which belongs to the code around it; pass what it needs as an argument";
  switch (node.type) {
    case "ThisExpression":
      return outer ? [`it uses "this"`, around] : undefined;
    case "Super":
      return outer ? [`it uses "super"`, around] : undefined;
    case "Identifier":
      // Strict code can give nothing this name but members and keys.
      return outer && node.name === "arguments" && !isMemberName(node, parent)
        ? [`it uses "arguments"`, around]
        : undefined;
    case "PrivateIdentifier":
      return privates.has(node.name as string)
        ? undefined
        : [`it uses "#${node.name}"`, ", which only the class around it can"];
    case "MetaProperty":
      if ((node.meta as Node).name === "import") {
        return [`it uses "import.meta"`, ", which belongs to its module; pass what it needs as an argument"];
      }
      return outer ? [`it uses "new.target"`, around] : undefined;
    case "ImportExpression": {
      const specifier = literalOf(node.source as Node);
      if (specifier === undefined || URL.canParse(specifier) || isBuiltin(specifier)) return undefined;
      return [
        `it imports "${specifier}"`,
        /^\.{0,2}\//.test(specifier)
          ? ", which is relative to its file; ship a module by URL, which takes its imports along"
          : ", which needs configuration that is only here; write npm:, jsr: or node:, or ship a module by URL",
      ];
    }
  }
}

/** Whether an identifier is the name of a member or a key, and so refers to nothing. */
function isMemberName(node: Node, parent: Node | undefined): boolean {
  return parent !== undefined && parent.computed !== true &&
    (parent.property === node || parent.key === node);
}

/** Whether a bare specifier is a module of Node, which Deno knows by its bare name too. */
function isBuiltin(specifier: string): boolean {
  // Taken out first: what is resolved here is the caller's, and nothing that publishing this package could rewrite.
  const { resolve } = import.meta;
  try {
    return resolve(specifier) === `node:${specifier}`;
  } catch {
    return false;
  }
}

/** The value of a string that is written out. */
function literalOf(node: Node): string | undefined {
  if (node.type === "Literal" && typeof node.value === "string") return node.value;
  if (node.type === "TemplateLiteral" && (node.expressions as Node[]).length === 0) {
    return ((node.quasis as Node[])[0]!.value as { cooked: string }).cooked;
  }
}
