/** `execnet exec`: runs code behind a spec, with standard input and output as its channel. */

import type { Channel } from "../mod.ts";
import { CODE } from "./code.ts";
import type { Command } from "./command.ts";
import { CONNECTION, connectOne } from "./connections.ts";
import { endOf } from "./ending.ts";
import { EXECUTION, executionOf, feed } from "./execution.ts";
import { EXIT } from "./failure.ts";
import { INPUT, inputForm, itemsOf } from "./input.ts";
import { ItemWriter, OUTPUT, outputForm } from "./output.ts";

/** The command. */
export const exec: Command = {
  name: "exec",
  summary: "runs code behind a spec; standard input and output are its channel",
  usage: "<spec> (<script> | - | -e CODE) [options]",
  description:
    `Runs TypeScript in a process that may do what the spec allows. The code finds its channel as the global
"channel": each line of standard input is an item to receive, each item that it sends is a line of JSON on
standard output. What it prints goes to standard error.

A script travels with everything it imports; a function that it exports as default is called with the channel
and with --kwargs. "-" reads the code from standard input; then it receives nothing.

Ends when the code does, whether there is more input or not. Where the code runs in a process of its own
(execmodel=process or main), that process' exit code is passed on.`,
  options: [CODE, ...EXECUTION, INPUT, OUTPUT, ...CONNECTION],
  examples: [
    [
      "execnet exec ssh=build1 -e 'await channel.send(navigator.hardwareConcurrency)'",
      "how many processors are there",
    ],
    [
      'execnet exec popen//allow-read=/var/log sizes.ts --kwargs \'{"folder": "/var/log"}\'',
      "a script with its imports",
    ],
    [
      "ls | execnet exec ssh=build1//allow-read -e 'for await (const name of channel) channel.send(Deno.statSync(name).size)'",
      "an answer for each line",
    ],
    [
      "execnet exec ssh=build1//allow-read=/var/log/syslog --out bytes -e 'for await (const part of " +
      '(await Deno.open("/var/log/syslog")).readable) await channel.send(part)\'',
      "bytes, as fast as they are taken",
    ],
  ],
  words: [1, 2],
  async run(given, terminal): Promise<number> {
    const output = outputForm(given, "exec");
    const input = inputForm(given, "exec");
    const execution = await executionOf(given, terminal, "exec");
    await using connections = await connectOne(given, terminal, given.words[0]!);
    const channel = execution.start(connections.gateway);
    const items = itemsOf(execution.tookInput ? "none" : input, terminal.input);
    const writer = new ItemWriter(output, terminal);
    return await converse(channel, items, writer);
  },
};

/** Passes items both ways until the execution has ended. Resolves with the exit code. */
async function converse(
  channel: Channel<unknown, unknown>,
  items: AsyncIterable<unknown>,
  writer: ItemWriter,
): Promise<number> {
  const fed = feed(channel, items);
  try {
    for await (const item of channel) await writer.put(item);
  } catch (error) {
    await writer.done();
    const end = endOf(fed.error ?? error);
    if (end !== undefined) return end;
    throw fed.error ?? error;
  }
  await writer.done();
  return EXIT.ok;
}
