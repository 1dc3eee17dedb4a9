/** A job that runs by itself and answers commands, with the global `channel`. See module_test.ts. */

import type { Channel } from "../../../mod.ts";

declare const channel: Channel<[string, ...number[]], unknown>;

/** What the commands do. */
const commands: Record<string, (...args: number[]) => unknown> = {
  sum: (...args) => args.reduce((a, b) => a + b, 0),
  count: (...args) => args.length,
};

for await (const [name, ...args] of channel) {
  await channel.send(commands[name]?.(...args));
}
