/** An error of the far side: how it travels, and what arrives. */

/** An error as plain data, the way it crosses a connection. Every field is untrusted on arrival. */
export interface ErrorData {
  /** The error's name, e.g. `TypeError`. */
  name: string;
  /** Its message. */
  message: string;
  /** Its stack, as the far side shows it. */
  stack?: string;
  /** Its cause, as data too. */
  cause?: ErrorData;
  /** The errors that an `AggregateError` is made of, as data too. */
  errors?: ErrorData[];
  /** Its own plain fields. */
  fields?: Record<string, unknown>;
}

/**
 * Longer texts are cut, so that an error always fits one frame. Those that arrive are, too: looking for places in a stack
 * may take the square of its length.
 */
const MAX_TEXT_CHARS = 8_192;
const MAX_CAUSES = 5;
const MAX_ERRORS = 8;
const MAX_AGGREGATES = 2;
const STANDARD_FIELDS: ReadonlySet<string> = new Set(["name", "message", "stack", "cause"]);

/**
 * Turns whatever was thrown into data. Never throws, whatever getters or proxies do.
 *
 * @param mapStack rewrites the stack, e.g. to the lines that the author of the code knows
 */
export function errorData(thrown: unknown, mapStack?: (stack: string) => string, depth = 0): ErrorData {
  try {
    if (!(thrown instanceof Error)) return { name: "Error", message: cut(describe(thrown)) };
    const data: ErrorData = { name: cut(String(thrown.name)), message: cut(String(thrown.message)) };
    if (typeof thrown.stack === "string") {
      data.stack = cut(mapStack === undefined ? thrown.stack : mapStack(thrown.stack));
    }
    if (thrown.cause !== undefined && depth < MAX_CAUSES) {
      data.cause = errorData(thrown.cause, mapStack, depth + 1);
    }
    if (thrown instanceof AggregateError && depth < MAX_AGGREGATES) {
      data.errors = thrown.errors.slice(0, MAX_ERRORS).map((one) => errorData(one, mapStack, depth + 1));
    }
    const fields = plainFields(thrown);
    if (fields !== undefined) data.fields = fields;
    return data;
  } catch {
    return { name: "Error", message: "An error that cannot be read" };
  }
}

/** The own fields of an error that are simple enough to travel with it. */
function plainFields(error: Error): Record<string, unknown> | undefined {
  let fields: Record<string, unknown> | undefined;
  for (const key of Object.keys(error).slice(0, 32)) {
    if (STANDARD_FIELDS.has(key)) continue;
    const value = (error as unknown as Record<string, unknown>)[key];
    const plain = typeof value === "string" ? cut(value) : value;
    if (
      plain === null || ["string", "number", "boolean", "bigint", "undefined"].includes(typeof plain)
    ) (fields ??= {})[key] = plain;
    else if (typeof plain === "object") {
      try {
        const text = JSON.stringify(plain);
        if (text.length <= MAX_TEXT_CHARS) (fields ??= {})[key] = JSON.parse(text);
      } catch {
        // A field that is no plain data stays behind.
      }
    }
  }
  return fields;
}

function describe(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown !== "object" || thrown === null) return String(thrown);
  try {
    return JSON.stringify(thrown) ?? String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

function cut(text: string): string {
  return text.length <= MAX_TEXT_CHARS ? text : `${text.slice(0, MAX_TEXT_CHARS)}…`;
}

/**
 * Reads what claims to be {@linkcode ErrorData}; what does not fit is left out. Texts are cut here, too: code over there can
 * have changed what cuts them.
 *
 * @param readStack rewrites the stack, e.g. to the caller's own files
 */
export function readErrorData(value: unknown, readStack?: (stack: string) => string, depth = 0): ErrorData {
  if (typeof value !== "object" || value === null) {
    // The digits of a long one would take minutes.
    const text = typeof value === "bigint" ? "a bigint" : String(value ?? "");
    return { name: "Error", message: cut(text) };
  }
  const { name, message, stack, cause, errors, fields } = value as Record<string, unknown>;
  const data: ErrorData = {
    name: typeof name === "string" ? cut(name) : "Error",
    message: typeof message === "string" ? cut(message) : "",
  };
  if (typeof stack === "string") data.stack = readStack === undefined ? cut(stack) : readStack(cut(stack));
  if (cause !== undefined && depth < MAX_CAUSES) data.cause = readErrorData(cause, readStack, depth + 1);
  if (Array.isArray(errors) && depth < MAX_AGGREGATES) {
    data.errors = errors.slice(0, MAX_ERRORS).map((one) => readErrorData(one, readStack, depth + 1));
  }
  if (typeof fields === "object" && fields !== null) data.fields = { ...fields };
  return data;
}

/**
 * An error that happened on the far side: an exception there, a close with an error, or the end of an execution.
 *
 * @example
 * ```ts
 * import { makeGateway, RemoteError } from "@execnet/execnet";
 * import { assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * const parse = (text: string) => JSON.parse(text);
 * const error = await assertRejects(() => gateway.call(parse, "{"), RemoteError);
 * assertEquals(error.remoteName, "SyntaxError");
 * console.log(error.formatted); // its gateway, its message and the remote stack
 * ```
 */
export class RemoteError extends Error {
  static {
    this.prototype.name = "RemoteError";
  }
  /** The name of the remote error, e.g. `TypeError`; `AbortError`, `TimeoutError` or `Killed` for an execution that was ended. */
  readonly remoteName: string;
  /** The message of the remote error. */
  readonly remoteMessage: string;
  /** The stack of the remote error, with the lines of the code that was sent. */
  readonly remoteStack: string | undefined;
  /** The id of the gateway it came from. */
  readonly gatewayId: string;
  /** The errors that a remote `AggregateError` is made of. */
  readonly errors: readonly RemoteError[];
  /** The remote error's own plain fields. */
  readonly fields: Readonly<Record<string, unknown>>;

  /** Makes the error from what arrived over the gateway `gatewayId`. */
  constructor(data: ErrorData, gatewayId: string, options?: ErrorOptions) {
    const cause = data.cause === undefined ? undefined : new RemoteError(data.cause, gatewayId);
    super(`${data.name}: ${data.message}`, options ?? (cause === undefined ? undefined : { cause }));
    this.remoteName = data.name;
    this.remoteMessage = data.message;
    this.remoteStack = data.stack;
    this.gatewayId = gatewayId;
    this.errors = (data.errors ?? []).map((one) => new RemoteError(one, gatewayId));
    this.fields = data.fields ?? {};
  }

  /** The whole story as text: the remote stack, and that of its causes. */
  get formatted(): string {
    const head = `${this.remoteName}: ${this.remoteMessage}`;
    const stack = this.remoteStack ?? "";
    const own = stack.includes(this.remoteMessage) ? stack : stack === "" ? head : `${head}\n${stack}`;
    const errors = this.errors.map((one) => `\nOne of its errors: ${one.formatted}`).join("");
    const cause = this.cause instanceof RemoteError ? `\nCaused by: ${this.cause.formatted}` : "";
    return `Remote error on gateway "${this.gatewayId}":\n${own}${errors}${cause}`;
  }
}
