/** Words as a POSIX shell splits and quotes them, without any of its expansions. */

import { XSpecError } from "./error.ts";

/**
 * Splits text into words as a POSIX shell does: blanks separate, `'…'`, `"…"` and backslashes quote.
 *
 * - Nothing is expanded: `$`, `*`, `~`, `#` and `;` are characters like any other.
 * - A backslash at the very end stands for itself, as in a shell.
 *
 * @param text What to split.
 * @param key The key that holds the text, for the error.
 * @param spec The spec that holds the key, for the error.
 * @returns The words, none for blank text.
 * @throws {XSpecError} when a quote is not closed.
 */
export function splitWords(text: string, key?: string, spec: string = text): string[] {
  const words: string[] = [];
  let word: string | undefined; // undefined between words: '' is a word, a blank is not
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    const next = text[i + 1];
    if (char === quote) quote = "";
    else if (char === "\\" && quote !== "'" && next !== undefined) {
      const escapes = quote === "" || '$`"\\\n'.includes(next);
      if (!escapes) word += char;
      else {
        i++;
        if (next !== "\n") word = (word ?? "") + next; // backslash and newline: the line goes on
      }
    } else if (quote !== "") word += char;
    else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (char === " " || char === "\t" || char === "\n") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + char;
  }
  if (quote !== "") {
    throw new XSpecError(`Cannot split ${key ?? "text"} into words: a ${quote} is not closed`, spec, key);
  }
  if (word !== undefined) words.push(word);
  return words;
}

/**
 * Writes one word so that a POSIX shell, and {@linkcode splitWords}, reads exactly that word.
 *
 * @param word Any text without NUL.
 * @returns The word, in single quotes unless it needs none.
 */
export function quoteWord(word: string): string {
  return /^[\w./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
