/** The execution of a command: its code, what that gets, and how it ends. */

import { type Channel, ChannelClosedError, EOFError, type ExecOptions, type Gateway } from "../mod.ts";
import { codeOf } from "./code.ts";
import type { Given, Option } from "./command.ts";
import { EXIT, UsageError } from "./failure.ts";
import { parsed } from "./input.ts";
import type { Terminal } from "./terminal.ts";
import { unless } from "./unless.ts";

/** Bounds of an execution. */
export const TIMEOUT: Option = {
  name: "timeout",
  short: "t",
  value: "MS",
  tells: "end the execution after so many milliseconds",
};

/** How an execution is started. */
export const EXECUTION: readonly Option[] = [
  {
    name: "kwargs",
    short: "k",
    value: "JSON",
    tells:
      "what the default export of a script gets after its channel; with -e, the value of a constant kwargs",
  },
  TIMEOUT,
  { name: "name", value: "NAME", tells: "what stack traces call the code" },
];

/** An execution that is to be. */
export interface PlannedExecution {
  /** Whether the code came from standard input, so that nothing is left there. */
  readonly tookInput: boolean;
  /** Starts it. */
  start(gateway: Gateway): Channel<unknown, unknown>;
}

/**
 * What the words behind the spec and the options say.
 *
 * @throws {UsageError} when there is no code, or there are two
 */
export async function executionOf(
  given: Given,
  terminal: Terminal,
  command: string,
): Promise<PlannedExecution> {
  const [, script] = given.words;
  if (given.text("eval") !== undefined && script !== undefined) {
    throw new UsageError(`There are two codes: "${script}", and that of -e`, command);
  }
  const kwargs = given.text("kwargs");
  const value = kwargs === undefined ? undefined : parsed(kwargs, "--kwargs", EXIT.usage);
  const tookInput = script === "-";
  const code = tookInput
    ? await unless(terminal.signal, new Response(terminal.input).text())
    : (await codeOf(given, command, 1))[0];
  const options = optionsOf(given, terminal);
  const start = (gateway: Gateway): Channel<unknown, unknown> =>
    code instanceof URL
      ? gateway.remoteExec<unknown, unknown>(code, value, options) as Channel<unknown, unknown>
      : gateway.remoteExec<unknown, unknown>(withKwargs(code, kwargs), options) as Channel<unknown, unknown>;
  return { tookInput, start };
}

/** Text gets its kwargs in its first line, so that lines keep their numbers. */
function withKwargs(code: string, kwargs: string | undefined): string {
  return kwargs === undefined ? code : `const kwargs = JSON.parse(${JSON.stringify(kwargs)}); ${code}`;
}

function optionsOf(given: Given, terminal: Terminal): ExecOptions {
  const timeout = given.count("timeout", 1);
  const name = given.text("name");
  return {
    signal: terminal.signal,
    ...(timeout === undefined ? {} : { timeout }),
    ...(name === undefined ? {} : { name }),
  };
}

/** What becomes of the items that an execution is sent. */
export interface Fed {
  /** How many were sent. */
  items: number;
  /** What was wrong with the source of the items. The execution was ended for it. */
  error?: unknown;
}

/** Sends items until there are no more, or nobody takes them. */
export function feed(channel: Channel<unknown, unknown>, items: AsyncIterable<unknown>): Fed {
  const fed: Fed = { items: 0 };
  const run = async (): Promise<void> => {
    for await (const item of items) {
      await channel.send(item);
      fed.items++;
    }
    await channel.closeWrite();
  };
  run().catch((error) => {
    // Why the execution has ended is told where its items are received.
    if (error instanceof ChannelClosedError || error instanceof EOFError) return;
    fed.error = error;
    channel.kill(error);
  });
  return fed;
}
