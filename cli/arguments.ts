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

/** The longest time that a timer can wait; with a longer one it would not wait at all. */
const MOST_MS = 2 ** 31 - 1;

/** Refuses the command line. */
type Fail = (message: string) => never;

/** A command line whose options all are in their long form, with their values behind an equals sign. */
interface Sorted {
  readonly options: readonly string[];
  readonly words: readonly string[];
  readonly rest: readonly string[] | undefined;
}

/**
 * Reads what follows the name of a command. A value may begin with a dash; so may a word that is a number, and all that
 * stands behind `--`.
 *
 * @throws {UsageError} when an option is unknown, lacks its value or is given twice, or the number of words is wrong
 */
export function readArguments(command: Command, args: readonly string[]): Given {
  const options = optionsOf(command);
  const fail: Fail = (message) => {
    throw new UsageError(message, command.name);
  };
  const withValue = options.filter(({ value }) => value !== undefined).map(({ name }) => name);
  const sorted = sort(args, options, fail);
  const parsed = parseArgs([...sorted.options], {
    string: withValue,
    boolean: options.filter(({ value }) => value === undefined).map(({ name }) => name),
    collect: withValue,
  }) as Record<string, unknown>;
  const valuesOf = (name: string): string[] => (parsed[name] as string[] | undefined) ?? [];
  const help = parsed["help"] === true;
  const { words, rest } = sorted;
  if (!help) {
    for (const { name, value, repeatable } of options) {
      const values = value === undefined ? [] : valuesOf(name);
      if (values.some((each) => each === "")) fail(`The option --${name} needs a value: ${value}`);
      if (values.length > 1 && !repeatable) fail(`The option --${name} is given ${values.length} times`);
    }
    const [least, most] = command.words;
    if (words.length < least) fail(`Something is missing: execnet ${command.name} ${command.usage}`);
    if (words.length > most) fail(`Cannot make sense of "${words[most]}"`);
    if (rest !== undefined && rest.length > 0 && command.rest !== true) {
      fail(`Cannot make sense of "${rest[0]}" behind "--"`);
    }
  }
  return {
    words,
    rest,
    text: (name) => valuesOf(name)[0],
    texts: valuesOf,
    flag: (name) => parsed[name] === true,
    count(name, least = 0): number | undefined {
      const text = valuesOf(name)[0];
      if (text === undefined) return undefined;
      const most = options.find((one) => one.name === name)?.value === "MS"
        ? MOST_MS
        : Number.MAX_SAFE_INTEGER;
      const count = Number(text);
      if (count >= least && count <= most && /^\d+$/.test(text)) return count;
      const range = most === MOST_MS ? `from ${least} to ${most}` : `of at least ${least}`;
      return fail(`The option --${name} takes a whole number ${range}, not "${text}"`);
    },
  };
}

/** Tells options and their values from words. The parser would take a value with a dash for an option, and `007` for 7. */
function sort(args: readonly string[], options: readonly Option[], fail: Fail): Sorted {
  const found: string[] = [];
  const words: string[] = [];
  let rest: string[] | undefined;
  const queue = [...args];
  const valueFor = ({ name, value }: Option): string =>
    queue.shift() ?? fail(`The option --${name} needs a value: ${value}`);
  const long = (arg: string): void => {
    const [, name, equals, value] = /^--([^=]*)(=?)(.*)$/s.exec(arg)!;
    const option = options.find((one) => one.name === name) ??
      fail(`There is no option "--${name}"${suggestion(name!, options)}`);
    if (option.value !== undefined) found.push(`--${name}=${equals ? value : valueFor(option)}`);
    else if (equals) fail(`The option --${name} takes no value`);
    else found.push(arg);
  };
  const short = (letters: string): void => {
    for (let i = 0; i < letters.length; i++) {
      const option = options.find((one) => one.short === letters[i]) ??
        fail(`There is no option "-${letters[i]}"`);
      if (option.value === undefined) {
        found.push(`--${option.name}`);
        continue;
      }
      const attached = letters.slice(i + 1).replace(/^=/, "");
      found.push(`--${option.name}=${attached || valueFor(option)}`);
      return;
    }
  };
  while (queue.length > 0) {
    const arg = queue.shift()!;
    if (arg === "--") {
      rest = queue;
      break;
    }
    if (arg.startsWith("--")) long(arg);
    else if (/^-[^\d.]/.test(arg)) short(arg.slice(1));
    else words.push(arg);
  }
  return { options: found, words, rest };
}

function suggestion(name: string, options: readonly Option[]): string {
  const near = name === "" ? undefined : options.find((one) => one.name.startsWith(name));
  return near === undefined ? "" : `; did you mean "--${near.name}"?`;
}
