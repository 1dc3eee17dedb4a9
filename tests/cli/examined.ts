/** Runs `execnet doctor` in this process, and gives what it has found. */

import { readArguments } from "../../cli/arguments.ts";
import { doctor } from "../../cli/doctor/doctor.ts";
import type { Outcome } from "../../cli/doctor/outcome.ts";
import { styleFor } from "../../cli/style.ts";
import type { Terminal } from "../../cli/terminal.ts";

/** What it has printed and found. */
export interface Examined {
  readonly code: number;
  readonly outcomes: readonly Outcome[];
  /** Each step, with its state and its trouble: `login failed login-refused`. Skipped ones are left out. */
  readonly steps: readonly string[];
  /** The step that failed first. */
  readonly bad: Outcome | undefined;
}

/** Examines specs, with further words of the command line. */
export async function examined(
  specs: string | readonly string[],
  { signal = new AbortController().signal, more = [] }: { signal?: AbortSignal; more?: readonly string[] } =
    {},
): Promise<Examined> {
  const words = typeof specs === "string" ? [specs] : specs;
  let text = "";
  const terminal: Terminal = {
    ...silent(signal),
    write(part): Promise<void> {
      text += part;
      return Promise.resolve();
    },
  };
  const code = await doctor.run(readArguments(doctor, [...words, "--json", ...more]), terminal);
  const outcomes: Outcome[] = text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  return {
    code,
    outcomes,
    steps: outcomes.filter(({ state }) => state !== "skipped").map(({ step, state, trouble }) =>
      [step, state, trouble].filter((part) => part !== undefined).join(" ")
    ),
    bad: outcomes.find(({ state }) => state === "failed"),
  };
}

function silent(signal: AbortSignal): Terminal {
  return {
    input: new ReadableStream(),
    inputIsTerminal: false,
    outputIsTerminal: false,
    errorIsTerminal: false,
    style: styleFor(false),
    errorStyle: styleFor(false),
    signal,
    write: () => Promise.resolve(),
    writeBytes: () => Promise.resolve(),
    tell: () => {},
  };
}
