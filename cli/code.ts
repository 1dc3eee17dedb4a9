/** Which code the command line names: a module, or text. */

import type { Given, Option } from "./command.ts";
import { Failure, UsageError } from "./failure.ts";

/** Code in place of a file. */
export const CODE: Option = {
  name: "eval",
  short: "e",
  value: "CODE",
  tells: "the code, in place of a script",
};

/** A function in place of a module. */
export const EXPRESSION: Option = {
  name: "eval",
  short: "e",
  value: "EXPR",
  tells: "an expression that gives the function, in place of a module",
};

/** A module, or text. */
export type Code = string | URL;

/**
 * Takes the code out of the words: that of `-e`, or what the word at `at` names.
 *
 * @returns the code, and the words that are left
 * @throws {UsageError} when there is none
 * @throws {Failure} when it cannot be read
 */
export async function codeOf(
  given: Given,
  command: string,
  at: number,
): Promise<[code: Code, words: readonly string[]]> {
  const text = given.text("eval");
  if (text !== undefined) return [text, given.words];
  const word = given.words.at(at);
  // The word before it is a spec, which there has to be.
  if (word === undefined || given.words.length < 2) {
    throw new UsageError("There is no code: name a script, or give it by -e", command);
  }
  const position = at < 0 ? given.words.length + at : at;
  return [await moduleUrl(word), given.words.toSpliced(position, 1)];
}

/**
 * The URL of a module that a word names: a path, or a URL of `file:`, `http:` or `https:`. What stands behind a `#` names
 * an export, unless there is a file with that name.
 */
async function moduleUrl(word: string): Promise<URL> {
  if (/^(file|https?):/.test(word)) return new URL(word);
  const hash = word.lastIndexOf("#");
  const [path, name] = hash > 0 && !await exists(word) ? [word.slice(0, hash), word.slice(hash + 1)] : [word];
  try {
    const { isFile } = await Deno.stat(path);
    if (!isFile) throw new Failure(`Cannot run "${path}": it is no file`, "Name the module itself");
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    const { message } = cause as Error;
    throw new Failure(
      `Cannot run "${path}": ${cause instanceof Deno.errors.NotFound ? "there is no such file" : message}`,
      "A script is a file of this machine; code itself is given by -e",
      undefined,
      { cause },
    );
  }
  const url = new URL("file:///");
  const absolute = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  url.pathname = absolute.split("/").map(encodeURIComponent).join("/");
  if (name !== undefined) url.hash = encodeURIComponent(name);
  return url;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
