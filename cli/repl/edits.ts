/** Changes of a text, and where in the text before them a place of the text after them was. */

/** A change: what stands between two offsets is replaced. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A place in a text; lines and columns are counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A text that was changed. */
export interface Edited {
  readonly text: string;
  /**
   * Where a place of it was before; the place before an insertion for what was inserted. What is right behind a
   * replacement counts for its beginning: there the engine sees the call of a function whose name was replaced.
   */
  before(position: Position): Position;
}

/** Collects changes of a text. Changes at one place keep the order in which they came. */
export class Edits {
  readonly #edits: Edit[] = [];

  /** Puts a text before what is at an offset. */
  insert(at: number, text: string): void {
    this.#edits.push({ start: at, end: at, text });
  }

  /** Puts a text in the place of another one. Changes within that are lost. */
  replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text });
  }

  /** The changes within parts of the text. */
  within(parts: readonly { readonly start: number; readonly end: number }[]): Edits {
    const inner = new Edits();
    for (const edit of this.#edits) {
      if (parts.some(({ start, end }) => edit.start >= start && edit.end <= end)) inner.#edits.push(edit);
    }
    return inner;
  }

  /** Makes the changes; `more` are further ones that hold only this time. */
  apply(source: string, more?: Edits): Edited {
    const edits = [...this.#edits, ...(more === undefined ? [] : more.#edits)];
    const order = new Map(edits.map((edit, index) => [edit, index]));
    // Where a text is both put in and replaced, it is put in before.
    const isText = ({ start, end }: Edit): number => start === end ? 0 : 1;
    edits.sort((a, b) =>
      a.start - b.start || isText(a) - isText(b) || b.end - a.end || order.get(a)! - order.get(b)!
    );
    let text = "";
    let at = 0;
    const kept: { at: number; from: number; length: number; first: number }[] = [];
    let first = 0;
    for (const { start, end, text: inserted } of edits) {
      if (start < at) continue;
      kept.push({ at: text.length, from: at, length: start - at, first });
      text += source.slice(at, start) + inserted;
      at = end;
      first = inserted === "" ? end : start;
    }
    kept.push({ at: text.length, from: at, length: source.length - at, first });
    text += source.slice(at);
    return {
      text,
      before: (position) => {
        const offset = offsetAt(text, position);
        const part = kept.findLast((one) => one.at <= offset)!;
        const behind = Math.min(offset - part.at, part.length);
        return positionAt(source, behind === 0 ? part.first : part.from + behind);
      },
    };
  }
}

/** Where an offset is. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

function offsetAt(text: string, { line, column }: Position): number {
  let start = 0;
  for (let at = 1; at < line; at++) {
    const end = text.indexOf("\n", start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  return Math.min(start + column - 1, text.length);
}
