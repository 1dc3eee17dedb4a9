/** Debian's `faketime`: a library that gives a process another clock, which can jump while it runs. */

import { failing, part } from "./need.ts";
import type { Part } from "./need.ts";

/** A clock of one's own. */
export const CLOCK: Part = part("faketime", () => failing(["faketime", "-f", "+1d", "true"]) ?? noLibrary());

/** Where the library is. */
export function clockLibrary(): string | undefined {
  const { stdout } = new Deno.Command("faketime", {
    args: ["-f", "+1d", "printenv", "LD_PRELOAD"],
    stdin: "null",
  })
    .outputSync();
  const path = new TextDecoder().decode(stdout).trim().split(":").find((one) => one.includes("libfaketime"));
  return path;
}

function noLibrary(): string | undefined {
  return clockLibrary() === undefined ? "it preloads no library" : undefined;
}
