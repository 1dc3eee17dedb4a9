/** What a caller has done elsewhere: one span of its trace, which those of the far side belong to. */

import { GatewayClosedError } from "../../channel/errors.ts";
import { RemoteError } from "../../channel/remote_error.ts";
import { markFailed } from "../process/otel.ts";
import type { Failure, Span, TraceContext } from "../process/otel.ts";

/** How work has ended: `abandoned` by this side, which no longer wanted it. */
export type Outcome = "ok" | "error" | "abandoned";

/** One execution, stream or call. */
export class Work {
  /** Travels with it; nothing where its trace does not. */
  readonly traceContext: TraceContext | undefined;
  readonly #span: Span | undefined;
  readonly #told: (outcome: Outcome, type: string | undefined) => void;
  #over = false;

  /** `told` is told how it has ended. */
  constructor(
    traceContext: TraceContext | undefined,
    span: Span | undefined,
    told: (outcome: Outcome, type: string | undefined) => void,
  ) {
    this.traceContext = traceContext;
    this.#span = span;
    this.#told = told;
  }

  /** It has ended. Idempotent. */
  end(error?: unknown, closedHere: boolean = false): void {
    if (this.#over) return;
    this.#over = true;
    const asked = error instanceof GatewayClosedError && error.requested;
    const outcome = asked || error === undefined && closedHere
      ? "abandoned"
      : error === undefined
      ? "ok"
      : "error";
    this.#span?.setAttributes({ "execnet.outcome": outcome });
    const type = outcome === "error" ? typeOf(error) : undefined;
    if (this.#span !== undefined && type !== undefined) markFailed(this.#span, failureOf(error), type);
    this.#span?.end();
    this.#told(outcome, type);
  }
}

/** The longest text of a span, in UTF-16 units: much of what errors say is from the far side. */
const MAX_TEXT_LENGTH = 8192;

/** A text as spans take it. */
export function cut(text: string): string {
  return text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH - 1).toWellFormed()}…`;
}

/** The name of an error; of a remote one that which it has there. */
export function typeOf(error: unknown): string {
  return error instanceof RemoteError ? cut(error.remoteName) : failureOf(error).name;
}

/** An error, or whatever was thrown, as spans take it. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: cut(String(error)) };
  const { name, message } = error;
  const stack = error instanceof RemoteError ? error.formatted : error.stack;
  return {
    name: cut(String(name)),
    message: cut(String(message)),
    stack: stack === undefined ? undefined : cut(stack),
  };
}
