/** What a prompt does besides evaluating: lines that begin with a point and a word. */

import { factLines } from "../facts.ts";
import type { Prompted, Taken, View } from "./view.ts";

/** A line that the prompt takes for itself. */
export interface Directive {
  readonly name: string;
  readonly value?: string;
  readonly tells: string;
  /** Does it. `signal` says when the user waits for it no longer. */
  run(prompt: Prompted, view: View, rest: string, signal: AbortSignal): Promise<Taken>;
}

/** A line that is one, and what stands behind its name. */
export interface FoundDirective {
  readonly rest: string;
  run: Directive["run"];
}

/** All of them, in the order of the help. */
export const DIRECTIVES: readonly Directive[] = [
  { name: "help", tells: "show this", run: (_, view) => help(view) },
  { name: "load", value: "FILE", tells: "evaluate a file of this machine", run: load },
  {
    name: "clear",
    tells: "forget all that was declared",
    async run(prompt): Promise<Taken> {
      await prompt.clear();
      return "done";
    },
  },
  {
    name: "info",
    tells: "what the process is",
    async run(prompt, view, _, signal): Promise<Taken> {
      return await table(view, await prompt.gateway.remoteInfo({ update: true, signal }));
    },
  },
  {
    name: "status",
    tells: "what it does, and its memory",
    async run(prompt, view, _, signal): Promise<Taken> {
      return await table(view, await prompt.gateway.remoteStatus({ signal }));
    },
  },
  { name: "exit", tells: "leave; so does Ctrl-D", run: () => Promise.resolve("exit") },
];

/** The directive that a line is, and what stands behind it. An unknown one says so. */
export function directive(line: string): FoundDirective | undefined {
  const [, word, rest] = line.match(/^\.([a-z]+)(?:\s+(.*?))?\s*$/) ?? [];
  if (word === undefined) return undefined;
  const found = DIRECTIVES.find(({ name }) => name === word);
  const run = found?.run ?? (async (_: Prompted, view: View): Promise<Taken> => {
    await view.tell(`There is no .${word}; .help tells what there is\n`);
    return "failed";
  });
  return { run, rest: rest ?? "" };
}

async function help({ value, style }: View): Promise<Taken> {
  const forms = DIRECTIVES.map(({ name, value: takes, tells }) =>
    [`.${name}${takes === undefined ? "" : ` ${takes}`}`, tells] as const
  );
  const width = Math.max(...forms.map(([form]) => form.length));
  const lines = forms.map(([form, tells]) => `${style.cyan(form.padEnd(width))}  ${tells}`);
  await value(
    [
      ...lines,
      "",
      "_ is the last value and _error the last error. Ctrl-C gives a line up, or stops waiting for what it does;",
      "what never waits is killed after two seconds. A line that begins with a space is not kept in the history.",
      "",
    ].join("\n"),
  );
  return "done";
}

async function load(prompt: Prompted, view: View, file: string): Promise<Taken> {
  if (file === "") {
    await view.tell(".load needs a file of this machine\n");
    return "failed";
  }
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    await view.tell(`Cannot load "${file}": ${(error as Error).message}\n`);
    return "failed";
  }
  // A first line for the system is none of the program's.
  return await prompt.evaluate(text.replace(/^#!.*/, ""), true);
}

async function table({ value: put, style }: View, facts: object): Promise<Taken> {
  for (const line of factLines(facts, style)) await put(`${line}\n`);
  return "done";
}
