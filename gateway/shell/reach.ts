/** Ways to a shell elsewhere that are a program of this machine, or of a gateway. */

import type { Diagnosis } from "../launcher.ts";
import { startProgram } from "../process/program.ts";
import type { Program, ProgramOptions } from "../process/program.ts";
import type { ProcessEnd } from "../process/process.ts";
import type { Reach } from "./launcher.ts";

/** Starts programs, somewhere. */
export interface Starter {
  /** Where it starts them; two with the same words start them at the same place. */
  readonly place: string;
  /** Starts a program whose stdin and stdout are the link. */
  start(command: readonly string[], options?: Pick<ProgramOptions, "farewell">): Promise<Program>;
  /** What the user might do about a program that may not. */
  readonly permissionHint: string;
}

/** Starts programs on this machine, which end with this program however it ends. */
export const HERE: Starter = {
  place: "",
  start: (command, options) => startProgram(command, { ...options, link: "streams", print: "piped" }),
  permissionHint: "a program that makes gateways through other programs needs --allow-run and --allow-env",
};

/**
 * What is added to a command that ends in a shell elsewhere. Programs that hand on their words as they are run `sh`;
 * those that join them with blanks for a shell, as ssh does, run `sh -c :` and then what follows.
 */
const SHELL: readonly string[] = ["sh", "-c", `:;read -r x;export x;exec sh -c 'eval "$x"'`];

/** A program that hands its stdin and stdout to a shell somewhere else. */
export class CommandReach implements Reach {
  readonly repeats = false;
  readonly place: string;
  readonly permissionHint: string;
  readonly #words: readonly string[];
  readonly #starter: Starter;

  /** `words` is what stands before the shell. */
  constructor(words: readonly string[], starter: Starter) {
    this.#words = words;
    this.#starter = starter;
    this.place = [starter.place, ...words].join("\0");
    this.permissionHint = starter.permissionHint;
  }

  open(): Promise<Program> {
    return this.#starter.start([...this.#words, ...SHELL]);
  }

  diagnose(end: ProcessEnd): Diagnosis | undefined {
    if (end.code !== 127 && end.code !== 126) return undefined;
    return undefined;
  }
}
