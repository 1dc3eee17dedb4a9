/** The `rsync` command, which copies are compared with. */

import { lacking, part } from "./need.ts";
import type { Part } from "./need.ts";

/** Debian's `rsync`. */
export const RSYNC: Part = part("rsync", () => lacking("rsync"));
