/** Which names of an input are not declared within it by something below its top: those the session may have. */

import { declaredBy, isFunction, namesIn, type Node, partsOf, varsIn } from "./syntax.ts";

/** How a name is used. */
export type Use = "plain" | "call" | "typeof";

/** A name that nothing below the top of the input declares. */
export interface Reference {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly use: Use;
  /** The whole expression, for `typeof name`. */
  readonly whole: Node;
  /** It stands for both the key and the value, as in `{ name }`. */
  readonly shorthand: boolean;
}

/** What an input refers to. */
export interface References {
  readonly free: readonly Reference[];
  /** `import(…)` and `import.meta`. */
  readonly imports: readonly Node[];
  /** Functions without a name that get that of what they are assigned to. */
  readonly named: readonly { readonly name: string; readonly fn: Node }[];
}

interface Scope {
  readonly names: ReadonlySet<string>;
  readonly parent: Scope | undefined;
}

/** Looks at all of a program. What its top declares is not taken for declared. */
export function referencesOf(program: Node): References {
  const free: Reference[] = [];
  const imports: Node[] = [];
  const named: { name: string; fn: Node }[] = [];

  const isLocal = (name: string, scope: Scope | undefined): boolean => {
    for (let one = scope; one !== undefined; one = one.parent) if (one.names.has(name)) return true;
    return false;
  };
  const refer = (node: Node, scope: Scope | undefined, how: Partial<Reference> = {}): void => {
    const name = node.name as string;
    if (isLocal(name, scope)) return;
    const { start, end } = node;
    free.push({ name, start, end, use: "plain", whole: node, shorthand: false, ...how });
  };
  /** Says that a function is assigned to a free name. */
  const assigned = (target: Node, value: Node | null, scope: Scope | undefined): void => {
    if (target.type !== "Identifier" || value === null || !isAnonymous(value)) return;
    const name = target.name as string;
    if (!isLocal(name, scope)) named.push({ name, fn: value });
  };
  const all = (nodes: Iterable<Node | null>, scope: Scope | undefined): void => {
    for (const node of nodes) if (node !== null) visit(node, scope);
  };
  const inFunction = (node: Node, scope: Scope | undefined): void => {
    const own = node.type === "FunctionExpression" && node.id
      ? within(scope, [(node.id as Node).name as string])
      : scope;
    const params = node.params as Node[];
    const names = params.flatMap(namesIn);
    const outer = within(own, node.type === "ArrowFunctionExpression" ? names : [...names, "arguments"]);
    all(params, outer);
    const body = node.body as Node;
    if (body.type !== "BlockStatement") return visit(body, outer);
    const statements = body.body as Node[];
    all(statements, within(outer, [...varsIn(body), ...lexicalNames(statements)]));
  };

  const visit = (node: Node, scope: Scope | undefined): void => {
    if (isFunction(node)) return inFunction(node, scope);
    switch (node.type) {
      case "Identifier":
        return refer(node, scope);
      case "ClassDeclaration":
      case "ClassExpression": {
        const inside = node.id ? within(scope, [(node.id as Node).name as string]) : scope;
        return all([node.superClass as Node | null, node.body as Node], inside);
      }
      case "StaticBlock": {
        const statements = node.body as Node[];
        const vars = statements.flatMap(varsIn);
        return all(statements, within(scope, [...vars, ...lexicalNames(statements), "arguments"]));
      }
      case "BlockStatement": {
        const statements = node.body as Node[];
        return all(statements, within(scope, lexicalNames(statements)));
      }
      case "SwitchStatement": {
        visit(node.discriminant as Node, scope);
        const cases = node.cases as Node[];
        return all(cases, within(scope, cases.flatMap((one) => lexicalNames(one.consequent as Node[]))));
      }
      case "ForStatement":
      case "ForInStatement":
      case "ForOfStatement": {
        const head = (node.init ?? node.left ?? null) as Node | null;
        return all(partsOf(node), within(scope, head === null ? [] : lexicalNames([head])));
      }
      case "CatchClause":
        return all(partsOf(node), within(scope, namesIn(node.param as Node | null)));
      case "VariableDeclarator":
        assigned(node.id as Node, node.init as Node | null, scope);
        break;
      case "AssignmentPattern":
        assigned(node.left as Node, node.right as Node, scope);
        break;
      case "AssignmentExpression":
        if (/^(?:=|&&=|\|\|=|\?\?=)$/.test(node.operator as string)) {
          assigned(node.left as Node, node.right as Node, scope);
        }
        break;
      case "MemberExpression":
        visit(node.object as Node, scope);
        if (node.computed === true) visit(node.property as Node, scope);
        return;
      case "Property": {
        const value = node.value as Node;
        if (node.computed === true) visit(node.key as Node, scope);
        if (node.shorthand !== true) return visit(value, scope);
        const named = value.type === "AssignmentPattern" ? value.left as Node : value;
        refer(named, scope, { shorthand: true });
        if (value.type === "AssignmentPattern") {
          assigned(named, value.right as Node, scope);
          visit(value.right as Node, scope);
        }
        return;
      }
      case "MethodDefinition":
      case "PropertyDefinition":
        if (node.computed === true) visit(node.key as Node, scope);
        if (node.value) visit(node.value as Node, scope);
        return;
      case "CallExpression":
      case "TaggedTemplateExpression": {
        const callee = (node.callee ?? node.tag) as Node;
        if (callee.type === "Identifier") refer(callee, scope, { use: "call" });
        else visit(callee, scope);
        return all((node.arguments ?? [node.quasi]) as Node[], scope);
      }
      case "UnaryExpression": {
        const argument = node.argument as Node;
        if (node.operator !== "typeof" || argument.type !== "Identifier") break;
        return refer(argument, scope, { use: "typeof", whole: node });
      }
      case "LabeledStatement":
        return visit(node.body as Node, scope);
      case "BreakStatement":
      case "ContinueStatement":
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        return;
      case "ExportNamedDeclaration":
        if (node.declaration) visit(node.declaration as Node, scope);
        return;
      case "MetaProperty":
        if ((node.meta as Node).name === "import") imports.push(node);
        return;
      case "ImportExpression":
        imports.push(node);
        break;
    }
    all(partsOf(node), scope);
  };
  // What ends with the input stays its own: nothing else can have it.
  const using = (program.body as Node[]).filter(isUsing).flatMap(declaredBy);
  all(program.body as Node[], using.length === 0 ? undefined : within(undefined, using));
  return { free, imports, named };
}

/** Whether a statement declares what is disposed of at the end of its block. */
export function isUsing({ type, kind }: Node): boolean {
  return type === "VariableDeclaration" && (kind === "using" || kind === "await using");
}

/** Whether a node is a function or class that takes the name of what it is assigned to. */
function isAnonymous(node: Node): boolean {
  return node.type === "ArrowFunctionExpression" ||
    (node.type === "FunctionExpression" || node.type === "ClassExpression") && !node.id;
}

function within(parent: Scope | undefined, names: readonly string[]): Scope {
  return { names: new Set(names), parent };
}

/** The names that statements declare for the block they are in. */
function lexicalNames(statements: readonly Node[]): string[] {
  return statements.flatMap((node) => {
    if (node.type === "VariableDeclaration") return node.kind === "var" ? [] : declaredBy(node);
    if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") {
      return [(node.id as Node).name as string];
    }
    // A label before a function.
    return node.type === "LabeledStatement" ? lexicalNames([node.body as Node]) : [];
  });
}
