/** Reads a command line by the options of a command. */

import { parseArgs } from "jsr:@std/cli@^1.0.28/parse-args";
import type { Command, Given, Option } from "./command.ts";
import { UsageError } from "./failure.ts";

/** Every command has them. */
export const COMMON_OPTIONS: readonly Option[] = [
  { name: "help", short: "h", tells: "show this" },
];

/** The options of a command, the common ones last. */
export function optionsOf(command: Command): readonly Option[] {
  return [...command.options, ...COMMON_OPTIONS];
}

/**
 * Reads what follows the name of a command.
 *
 * @throws {UsageError} when an option is unknown, lacks its value or is given twice, or the number of words is wrong
 */
export function readArguments(command: Command, args: readonly string[]): Given {
  const options = optionsOf(command);
  const fail = (message: string): never => {
    throw new UsageError(message, command.name);
  };
  const parsed = parseArgs([...args], {
    string: options.filter(({ value }) => value !== undefined).map(({ name }) => name),
    boolean: options.filter(({ value }) => value === undefined).map(({ name }) => name),
    alias: Object.fromEntries(options.flatMap(({ name, short }) => short ? [[short, name]] : [])),
    collect: options.filter(({ value }) => value !== undefined).map(({ name }) => name),
    "--": true,
    unknown: (arg: string, key?: string) =>
      key === undefined || arg === "-" ? true : fail(`There is no option "${arg}"`),
  }) as Record<string, unknown> & { _: (string | number)[]; "--": string[] };
  const valuesOf = (name: string): string[] => (parsed[name] as string[] | undefined) ?? [];
  for (const { name, value, repeatable } of options) {
    if (value === undefined) continue;
    const values = valuesOf(name);
    if (values.some((each) => each === "")) fail(`The option --${name} needs a value: ${value}`);
    if (values.length > 1 && !repeatable) fail(`The option --${name} is given ${values.length} times`);
  }
  const words = parsed._.map(String);
  const help = parsed["help"] === true;
  const [least, most] = command.words;
  if (!help && words.length < least) fail(`Something is missing: ${command.usage}`);
  if (!help && words.length > most) fail(`Cannot make sense of "${words[most]}"`);
  return {
    words,
    rest: parsed["--"],
    text: (name) => valuesOf(name)[0],
    texts: valuesOf,
    flag: (name) => parsed[name] === true,
    count(name, least = 0): number | undefined {
      const text = valuesOf(name)[0];
      if (text === undefined) return undefined;
      const count = Number(text);
      if (Number.isSafeInteger(count) && count >= least && text.trim() !== "") return count;
      return fail(`The option --${name} takes a whole number of at least ${least}, not "${text}"`);
    },
  };
}
