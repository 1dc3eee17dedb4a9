/** Answers commands until there are no more. Shipped by remote_commands.ts. */

import type { Channel } from "../../mod.ts";

/** What can be asked for. */
export type Command = ["add", number, number] | ["list", string] | ["count"];

let answered = 0;

function answer(command: Command): number | string[] {
  switch (command[0]) {
    case "add":
      return command[1] + command[2];
    case "list":
      return [...Deno.readDirSync(command[1])].map((entry) => entry.name).sort();
    case "count":
      return answered;
  }
}

export default async function (channel: Channel<Command, number | string[]>): Promise<void> {
  for await (const command of channel) {
    await channel.send(answer(command));
    answered++;
  }
}
