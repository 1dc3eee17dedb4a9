/** What standard input is to the code: lines, JSON, bytes, or nothing. */

import type { Given, Option } from "./command.ts";
import { EXIT, Failure, UsageError } from "./failure.ts";
import { fromJson } from "./json.ts";
import { linesOf } from "./lines.ts";
import { oneLine } from "./plain.ts";

/** What can be made of standard input. */
export type InputForm = "lines" | "json" | "bytes" | "none";

const FORMS: readonly InputForm[] = ["lines", "json", "bytes", "none"];

/** Chooses the form. */
export const INPUT: Option = {
  name: "in",
  value: "FORM",
  tells:
    "what standard input is: lines (an item each, the default), json (a line each), bytes (in pieces), none",
};

/**
 * The form that was chosen.
 *
 * @throws {UsageError} when there is no such form
 */
export function inputForm(given: Given, command: string, forms: readonly InputForm[] = FORMS): InputForm {
  const form = (given.text("in") ?? forms[0]) as InputForm;
  if (forms.includes(form)) return form;
  throw new UsageError(`The option --in takes one of ${forms.join(", ")}, not "${form}"`, command);
}

/**
 * The items of a stream, which is read as they are taken.
 *
 * @throws {Failure} when it is not of that form
 */
export async function* itemsOf(form: InputForm, input: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  switch (form) {
    case "lines":
      yield* linesOf(input);
      return;
    case "bytes":
      yield* input;
      return;
    case "json": {
      let number = 0;
      for await (const line of linesOf(input)) {
        number++;
        if (line.trim() !== "") yield parsed(line, `line ${number} of standard input`);
      }
      return;
    }
    case "none":
      return;
  }
}

/**
 * An item that somebody has written as JSON.
 *
 * @throws {Failure} when it is none
 */
export function parsed(text: string, where: string, code: number = EXIT.failed): unknown {
  try {
    return fromJson(text);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Failure(
      `Cannot read ${where} as JSON: ${oneLine(message)}`,
      'Text is quoted in JSON ("like this"), and a shell takes the quotes away unless they are quoted themselves',
      code,
      { cause },
    );
  }
}
