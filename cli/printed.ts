/** What gateways print while a progress bar is on the screen: above it, line by line. */

import type { Gateway } from "../mod.ts";
import { linesAsTheyAre } from "./lines.ts";

/** Passes on what gateways that were made with `stderr: "piped"` print. Resolves when all of them have ended. */
export async function passOn(gateways: readonly Gateway[], tell: (line: string) => void): Promise<void> {
  const prefixed = gateways.length > 1;
  await Promise.all(gateways.map(async ({ id, stderr }) => {
    if (stderr === undefined) return;
    for await (const line of linesAsTheyAre(stderr)) tell(prefixed ? `[${id}] ${line}` : line);
  }));
}
