/**
 * Finds places of a text in another one that says the same with other white space.
 *
 * `deno bundle` prints JavaScript anew before it bundles it and drops the source map of that step, so that a place in
 * a `.js` file comes out as one in a text that nobody has seen. TypeScript and JSX are not concerned. Both texts have
 * the same words in the same order, but for a comment that was dropped here and there.
 */

/** A line and a column, both from 1. */
export interface Position {
  line: number;
  column: number;
}

/** Words that must agree after a difference, before the texts are taken to be in step again. */
const IN_STEP = 4;

/** Words that a dropped comment may have. */
const MAX_SKIPPED = 5_000;

/** Words without a partner after which the rest of a text is given up: then it is not the same text. */
const MAX_LOST = 100;

interface Words {
  text: string[];
  start: number[];
}

/** Made for one file; compares the texts when a place in it is asked for first. */
export class Reprinted {
  readonly #printed: string;
  readonly #original: string;
  #words: { printed: Words; original: Words; partners: Int32Array } | undefined;

  /** Takes the text as it was printed and as the author wrote it. */
  constructor(printed: string, original: string) {
    this.#printed = printed;
    this.#original = original;
  }

  /** Where the author wrote what stands at a place of the printed text: a word, or the end of the one before. */
  find(place: Position): Position | undefined {
    const { printed, original, partners } = this.#words ??= this.#compare();
    const offset = offsetOf(this.#printed, place);
    const at = lastAtOrBefore(printed.start, offset);
    const partner = partners[at] ?? -1;
    if (partner < 0) return undefined;
    const within = Math.min(offset - printed.start[at]!, printed.text[at]!.length);
    return positionOf(this.#original, original.start[partner]! + within);
  }

  #compare(): { printed: Words; original: Words; partners: Int32Array } {
    const printed = wordsOf(this.#printed);
    const original = wordsOf(this.#original);
    return { printed, original, partners: partnersOf(printed.text, original.text) };
  }
}

function wordsOf(text: string): Words {
  const words: Words = { text: [], start: [] };
  for (const match of text.matchAll(/[\p{ID_Continue}$]+/gu)) {
    words.text.push(match[0]);
    words.start.push(match.index);
  }
  return words;
}

/** For each printed word the index of the same word in the original, or -1. */
function partnersOf(printed: readonly string[], original: readonly string[]): Int32Array {
  const partners = new Int32Array(printed.length).fill(-1);
  const agree = (i: number, j: number): boolean => {
    for (let k = 0; k < IN_STEP; k++) {
      if (printed[i + k] !== original[j + k]) return false;
      if (printed[i + k] === undefined) return k > 0;
    }
    return true;
  };
  let j = 0;
  let lost = 0;
  for (let i = 0; i < printed.length && lost < MAX_LOST; i++) {
    if (printed[i] !== original[j]) {
      let skipped = 1;
      while (skipped <= MAX_SKIPPED && !agree(i, j + skipped)) skipped++;
      // Nowhere: a word that only the printed text has, or that is written otherwise there.
      if (skipped > MAX_SKIPPED) {
        if (agree(i + 1, j + 1)) j++;
        lost++;
        continue;
      }
      j += skipped;
    }
    partners[i] = j++;
  }
  return partners;
}

/** The index of the last number that is not greater; -1 when all are. */
function lastAtOrBefore(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function offsetOf(text: string, { line, column }: Position): number {
  let start = 0;
  for (let i = 1; i < line; i++) {
    const end = text.indexOf("\n", start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  return start + column - 1;
}

function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}
