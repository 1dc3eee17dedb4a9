/** Gives commands to a module that runs in a process of its own and keeps its state between them. */

import { makeGateway } from "../mod.ts";
import type { Command } from "./jobs/commands.ts";

const root = `${import.meta.dirname}/..`;
await using gateway = await makeGateway({ popen: true, chdir: root, allowRead: ["docs"] });

// The module and its imports travel as they are now; the other side needs no files of ours.
const remote = gateway.remoteExec<Command, number | string[]>(new URL("./jobs/commands.ts", import.meta.url));
const commands: Command[] = [["add", 20, 22], ["list", "docs"], ["count"]];
for (const command of commands) {
  await remote.send(command);
  console.log(...command, "→", await remote.receive());
}
