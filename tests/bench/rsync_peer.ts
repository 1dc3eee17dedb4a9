/** Measures the `rsync` command. Run by the driver; see player.ts. */

import { serve } from "./player.ts";
import type { Task } from "./player.ts";
import { expect } from "./util.ts";

/** Milliseconds, the start of its processes included: that is how it is used. Targets come one after the other. */
async function rsync({ copy }: Task): Promise<number> {
  const { from, to } = copy!;
  const began = performance.now();
  for (const target of to) await run("-a", `${from}/`, `${target}/`);
  return performance.now() - began;
}

/** KiB that its two processes tell each other, as if they were on two machines. */
async function rsyncWire({ copy }: Task): Promise<number> {
  const { from, to } = copy!;
  const text = await run("-a", "--no-whole-file", "--stats", "--no-h", `${from}/`, `${to[0]!}/`);
  const bytes = ["sent", "received"].map((direction) => {
    const match = text.match(new RegExp(`^Total bytes ${direction}: (\\d+)$`, "m"));
    if (match === null) throw new Error(`rsync does not say how many bytes it has ${direction}`);
    return Number(match[1]);
  });
  return (bytes[0]! + bytes[1]!) / 1024;
}

/** Gives what it prints. */
async function run(...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command("rsync", { args, stdin: "null", stderr: "inherit" })
    .output();
  expect(success, true, "the success of rsync");
  return new TextDecoder().decode(stdout);
}

await serve({ rsync, "rsync-wire": rsyncWire });
