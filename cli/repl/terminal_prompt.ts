/** A prompt at a terminal: editing, history, completion and the keys that interrupt. */

import process from "node:process";
import readline from "node:readline";
import type { GatewayExit, GatewayOptions, Group } from "../../mod.ts";
import type { Terminal } from "../terminal.ts";
import { History, isSecret } from "./history.ts";
import { Prompt } from "./prompt.ts";
import { harmless } from "./shown.ts";

/** The parts of node's interface that its types leave out. */
interface Line extends readline.Interface {
  line: string;
  cursor: number;
}

const FIRST = "> ";
const NEXT = "... ";

/** Serves a prompt until it is left or its connection ends, which is what the promise resolves with then. */
export async function promptAtTerminal(
  group: Group,
  spec: string,
  options: GatewayOptions,
  { style, signal }: Terminal,
): Promise<GatewayExit | undefined> {
  const { stdin, stdout } = process;
  const history = await History.open();
  let waiting = false;
  let column = 0;
  let lines: Line | undefined = undefined;
  const show = (text: string): void => {
    if (text === "") return;
    if (waiting) {
      // It stands above what is being typed.
      const { rows } = lines!.getCursorPos();
      readline.moveCursor(stdout, 0, -rows);
      readline.cursorTo(stdout, 0);
      readline.clearScreenDown(stdout);
    }
    stdout.write(text);
    column = text.endsWith("\n") ? 0 : 1;
    if (waiting) ask(true);
  };
  const line = (text: string): void => {
    if (column > 0) show("\n");
    show(text);
  };
  const ask = (keep: boolean): void => {
    if (column > 0) stdout.write("\n");
    column = 0;
    waiting = true;
    lines!.setPrompt(style.bold(prompt.unfinished ? NEXT : FIRST));
    lines!.prompt(keep);
  };
  const view = {
    style,
    errorStyle: style,
    colours: style.bold("") !== "",
    showsNothing: true,
    show,
    value: line,
    tell: line,
  };
  const prompt = await Prompt.start(group, spec, options, view);
  const { deno, os, arch, permissions } = prompt.info;
  const facts = harmless(
    `Deno ${deno} on ${os} ${arch}, may ${permissions.join(" ") || "do nothing"}`,
    false,
  );
  const hint = style.dim("TypeScript is evaluated there; .help tells what else there is");
  show(`${style.bold("execnet")} ${spec}: ${facts}\n${hint}\n`);

  const left = Promise.withResolvers<undefined>();
  const queue: string[] = [];
  lines = readline.createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    history: history.lines.toReversed(),
    historySize: 1000,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      prompt.complete(line).then((result) => done(null, result), () => done(null, [[], line]));
    },
  }) as Line;
  let working = false;
  let givenUp = false;
  let secret = false;
  const work = async (): Promise<void> => {
    working = true;
    while (queue.length > 0) {
      const line = queue.shift()!;
      if (!prompt.unfinished) secret = isSecret(line);
      if (!secret) await history.add(line);
      const taken = await prompt.line(line);
      if (taken === "exit") return left.resolve(undefined);
      if (givenUp) prompt.forget();
      givenUp = false;
    }
    working = false;
    // Somebody may have typed ahead.
    ask(true);
  };
  lines.on("line", (line: string) => {
    waiting = false;
    queue.push(line);
    if (!working) work().catch(left.reject);
  });
  lines.on("SIGINT", () => {
    if (working) {
      queue.length = 0;
      givenUp = true;
      return prompt.interrupt();
    }
    const empty = lines!.line === "" && !prompt.unfinished;
    waiting = false;
    stdout.write(`^C\n${empty ? style.dim("Ctrl-D or .exit leaves\n") : ""}`);
    lines!.line = "";
    lines!.cursor = 0;
    prompt.forget();
    ask(false);
  });
  lines.on("close", () => left.resolve(undefined));
  // A terminal that hangs up takes nothing any more, which may come to light behind the end of the prompt.
  for (const stream of [stdin, stdout]) stream.on("error", () => {});
  const told = Promise.withResolvers<never>();
  const tell = (): void => told.reject(signal.reason);
  signal.addEventListener("abort", tell);
  try {
    ask(false);
    return await Promise.race([left.promise, prompt.over, told.promise]);
  } finally {
    signal.removeEventListener("abort", tell);
    if (waiting) stdout.write("\n");
    waiting = false;
    lines.close();
    await prompt.close();
  }
}
