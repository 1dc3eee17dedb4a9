/** Errors that people read: what failed, and what to do. */

/** The exit codes of the command. */
export const EXIT = {
  /** It is done. */
  ok: 0,
  /** It was tried and has failed. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** There is no connection. */
  unreachable: 3,
} as const;

/** A failure that knows what to do about it. */
export class Failure extends Error {
  static {
    this.prototype.name = "Failure";
  }
  /** What to do. */
  readonly advice: string;
  /** The exit code. */
  readonly code: number;

  /** Makes the failure. */
  constructor(message: string, advice: string, code: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
    this.code = code;
  }
}

/** The command line makes no sense. */
export class UsageError extends Failure {
  static {
    this.prototype.name = "UsageError";
  }

  /** Makes the error; `command` is whose help shows how it is done. */
  constructor(message: string, command?: string, options?: ErrorOptions) {
    super(message, `See execnet ${command === undefined ? "" : `${command} `}--help`, EXIT.usage, options);
  }
}
