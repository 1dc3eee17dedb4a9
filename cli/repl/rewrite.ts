/**
 * JavaScript of a prompt as JavaScript of a function: what the top of an input declares becomes properties of the
 * session, so that later inputs have it, and its value is kept.
 *
 * Names are told apart here, by their scopes, and not over there by a `with`, in which every name is looked up by hand:
 * a loop over `Math.sqrt` takes thirty times as long in one.
 */

import { type Edited, Edits } from "./edits.ts";
import { isUsing, referencesOf } from "./scopes.ts";
import { declaredBy, namesIn, type Node, parse, varsIn } from "./syntax.ts";

/** What is known of the session. */
export interface Names {
  /** Whether the session has a name, or may have it later; all others are those of globals. */
  has(name: string): boolean;
}

/** An input that can be evaluated. */
export interface Rewritten {
  /** Statements that assign the functions which the input declares; undefined when there are none. */
  readonly hoisted: Edited | undefined;
  /** The other statements. */
  readonly body: Edited;
  /** Names that are there from the beginning: `var` and functions. */
  readonly vars: readonly string[];
  /** Names that are there once their declarations have been reached. */
  readonly lets: readonly string[];
}

/** How an input is rewritten. */
export interface RewriteOptions {
  /** What it calls the session. */
  readonly store: string;
  /** What it calls what helps with it. */
  readonly helper: string;
  /** Declarations of names that the author did not write stay with the input: they are the compiler's. */
  wrote(name: string): boolean;
}

/**
 * Rewrites an input.
 *
 * @throws {ParseError} when it is no JavaScript
 */
export function rewrite(text: string, session: Names, { store, helper, wrote }: RewriteOptions): Rewritten {
  const program = parse(text);
  const all = program.body as Node[];
  const statements = all.filter((one) => !declaresOnly(declarationOf(one), (name) => !wrote(name)));
  const declarations = statements.map(declarationOf);
  const functions = declarations.filter((node) => node.type === "FunctionDeclaration");
  const vars = [...functions.map(nameOf), ...declarations.flatMap(varsIn)];
  const lets = declarations.flatMap((node) => {
    if (node.type === "ClassDeclaration") return [nameOf(node)];
    if (node.type === "ImportDeclaration") return bindingsOf(node).map(({ local }) => local);
    return node.type === "VariableDeclaration" && node.kind !== "var" && !isUsing(node)
      ? declaredBy(node)
      : [];
  });

  const names = new Edits();
  const own = new Set([...vars, ...lets]);
  const foreign = new Set(all.filter((one) => !statements.includes(one)).flatMap(topNames));
  const isOurs = (name: string): boolean =>
    own.has(name) || name !== store && !foreign.has(name) && session.has(name);
  const { free, imports, named } = referencesOf(program);
  for (const { name, start, end, use, whole, shorthand } of free) {
    if (!isOurs(name)) continue;
    const property = `${store}.${name}`;
    if (use === "typeof") names.replace(whole.start, whole.end, `${helper}.type(${JSON.stringify(name)})`);
    // A call of a property would pass the session as `this`.
    else if (use === "call") names.replace(start, end, `(0,${property})`);
    else names.replace(start, end, shorthand ? `${name}:${property}` : property);
  }
  for (const { name, fn } of named) {
    if (!isOurs(name)) continue;
    names.insert(fn.start, `({[${JSON.stringify(name)}]:`);
    names.insert(fn.end, `})[${JSON.stringify(name)}]`);
  }
  for (const { type, start, end } of imports) {
    if (type === "MetaProperty") names.replace(start, end, `${helper}.meta`);
    else names.replace(start, start + "import".length, `${helper}.load`);
  }

  const body = new Writer(text, store, helper);
  for (const statement of statements) body.top(statement);
  let hoisted: Edited | undefined;
  if (functions.length > 0) {
    const only = new Edits();
    let at = 0;
    for (const { start, end, id } of functions as (Node & { id: Node })[]) {
      only.replace(at, start, "");
      only.insert(start, `;${store}.${id.name}=`);
      at = end;
    }
    only.replace(at, text.length, "");
    hoisted = names.within(functions).apply(text, only);
  }
  return { hoisted, body: names.apply(text, body.edits), vars, lets };
}

/** The changes of the statements at the top, names left aside. */
class Writer {
  readonly edits: Edits = new Edits();
  readonly #text: string;
  readonly #store: string;
  readonly #helper: string;

  constructor(text: string, store: string, helper: string) {
    this.#text = text;
    this.#store = store;
    this.#helper = helper;
  }

