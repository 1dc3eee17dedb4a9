/** The one error of this folder. */

/**
 * A spec, or a value in one, is not valid. Raised before anything is started.
 *
 * @example
 * ```ts
 * import { XSpec, XSpecError } from "@execnet/execnet";
 * import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
 *
 * const error = assertThrows(() => new XSpec("popen//allow-red=/srv"), XSpecError);
 * assertEquals(error.key, "allow-red");
 * console.log(error.message); // … did you mean "allow-read"?
 * ```
 */
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
