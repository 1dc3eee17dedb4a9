/** Ways to a shell elsewhere that are a program of this machine, or of a gateway. */

import type { Diagnosis } from "../launcher.ts";
import { startProgram } from "../process/program.ts";
import type { Program, ProgramOptions } from "../process/program.ts";
import type { ProcessEnd } from "../process/process.ts";
import type { Reach } from "./reach.ts";

/** How a program is started. */
export interface StarterOptions extends Pick<ProgramOptions, "farewell"> {
  /** Ends a start that takes long. */
  signal?: AbortSignal;
}

/** Starts programs, somewhere. */
export interface Starter {
  /** Where it starts them; two with the same words start them at the same place. */
  readonly place: string;
  /** Starts a program whose stdin and stdout are the link. */
  start(command: readonly string[], options?: StarterOptions): Promise<Program>;
  /** The address of that place, where it is on another host. */
  readonly address?: string | undefined;
  /** What the user might do about a program that may not. */
  readonly permissionHint: string;
}

/** Starts programs on this machine, which end with this program however it ends. */
export const HERE: Starter = {
  place: "",
  start: (command, { farewell } = {}) => startProgram(command, { farewell, link: "streams", print: "piped" }),
  permissionHint: "a program that makes gateways through other programs needs --allow-run and --allow-env",
};

/**
 * What is added to a command that ends in a shell elsewhere. Programs that hand on their words as they are run `sh`;
 * those that join them with blanks for a shell, as ssh does, run `sh -c :` and then what follows.
 */
export const SHELL: readonly string[] = ["sh", "-c", `:;read -r x;export x;exec sh -c 'eval "$x"'`];

/** What engines say of places that are not there. */
const FAILURES: readonly (readonly [RegExp, Diagnosis])[] = [
  [/no container with name or ID|No such container|pods? "[^"]*" not found/i, {
    kind: "host",
    state: "there is no such container",
  }],
  [/container state improper|is not running|container not running/i, {
    kind: "refused",
    state: "the container does not run",
  }],
  [/Cannot connect to (the Docker daemon|Podman)|connection to the server .* was refused/i, {
    kind: "refused",
    state: "the engine does not answer",
  }],
];

/** A program that hands its stdin and stdout to a shell somewhere else. */
export class CommandReach implements Reach {
  readonly repeats = false;
  readonly survives: boolean;
  readonly address: string | undefined;
  readonly place: string;
  readonly permissionHint: string;
  readonly #words: readonly string[];
  readonly #starter: Starter;

  /** `words` is what stands before the shell. */
  constructor(words: readonly string[], starter: Starter) {
    this.#words = words;
    this.#starter = starter;
    // What a gateway starts ends with its streams.
    this.survives = starter === HERE;
    this.address = starter.address;
    this.place = [starter.place, ...words].join("\0");
    this.permissionHint = starter.permissionHint;
  }

  open(signal: AbortSignal): Promise<Program> {
    return this.#starter.start([...this.#words, ...SHELL], { signal });
  }

  diagnose({ code }: ProcessEnd, output: string): Diagnosis | undefined {
    const [program = ""] = this.#words;
    const missing = new RegExp(`exec: ${RegExp.escape(program)}: (not found|Permission denied)`);
    if ((code === 126 || code === 127) && this.#starter === HERE && missing.test(output)) {
      return { kind: "exit", state: `there is no program "${program}" here` };
    }
    return FAILURES.find(([pattern]) => code !== 127 && pattern.test(output))?.[1];
  }
}
