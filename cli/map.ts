/** `execnet map`: a function over many inputs, by a pool of gateways. */

import type { MapOptions, MapProgress } from "../mod.ts";
import { codeOf, EXPRESSION } from "./code.ts";
import type { Command, Given } from "./command.ts";
import { connect, CONNECTION, repeated, startingNote } from "./connections.ts";
import { EXIT, UsageError } from "./failure.ts";
import { INPUT, inputForm, itemsOf } from "./input.ts";
import { ItemWriter, OUTPUT, outputForm } from "./output.ts";
import { ERROR_SCREEN, Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

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
    const inputs = given.rest.length > 0 ? [...given.rest] : itemsOf(form, terminal.input);
    const shown = terminal.errorIsTerminal;
    let state: MapProgress = given.rest.length > 0
      ? { done: 0, failed: 0, total: given.rest.length }
      : { done: 0, failed: 0 };
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
      writeBytes: () => Promise.resolve(),
    });
    const all: MapOptions = {
      ...options,
      gateways: gateways.map(({ id }) => id),
      onProgress: (now) => state = now,
    };
    // Which of the two overloads it is makes no difference.
    const results = typeof code === "string" ? group.map(code, inputs, all) : group.map(code, inputs, all);
    for await (const result of results) await writer.put(result);
    await writer.done();
    progress.end();
    return EXIT.ok;
  },
};

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
