/** A place in the caller's own files. */
export interface Place {
  /** The file, as the caller's program named it: a `file:` or `http(s):` URL. */
  readonly url: string;
  /** Line, from 1. */
  readonly line: number;
  /** Column, from 1. */
  readonly column: number;
}

/** Line and column, both from 1, of an offset in a text; lines end as they do for the engine. */
export function positionAt(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (const { index, 0: end } of text.matchAll(/\r\n?|[\n\u2028\u2029]/g)) {
    if (index + end.length > offset) break;
    line++;
    start = index + end.length;
  }
  return { line, column: offset - start + 1 };
}
