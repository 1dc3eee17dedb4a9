/** What errors are to measurements: few and short names, for every further one is a series that lasts. */

/** What a name must look like, so that nothing else of the far side gets into measurements. */
const NAME = /^[A-Za-z_$][\w$]{0,63}$/;

/** How many there are; the far side makes up names of its own. */
const MAX_TYPES = 64;

/** What the conventions call the others. */
const OTHER = "_OTHER";

/** The names of errors that a program measures. */
export class ErrorTypes {
  readonly #known = new Set<string>();

  /** The name itself, or `_OTHER`. */
  of(name: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= MAX_TYPES || !NAME.test(name)) return OTHER;
    this.#known.add(name);
    return name;
  }
}
