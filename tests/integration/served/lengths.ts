/** What job.ts imports, and so what travels with it. */

/** The length of a text; there has to be one. */
export function lengthOf(text: string): number {
  if (text === "") throw new RangeError("There is no text");
  return text.length;
}
