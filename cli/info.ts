/** `execnet info`: what the process behind a spec is. */

import type { Command } from "./command.ts";
import { CONNECTION, connectOne } from "./connections.ts";
import { factLines } from "./facts.ts";
import { EXIT } from "./failure.ts";
import { JSON_OUTPUT } from "./options.ts";
import { json } from "./json.ts";

/** The command. */
export const info: Command = {
  name: "info",
  summary: "tells what the process behind a spec is",
  usage: "<spec> [options]",
  description: "Starts the gateway, asks its process what it is, and ends it.",
  options: [JSON_OUTPUT, ...CONNECTION],
  examples: [
    ["execnet info ssh=build1", "which Deno is there, and what it may do"],
    ["execnet info ssh=10.0.0.7//via=gate --hop ssh=bastion//id=gate//allow-run", "behind another host"],
    ["execnet info popen --json | jq -r .deno", "one fact, for a script"],
  ],
  words: [1, 1],
  async run(given, terminal): Promise<number> {
    await using connections = await connectOne(given, terminal, given.words[0]!);
    const facts = await connections.gateway.remoteInfo({ signal: terminal.signal });
    if (given.flag("json")) {
      await terminal.write(`${json(facts)}\n`);
      return EXIT.ok;
    }
    for (const line of factLines(facts, terminal.style)) await terminal.write(`${line}\n`);
    return EXIT.ok;
  },
};
