/** `execnet call`: calls a function behind a spec. */

import { codeOf, EXPRESSION } from "./code.ts";
import type { Command } from "./command.ts";
import { CONNECTION, connectOne } from "./connections.ts";
import { EXIT, Failure } from "./failure.ts";
import { TIMEOUT } from "./execution.ts";
import { parsed } from "./input.ts";
import { ItemWriter, OUTPUT, outputForm } from "./output.ts";
import { unless } from "./unless.ts";

/** The command. */
export const call: Command = {
  name: "call",
  summary: "calls a function behind a spec, and prints what it returns",
  usage: "<spec> (<module>[#<function>] | -e EXPR) [<argument>...] [options]",
  description:
    `Calls a function that a module exports, the default export unless another one is named, or one that an
expression gives. A module travels with everything it imports. Arguments are JSON, or text as it is with
--strings. The result is a line of JSON; nothing where the function returns nothing.`,
  options: [
    EXPRESSION,
    { name: "strings", short: "s", tells: "arguments are text, not JSON" },
    OUTPUT,
    TIMEOUT,
    ...CONNECTION,
  ],
  examples: [
    ["execnet call ssh=build1 stats.ts#mean '[1, 2, 3]'", "a function of a module"],
    [
      "execnet call ssh=build1//allow-read=/etc --out text -s -e Deno.readTextFile /etc/hostname",
      "a function of Deno's",
    ],
    ["execnet call podman=box//allow-sys -e '() => Deno.loadavg()'", "no arguments"],
  ],
  words: [1, Infinity],
  async run(given, terminal): Promise<number> {
    const output = outputForm(given, "call");
    const timeout = given.count("timeout", 1);
    const [code, [spec, ...words]] = await codeOf(given, "call", 1);
    const args = given.flag("strings")
      ? words
      : words.map((word, i) => parsed(word, `argument ${i + 1}, ${JSON.stringify(word)},`, EXIT.usage));
    await using connections = await connectOne(given, terminal, spec!);
    const { gateway } = connections;
    const calling = typeof code === "string" ? gateway.call(code, ...args) : gateway.call(code, ...args);
    const late = timeout === undefined ? undefined : AbortSignal.timeout(timeout);
    const signal = late === undefined ? terminal.signal : AbortSignal.any([terminal.signal, late]);
    const result = await unless(signal, calling).catch((error) => {
      if (late?.aborted !== true || error !== late.reason) throw error;
      throw new Failure(`No result after ${timeout} ms`, "--timeout MS waits longer");
    });
    if (result === undefined) return EXIT.ok;
    const writer = new ItemWriter(output, terminal);
    await writer.put(result);
    await writer.done();
    return EXIT.ok;
  },
};
