/** The one error of this folder. */

/** A spec, or a value in one, is not valid. Raised before anything is started. */
export class XSpecError extends Error {
  static {
    this.prototype.name = "XSpecError";
  }
  /** The spec in question, as text. It may hold secrets (`env:…`), which `message` leaves out. */
  readonly spec: string;
  /** The key in question, as the string form writes it; `undefined` when it is the spec as a whole. */
  readonly key: string | undefined;
  /** Makes the error for `key` of `spec`. */
  constructor(message: string, spec: string, key?: string, options?: ErrorOptions) {
    super(message, options);
    this.spec = spec;
    this.key = key;
  }
}
