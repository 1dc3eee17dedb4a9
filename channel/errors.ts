/** The errors that channels, gateways and the item format raise. Each `name` is on the prototype. */

/**
 * An item or some bytes do not fit the item format. The common base of {@linkcode DumpError} and {@linkcode LoadError}.
 *
 * @example
 * ```ts
 * import { DataFormatError, dumps, loads } from "@execnet/execnet";
 * import { assertThrows } from "jsr:@std/assert@^1.0.19";
 *
 * assertThrows(() => dumps(Symbol("x")), DataFormatError);
 * assertThrows(() => loads(new Uint8Array()), DataFormatError);
 * ```
 */
export class DataFormatError extends Error {
  static {
    this.prototype.name = "DataFormatError";
  }
}

/**
 * A value cannot be sent. `path` leads to the culprit, e.g. `$.report[3].owner`.
 *
 * @example
 * ```ts
 * import { DumpError, dumps } from "@execnet/execnet";
 * import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
 *
 * const error = assertThrows(() => dumps({ report: [1, { owner: () => "me" }] }), DumpError);
 * assertEquals(error.path, "$.report[1].owner");
 * ```
 */
export class DumpError extends DataFormatError {
  static {
    this.prototype.name = "DumpError";
  }
  /** Where in the value the culprit sits, `$` being the value itself. */
  readonly path: string;
  /** Makes the error for the culprit at `path`. */
  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/** What was given as a reason, as an error. */
export function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** An error as it is seen from a part of what was to be sent, at `root`. What is no DumpError of that part stays as it is. */
export function relativeTo(error: unknown, root: string): unknown {
  if (!(error instanceof DumpError) || !error.path.startsWith(root)) return error;
  const path = `$${error.path.slice(root.length)}`;
  return new DumpError(error.message.replace(error.path, () => path), path, { cause: error.cause });
}

/**
 * Bytes are not a valid item: truncated, corrupt, too deep, or of another format version.
 *
 * @example
 * ```ts
 * import { dumps, LoadError, loads } from "@execnet/execnet";
 * import { assertThrows } from "jsr:@std/assert@^1.0.19";
 *
 * const bytes = dumps(["a", "b"]);
 * assertThrows(() => loads(bytes.subarray(0, -1)), LoadError);
 * ```
 */
export class LoadError extends DataFormatError {
  static {
    this.prototype.name = "LoadError";
  }
}

/**
 * The far side broke the wire protocol; its gateway is closed for it.
 *
 * @example
 * ```ts
 * import { GatewayClosedError, ProtocolError } from "@execnet/execnet";
 *
 * // Whether a gateway was lost because its far side talked nonsense.
 * function talkedNonsense(error: unknown): boolean {
 *   return error instanceof GatewayClosedError && error.cause instanceof ProtocolError;
 * }
 * console.log(talkedNonsense(new Error("something else"))); // false
 * ```
 */
export class ProtocolError extends Error {
  static {
    this.prototype.name = "ProtocolError";
  }
}

/**
 * A wait ended at its `timeout`. What was waited for is still usable.
 *
 * @example
 * ```ts
 * import { makeGateway, TimeoutError } from "@execnet/execnet";
 * import { assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * const channel = gateway.remoteExec(`await channel.receive(); await channel.send("late");`);
 * await assertRejects(() => channel.receive({ timeout: 0 }), TimeoutError);
 * await channel.send("go on");
 * assertEquals(await channel.receive(), "late");
 * ```
 */
export class TimeoutError extends Error {
  static {
    this.prototype.name = "TimeoutError";
  }
}

/**
 * The channel is closed and everything that had arrived has been received.
 *
 * @example
 * ```ts
 * import { EOFError, makeGateway } from "@execnet/execnet";
 * import { assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * const channel = gateway.remoteExec(`await channel.send("the last item");`);
 * assertEquals(await channel.receive(), "the last item");
 * await assertRejects(() => channel.receive(), EOFError);
 * ```
 */
export class EOFError extends Error {
  static {
    this.prototype.name = "EOFError";
  }
}

/**
 * Something was sent on a channel that is closed for sending.
 *
 * @example
 * ```ts
 * import { ChannelClosedError, makeGateway } from "@execnet/execnet";
 * import { assertRejects } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * const channel = gateway.remoteExec(`await channel.receive();`);
 * await channel.close();
 * await assertRejects(() => channel.send("too late"), ChannelClosedError);
 * ```
 */
export class ChannelClosedError extends Error {
  static {
    this.prototype.name = "ChannelClosedError";
  }
}

/** What {@linkcode GatewayClosedError} knows about the end of the process behind a gateway. */
export interface GatewayClosedDetails {
  /** The exit code of the process, where it is known. */
  code?: number | undefined;
  /** The signal that ended the process, where it is known. */
  signal?: string | undefined;
  /** The last lines that the process wrote to stderr. */
  stderrTail?: string | undefined;
  /** Whether this side had asked for the end. */
  requested?: boolean | undefined;
}

/**
 * The gateway's connection has ended, and with it every channel.
 *
 * @example
 * ```ts
 * import { GatewayClosedError, makeGateway } from "@execnet/execnet";
 * import { assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway("popen//execmodel=main");
 * const channel = gateway.remoteExec(`Deno.exit(3);`);
 * const error = await assertRejects(() => channel.receive(), GatewayClosedError);
 * assertEquals((await gateway.closed).code, 3);
 * console.log(error.message);
 * ```
 */
export class GatewayClosedError extends EOFError {
  static {
    this.prototype.name = "GatewayClosedError";
  }
  /** The exit code of the process, where it is known. */
  readonly code: number | undefined;
  /** The signal that ended the process, where it is known. */
  readonly signal: string | undefined;
  /** The last lines that the process wrote to stderr. */
  readonly stderrTail: string;
  /** Whether this side had asked for the end; iteration then just ends. */
  readonly requested: boolean;
  /** Makes the error from a message and what is known about the process. */
  constructor(message: string, details: GatewayClosedDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = details.code;
    this.signal = details.signal;
    this.stderrTail = details.stderrTail ?? "";
    this.requested = details.requested ?? false;
  }
}

/** Whether an end was to be expected: the channel's own, or that of a gateway which was asked to end. */
export function isPlainEnd(error: unknown): boolean {
  return error instanceof GatewayClosedError ? error.requested : error instanceof EOFError;
}
