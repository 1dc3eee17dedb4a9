/** `execnet map`: a function over many inputs, by a pool of gateways. */

import type { MapFailure, MapOptions, MapProgress } from "../mod.ts";
import { clip } from "./columns.ts";
import { codeOf, EXPRESSION } from "./code.ts";
import type { Command, Given } from "./command.ts";
import { connect, CONNECTION, repeated, startingNote } from "./connections.ts";
import { explain } from "./explain.ts";
import { EXIT, Failure, UsageError } from "./failure.ts";
import { INPUT, inputForm, itemsOf } from "./input.ts";
import { json } from "./json.ts";
import { ItemWriter, OUTPUT, outputForm } from "./output.ts";
import { Progress } from "./progress.ts";
import { ERROR_SCREEN } from "./screen.ts";
import type { Terminal } from "./terminal.ts";

/** So much is shown of an input that failed. */
const MOST_INPUT_COLUMNS = 60;

/** The command. */
export const map: Command = {
  name: "map",
  summary: "calls a function with each line of input, on many gateways at once",
  usage: "<spec>... (<module>[#<function>] | -e EXPR) [options] [-- <input>...]",
  description:
    `Gives each line of standard input, or each word behind "--", to a function on the gateway that has room for
it next. The results are lines of JSON, as they come, or in the order of the inputs with --ordered. Inputs are
read as fast as they are worked on.

A factor makes several gateways of a spec: '4*popen'. (Quote it: some shells take the star for a file name.) The
function is one that a module exports, the default export unless another one is named, or one that an expression
gives. What it throws ends the map; the inputs of a gateway that dies are given to another one.`,
  options: [
    EXPRESSION,
    { name: "ordered", short: "o", tells: "results in the order of the inputs" },
    {
      name: "concurrency",
      short: "c",
      value: "N",
      tells: "inputs that each gateway works on at once (default 1)",
    },
    {
      name: "retries",
      value: "N",
      tells: "how often an input is tried again when its gateway dies (default 1)",
    },
    { ...INPUT, tells: "what standard input is: lines (an input each, the default), json (a line each)" },
    {
      ...OUTPUT,
      tells: "how results are written: json (a line each, the default), text (strings as they are)",
    },
    ...CONNECTION,
  ],
  examples: [
    [
      "ls *.log | execnet map '4*popen//allow-read' -e 'async (f) => [f, (await Deno.stat(f)).size]'",
      "four processes",
    ],
    [
      "execnet map ssh=build1 ssh=build2 render.ts#frame -c 8 --ordered < frames.txt",
      "a module on two hosts",
    ],
    ["execnet map '2*popen' -e '(s: string) => s.length' -- one two three", "inputs on the command line"],
  ],
  words: [1, Infinity],
  rest: true,
  async run(given, terminal): Promise<number> {
    const output = outputForm(given, "map", ["json", "text"]);
    const form = inputForm(given, "map", ["lines", "json"]);
    const options = optionsOf(given, terminal);
    const [code, words] = await codeOf(given, "map", -1);
    if (words.length === 0) throw new UsageError("There is no spec to make a gateway of", "map");
    const specs = repeated(words, "map");
    // Those that stand on the command line are counted, so that the bar knows how many there are.
    const inputs = given.rest === undefined ? itemsOf(form, terminal.input) : [...given.rest];
    const shown = terminal.errorIsTerminal;
    let state: MapProgress = given.rest === undefined
      ? { done: 0, failed: 0 }
      : { done: 0, failed: 0, total: given.rest.length };
    let starting = true;
    let began = performance.now();
    using progress = new Progress(shown ? ERROR_SCREEN : undefined, () => [{
      label: "map",
      done: state.done,
      total: state.total,
      unit: "items",
      note: starting ? startingNote(specs.length) : state.failed > 0 ? `${state.failed} failed` : undefined,
      elapsed: performance.now() - began,
    }]);
    progress.draw();
    const tell = (line: string): void => {
      progress.hide();
      terminal.tell(line);
    };
    await using connections = await connect(given, terminal, specs, shown ? tell : undefined);
    const { group, gateways } = connections;
    starting = false;
    began = performance.now();
    const writer = new ItemWriter(output, {
      write(text): Promise<void> {
        if (terminal.outputIsTerminal) progress.hide();
        return terminal.write(text);
      },
      writeBytes: (bytes) => terminal.writeBytes(bytes),
    });
    let failure: MapFailure | undefined;
    const all: MapOptions = {
      ...options,
      gateways: gateways.map(({ id }) => id),
      onProgress(now): void {
        state = now;
        if (now.failure !== undefined) failure = now.failure;
      },
    };
    // Which of the two overloads it is makes no difference.
    const results = typeof code === "string" ? group.map(code, inputs, all) : group.map(code, inputs, all);
    try {
      for await (const result of results) await writer.put(result);
    } catch (error) {
      // What has a result is not lost because of what has none.
      await writer.done();
      throw failure !== undefined && failure.error === error ? withInput(explain(error), failure) : error;
    }
    await writer.done();
    progress.end();
    return EXIT.ok;
  },
};

/** A failure that says of which input. */
function withInput({ message, advice, code, cause }: Failure, { index, input }: MapFailure): Failure {
  const text = clip(json(input), MOST_INPUT_COLUMNS);
  return new Failure(`Input ${index + 1}, ${text}: ${message}`, advice, code, { cause });
}

function optionsOf(given: Given, terminal: Terminal): MapOptions {
  const concurrency = given.count("concurrency", 1);
  const retries = given.count("retries");
  return {
    signal: terminal.signal,
    ordered: given.flag("ordered"),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(retries === undefined ? {} : { retries }),
  };
}
