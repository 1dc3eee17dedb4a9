/** How much of a text fits into a line of a terminal. Pure. */

/** East Asian letters and pictures take two columns. (The library that knows it exactly brings tables of 10 kB.) */
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6])/u;

const LETTERS = new Intl.Segmenter();

function lettersOf(text: string): [letter: string, columns: number][] {
  return Array.from(LETTERS.segment(text), ({ segment }) => [segment, WIDE.test(segment) ? 2 : 1]);
}

/** How many columns of a terminal a text takes. */
export function columnsOf(text: string): number {
  return lettersOf(text).reduce((sum, [, columns]) => sum + columns, 0);
}

/** As much of a text as fits into so many columns. */
export function clip(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let clipped = "";
  let width = 0;
  for (const [letter, wide] of lettersOf(text)) {
    width += wide;
    if (width > columns - 1) break;
    clipped += letter;
  }
  return `${clipped}…`;
}
