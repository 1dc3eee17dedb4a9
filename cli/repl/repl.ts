/** `execnet repl`: a prompt whose inputs are evaluated behind a gateway. */

import { type GatewayExit, Group } from "../../mod.ts";
import type { Command } from "../command.ts";
import { EXIT, Failure } from "../failure.ts";
import { CONNECT_TIMEOUT, connecting } from "../options.ts";
import { harmless, withoutMarks } from "./shown.ts";

/** The command. */
export const repl: Command = {
  name: "repl",
  summary: "evaluates what you type in the process behind a spec",
  usage: "<spec> [options]",
  description:
    `A prompt whose inputs, TypeScript with top-level await, are evaluated behind the gateway, with the
permissions of its spec. What they declare is there for the next ones; _ is the last value.

Ctrl-C gives a line up, or ends the waiting for what it does; Ctrl-D leaves. Lines are kept in
~/.local/state/execnet/repl_history, or in the file that EXECNET_HISTORY names; empty, it keeps none.

Where standard input is no terminal it is a program: values but undefined are printed, and the first error
ends it with exit code 1.`,
  options: [CONNECT_TIMEOUT],
  examples: [
    ["execnet repl popen//allow-read=/var/log", "a process that may read one folder"],
    ["echo 'Deno.build.target' | execnet repl ssh=build1", "a program from a pipe"],
  ],
  words: [1, 1],
  async run(given, terminal): Promise<number> {
    // Parsers are loaded for those who need them.
    const [{ promptAtTerminal }, { promptOfPipe }] = await Promise.all([
      import("./terminal_prompt.ts"),
      import("./piped_prompt.ts"),
    ]);
    await using group = new Group();
    const options = connecting(given, terminal);
    const spec = given.words[0]!;
    if (terminal.inputIsTerminal && terminal.outputIsTerminal) {
      const exit = await promptAtTerminal(group, spec, options, terminal);
      if (exit !== undefined) throw ended(exit);
      return EXIT.ok;
    }
    const result = await promptOfPipe(group, spec, options, terminal);
    if (typeof result === "object") throw ended(result);
    return result ? EXIT.ok : EXIT.failed;
  },
};

function ended({ reason, stderrTail }: GatewayExit): Failure {
  const said = withoutMarks(stderrTail).trimEnd().split("\n").at(-1);
  return new Failure(
    `The connection has ended: ${reason}`,
    said
      ? `Its last words were: ${harmless(said, false)}`
      : "execnet doctor with the same spec says whether another one can be had",
    EXIT.unreachable,
  );
}
