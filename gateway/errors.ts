/** The errors of connecting. */

/** Which step of connecting failed. */
export type ConnectErrorKind =
  | "host"
  | "refused"
  | "auth"
  | "hostkey"
  | "no-deno"
  | "version"
  | "noise"
  | "timeout"
  | "exit";

/** What is known about a failed start. */
export interface ConnectErrorDetails {
  /** The exit code of the process that was started. */
  exitCode?: number | undefined;
  /** The signal that ended it. */
  signal?: string | undefined;
  /** The last lines it wrote. */
  stderrTail?: string | undefined;
}

/**
 * A gateway could not be made. Whatever had been started is gone.
 *
 * @example
 * ```ts
 * import { ConnectError, makeGateway } from "@execnet/execnet";
 * import { assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
 *
 * const error = await assertRejects(() => makeGateway("popen//deno=/nowhere/deno"), ConnectError);
 * assertEquals(error.kind, "no-deno");
 * ```
 */
export class ConnectError extends Error {
  static {
    this.prototype.name = "ConnectError";
  }
  /** Which step failed. */
  readonly kind: ConnectErrorKind;
  /** The exit code of the process that was started. */
  readonly exitCode: number | undefined;
  /** The signal that ended it. */
  readonly signal: string | undefined;
  /** The last lines it wrote. */
  readonly stderrTail: string;

  /** Makes the error for a failed step. */
  constructor(
    kind: ConnectErrorKind,
    message: string,
    details: ConnectErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.kind = kind;
    this.exitCode = details.exitCode;
    this.signal = details.signal;
    this.stderrTail = details.stderrTail ?? "";
  }
}

/**
 * The host of a gateway has no address.
 *
 * @example
 * ```ts
 * import { HostNotFoundError, makeGateway } from "@execnet/execnet";
 * import { assertRejects } from "jsr:@std/assert@^1.0.19";
 *
 * const token = await Deno.makeTempFile();
 * await Deno.writeTextFile(token, crypto.randomUUID());
 * const spec = `socket=build1.invalid:8888//tls//token_file=${token}`;
 * await assertRejects(() => makeGateway(spec), HostNotFoundError);
 * await Deno.remove(token);
 * ```
 */
export class HostNotFoundError extends ConnectError {
  static {
    this.prototype.name = "HostNotFoundError";
  }
}

/** What a way of connecting rejects with when it knows which step failed. It becomes a {@linkcode ConnectError}. */
export class ConnectProblem extends Error {
  static {
    this.prototype.name = "ConnectProblem";
  }
  /** Which step failed. */
  readonly kind: ConnectErrorKind;
  /** What was started and has failed, if anything. */
  readonly details: ConnectErrorDetails;

  /** Makes the error for a failed step; `state` says how things stand. */
  constructor(
    kind: ConnectErrorKind,
    state: string,
    { details = {}, ...options }: ErrorOptions & { details?: ConnectErrorDetails } = {},
  ) {
    super(state, options);
    this.kind = kind;
    this.details = details;
  }
}