  /** A statement of the top. */
  top(statement: Node): void {
    const { start, end } = statement;
    const node = declarationOf(statement);
    switch (node.type) {
      case "FunctionDeclaration":
        // Was assigned before.
        return this.edits.replace(start, end, ";");
      case "ClassDeclaration":
        this.edits.replace(start, node.start, "");
        this.edits.insert(node.start, `;${this.#store}.${nameOf(node)}=`);
        return this.edits.insert(node.end, ";");
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        return this.edits.replace(start, end, this.#import(node));
      case "ExportNamedDeclaration":
        return this.edits.replace(start, end, node.source ? this.#import(node) : ";");
      case "VariableDeclaration":
        this.edits.replace(start, node.start, "");
        return this.#variables(node, true);
    }
    if (statement.type !== "ExportDefaultDeclaration") return this.#statement(node, true);
    // A value of the module that nobody can import.
    this.edits.replace(start, node.start, ";");
    this.#value(node);
  }

  /** `import { a as b } from "m"` binds names to what the module exports at any time. */
  #import(node: Node): string {
    const attributes = (node.attributes as Node[] ?? []).map(({ key, value }) => {
      const { name, value: quoted } = key as Node;
      return [name ?? quoted, (value as Node).value];
    });
    const bindings = node.type === "ImportDeclaration" ? bindingsOf(node) : [];
    const from = JSON.stringify((node.source as Node).value);
    return `;await ${this.#helper}.bind(${from},${JSON.stringify(Object.fromEntries(attributes))},${
      JSON.stringify(bindings.map(({ local, imported }) => [local, imported]))
    });`;
  }

  #statements(nodes: Iterable<Node>, values: boolean): void {
    for (const node of nodes) this.#statement(node, true, values);
  }

  /** A statement outside of functions. `listed` is whether another one may stand in its place with it. */
  #statement(node: Node | null, listed: boolean, values = true): void {
    if (node === null) return;
    const clear = (): void => {
      if (listed && values) this.edits.insert(node.start, `;${this.#helper}.value=void 0;`);
    };
    switch (node.type) {
      case "ExpressionStatement":
        if (values) this.#value(node);
        return;
      case "VariableDeclaration":
        if (node.kind === "var") this.#variables(node, listed);
        return;
      case "BlockStatement":
        return this.#statements(node.body as Node[], values);
      case "IfStatement":
        clear();
        this.#statement(node.consequent as Node, false, values);
        return this.#statement(node.alternate as Node | null, false, values);
      case "ForStatement":
      case "ForInStatement":
      case "ForOfStatement": {
        clear();
        const head = (node.init ?? node.left) as Node | null;
        if (head?.type === "VariableDeclaration" && head.kind === "var") this.#head(head);
        return this.#statement(node.body as Node, false, values);
      }
      case "WhileStatement":
      case "DoWhileStatement":
        clear();
        return this.#statement(node.body as Node, false, values);
      case "LabeledStatement":
        return this.#statement(node.body as Node, false, values);
      case "SwitchStatement":
        clear();
        for (const { consequent } of node.cases as Node[]) this.#statements(consequent as Node[], values);
        return;
      case "TryStatement":
        clear();
        this.#statement(node.block as Node, false, values);
        if (node.handler) this.#statement((node.handler as Node).body as Node, false, values);
        return this.#statement(node.finalizer as Node | null, false, false);
    }
  }

  /** Keeps the value of an expression that is a statement. */
  #value({ start, end }: Node): void {
    this.edits.insert(start, `${this.#helper}.value=(`);
    const stops = this.#text[end - 1] === ";";
    if (stops) this.edits.replace(end - 1, end, ");");
    else this.edits.insert(end, ")");
  }

  /** A declaration becomes assignments to what it declares; names and patterns stay as they are. */
  #variables(node: Node, listed: boolean): void {
    if (isUsing(node)) return;
    const { start, kind } = node;
    const declarators = node.declarations as Node[];
    this.edits.replace(start, start + String(kind).length, listed ? ";(" : "(");
    for (const { init, end } of declarators) {
      if (init === null && kind === "let") this.edits.insert(end, "=void 0");
    }
    const { end } = declarators.at(-1)!;
    const fixed = kind === "const" ? declaredBy(node).map((name) => JSON.stringify(name)) : [];
    this.edits.insert(end, fixed.length === 0 ? ")" : `,${this.#helper}.fix(${fixed}))`);
  }

  /** The same in the head of a loop. */
  #head({ start, kind }: Node): void {
    this.edits.replace(start, start + String(kind).length, "");
  }
}

/** What an export declares; else the statement itself. */
function declarationOf(statement: Node): Node {
  const { type, declaration } = statement as Node & { declaration?: Node | null };
  if (!declaration || !type.startsWith("Export")) return statement;
  if (type === "ExportNamedDeclaration") return declaration;
  const declares = /^(?:Function|Class)Declaration$/.test(declaration.type) && declaration.id !== null;
  // One without a name is an expression here.
  return declares ? declaration : { ...declaration, type: "DefaultExpression" };
}

/** The names that a declaration at the top declares for all of it. */
function topNames(node: Node): string[] {
  if (node.type === "VariableDeclaration") return declaredBy(node);
  return node.type === "FunctionDeclaration" || node.type === "ClassDeclaration" ? [nameOf(node)] : [];
}

function declaresOnly(node: Node, which: (name: string) => boolean): boolean {
  const names = topNames(node);
  return names.length > 0 && names.every(which);
}

function nameOf({ id }: Node): string {
  return (id as Node).name as string;
}

/** Which names an import declares, and what of the module they stand for: `*` is all of it. */
function bindingsOf({ specifiers }: Node): { local: string; imported: string }[] {
  return (specifiers as Node[]).map(({ type, local, imported }) => ({
    local: namesIn(local as Node)[0]!,
    imported: type === "ImportNamespaceSpecifier"
      ? "*"
      : type === "ImportDefaultSpecifier"
      ? "default"
      : ((imported as Node).name ?? (imported as Node).value) as string,
  }));
}
