/** Code for commands, with an import of its own. See commands_test.ts. */

import type { Channel } from "../../../mod.ts";
import { loud } from "./loud.ts";

/** Answers each line. */
export default async function (channel: Channel<string, string>, kwargs?: { mark: string }): Promise<void> {
  for await (const line of channel) await channel.send(loud(line) + (kwargs?.mark ?? ""));
  if (kwargs?.mark === "!!") throw new RangeError("too loud");
}

/** Answers one. */
export function once(line: string): string {
  return loud(line);
}
