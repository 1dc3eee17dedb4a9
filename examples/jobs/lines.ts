/** Counts the lines of each file that it is told of, with the global `channel`. Shipped by global_channel.ts. */

import type { Channel } from "../../mod.ts";

/** The channel as this module sees it: it gets paths, and sends what it has counted. */
export type Lines = Channel<string, { path: string; lines: number }>;

declare const channel: Lines;

for await (const path of channel) {
  const text = await Deno.readTextFile(path);
  await channel.send({ path, lines: text.split("\n").length - 1 });
}
