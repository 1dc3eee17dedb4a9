/** What a command is, and what it is given. */

import type { Terminal } from "./terminal.ts";

/** An option of a command line. */
export interface Option {
  /** As it is typed after `--`. */
  readonly name: string;
  /** The letter that may stand for it. */
  readonly short?: string;
  /** What its value is called in the help; without it the option is a flag. */
  readonly value?: string;
  /** Whether it may be given more than once. */
  readonly repeatable?: boolean;
  /** One line for the help. */
  readonly tells: string;
}

/** An example of the help: the command line, and what it does. */
export type Example = readonly [line: string, tells: string];

/** A command of `execnet`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** What the help says below the usage line. */
  readonly description: string;
  readonly options: readonly Option[];
  readonly examples: readonly Example[];
  /** The least and the largest number of words that are no options. */
  readonly words: readonly [least: number, most: number];
  /** Whether anything may stand behind `--`. */
  readonly rest?: boolean;
  /**
   * Does it. Resolves with the exit code.
   *
   * @throws {Failure} and the errors of the library, which are told in two lines
   */
  run(given: Given, terminal: Terminal): Promise<number>;
}

/** What the command line gives a command. */
export interface Given {
  /** The words that are no options. */
  readonly words: readonly string[];
  /** What stands behind `--`; undefined where there is none. */
  readonly rest: readonly string[] | undefined;
  /** The value of an option, if it was given. */
  text(name: string): string | undefined;
  /** The values of an option that may be repeated. */
  texts(name: string): readonly string[];
  /** Whether a flag was given. */
  flag(name: string): boolean;
  /**
   * The value of an option as a whole number; one that is called MS is a time that a timer can wait.
   *
   * @throws {UsageError} when it is none, below `least`, or a longer time
   */
  count(name: string, least?: number): number | undefined;
}
