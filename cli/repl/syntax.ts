/** How the prompt reads JavaScript: a tree of a whole input, and the words of one that need not be whole. */

import * as acorn from "npm:acorn@^8.17.0";

/** A node of the tree: its kind, its place, and its parts by name. */
export interface Node {
  type: string;
  start: number;
  end: number;
  [part: string]: unknown;
}

/** A word of a text. */
export interface Token {
  /** What it is called by the parser: its text for marks and keywords, else its kind. */
  readonly label: string;
  /** Its name, where it has one. */
  readonly value: unknown;
  readonly start: number;
  readonly end: number;
  /** Whether an expression must follow it. */
  readonly wantsMore: boolean;
}

/** What the words of a text tell. */
export interface Tokens {
  readonly tokens: readonly Token[];
  /** Why reading stopped before the end of the text. */
  readonly problem: { readonly message: string; readonly offset: number } | undefined;
}

const OPTIONS = { ecmaVersion: "latest", sourceType: "module" } as const;

/** A text that does not parse, and where. */
export class ParseError extends SyntaxError {
  static {
    this.prototype.name = "SyntaxError";
  }
  /** Offset in the text. */
  readonly offset: number;

  /** Makes the error. */
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Parses JavaScript.
 *
 * @throws {ParseError}
 */
export function parse(text: string): Node {
  try {
    return SessionParser.parse(text, OPTIONS) as unknown as Node;
  } catch (error) {
    throw new ParseError(messageOf(error), offsetOf(error));
  }
}

/** What is exported may be an earlier input's. */
const SessionParser = acorn.Parser.extend((Parser) => {
  const Base = Parser as unknown as new (...args: never[]) => { checkLocalExport(id: unknown): void };
  return class extends Base {
    override checkLocalExport(): void {}
  } as unknown as typeof Parser;
}) as typeof acorn.Parser;

/** The parser's own words do not know of decorators and of `#`: here they are words like others. */
const Tokenizer = acorn.Parser.extend((Parser) => {
  const Base = Parser as unknown as new (...args: never[]) => {
    pos: number;
    getTokenFromCode(code: number): unknown;
    finishToken(type: unknown, value: string): unknown;
  };
  return class extends Base {
    override getTokenFromCode(code: number): unknown {
      if (code !== AT) return super.getTokenFromCode(code);
      this.pos++;
      return this.finishToken(acorn.tokTypes.name, "@");
    }
  } as unknown as typeof Parser;
}) as typeof acorn.Parser;

const AT = 64;

/** The words of a text, TypeScript too. */
export function tokensOf(text: string): Tokens {
  const tokens: Token[] = [];
  try {
    for (const token of Tokenizer.tokenizer(text, OPTIONS)) {
      const { type, value, start, end } = token as acorn.Token & { value: unknown };
      tokens.push({ label: type.label, value, start, end, wantsMore: wantsMore(type) });
    }
    return { tokens, problem: undefined };
  } catch (error) {
    return { tokens, problem: { message: messageOf(error), offset: offsetOf(error) } };
  }
}

/** What the parser says of words: `beforeExpr` holds for operators, opening brackets and some keywords. */
function wantsMore(type: acorn.TokenType): boolean {
  const { beforeExpr } = type as unknown as { beforeExpr: boolean };
  return (beforeExpr && type !== acorn.tokTypes.semi && type !== acorn.tokTypes.braceL) ||
    type === acorn.tokTypes.dot || type === acorn.tokTypes.questionDot;
}

function messageOf(error: unknown): string {
  return (error as Error).message.replace(/ \(\d+:\d+\)$/, "");
}

function offsetOf(error: unknown): number {
  return (error as { pos?: number }).pos ?? 0;
}

/** The nodes right below a node. */
export function* partsOf(node: Node): Iterable<Node> {
  for (const key in node) {
    const value = node[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) yield item;
    } else if (isNode(value)) yield value;
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

/** Whether a node is a function. */
export function isFunction({ type }: Node): boolean {
  return type === "FunctionDeclaration" || type === "FunctionExpression" ||
    type === "ArrowFunctionExpression";
}

/** The names that a pattern declares. */
export function namesIn(pattern: Node | null): string[] {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern.name as string];
    case "ObjectPattern":
      return (pattern.properties as Node[]).flatMap(namesIn);
    case "ArrayPattern":
      return (pattern.elements as (Node | null)[]).flatMap(namesIn);
    case "Property":
      return namesIn(pattern.value as Node);
    case "AssignmentPattern":
      return namesIn(pattern.left as Node);
    case "RestElement":
      return namesIn(pattern.argument as Node);
  }
  return [];
}

/** The names that a declaration of variables declares. */
export function declaredBy(declaration: Node): string[] {
  return (declaration.declarations as Node[]).flatMap(({ id }) => namesIn(id as Node));
}

/** The names that `var` declares below a node, without those in functions. */
export function varsIn(node: Node): string[] {
  const names: string[] = [];
  const look = (node: Node): void => {
    if (isFunction(node) || node.type === "StaticBlock") return;
    if (node.type === "VariableDeclaration" && node.kind === "var") names.push(...declaredBy(node));
    for (const part of partsOf(node)) look(part);
  };
  look(node);
  return names;
}
