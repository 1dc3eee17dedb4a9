/** The command: from its arguments to its exit code. */

import denoJson from "../deno.json" with { type: "json" };
import { readArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { explain } from "./explain.ts";
import { EXIT, type Failure, UsageError } from "./failure.ts";
import { helpOf, overview } from "./help.ts";
import { ignoredHere } from "./ignored.ts";
import { oneLine, plain } from "./plain.ts";
import { processTerminal, type Terminal } from "./terminal.ts";

/** Exit codes of processes that a signal ended are 128 and its number. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Nobody reads the output: the code of a process that SIGPIPE ends. */
const BROKEN_PIPE = 141;

/** Runs a command line. Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const ending = new AbortController();
  let told: number | undefined;
  const ignored = ignoredHere();
  const listeners = Object.entries(SIGNALS).map(([name, code]) => {
    const listener = (): void => {
      // Deno takes all of these as soon as one is listened for, so that ignoring is a listener that does nothing.
      if (ignored.has(code - 128)) return;
      // The second one does not wait.
      if (told !== undefined) Deno.exit(code);
      told = code;
      ending.abort(new Error(`Ended by ${name}`));
    };
    Deno.addSignalListener(name as Deno.Signal, listener);
    return { name: name as Deno.Signal, listener };
  });
  const terminal = processTerminal(ending.signal);
  try {
    const code = await run(args, terminal);
    await terminal.flushed();
    return told ?? code;
  } finally {
    for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
  }
}

/** Runs a command line on a terminal. Resolves with the exit code; what fails is told there, unless it was told to end. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return BROKEN_PIPE;
    return terminal.signal.aborted ? EXIT.failed : show(explain(error), terminal);
  }
}

async function dispatch([name, ...args]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const [wanted] = args;
    if (name === undefined) {
      terminal.tell(overview(COMMANDS, denoJson.version, terminal.errorStyle).trimEnd());
      return EXIT.usage;
    }
    await terminal.write(
      wanted === undefined
        ? overview(COMMANDS, denoJson.version, terminal.style)
        : helpOf(commandNamed(wanted), terminal.style),
    );
    return EXIT.ok;
  }
  if (name === "--version" || name === "-V") {
    await terminal.write(`execnet ${denoJson.version}\n`);
    return EXIT.ok;
  }
  const command = commandNamed(name);
  const given = readArguments(command, args);
  if (given.flag("help")) {
    await terminal.write(helpOf(command, terminal.style));
    return EXIT.ok;
  }
  return await command.run(given, terminal);
}

function commandNamed(name: string): Command {
  const command = COMMANDS.find((command) => command.name === name);
  if (command === undefined) throw new UsageError(`There is no command "${name}"`);
  return command;
}

/** Two lines: what, and what to do, where there is more to say than the first. */
function show({ message, advice, code }: Failure, { tell, errorStyle }: Terminal): number {
  // Both may quote what the other side, or a file, has said.
  tell(`${errorStyle.red("execnet:")} ${plain(message)}`);
  if (advice !== "") tell(`  ${oneLine(advice)}`);
  return code;
}
