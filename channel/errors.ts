/** The errors that channels, gateways and the item format raise. Each `name` is on the prototype. */

/** An item or some bytes do not fit the item format. The common base of {@linkcode DumpError} and {@linkcode LoadError}. */
export class DataFormatError extends Error {
  static {
    this.prototype.name = "DataFormatError";
  }
}

/** A value cannot be sent. `path` leads to the culprit, e.g. `$.report[3].owner`. */
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

/** Bytes are not a valid item: truncated, corrupt, too deep, or of another format version. */
export class LoadError extends DataFormatError {
  static {
    this.prototype.name = "LoadError";
  }
}

/** The far side broke the wire protocol; its gateway is closed for it. */
export class ProtocolError extends Error {
  static {
    this.prototype.name = "ProtocolError";
  }
}

/** A wait ended at its `timeout`. What was waited for is still usable. */
export class TimeoutError extends Error {
  static {
    this.prototype.name = "TimeoutError";
  }
}

/** The channel is closed and everything that had arrived has been received. */
export class EOFError extends Error {
  static {
    this.prototype.name = "EOFError";
  }
}

/** Something was sent on a channel that is closed for sending. */
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

/** The gateway's connection has ended, and with it every channel. */
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
