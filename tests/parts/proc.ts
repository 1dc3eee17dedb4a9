/** What the system tells about processes. */

import { part } from "./need.ts";
import type { Part } from "./need.ts";

/** /proc, as Linux has it. */
export const PROC: Part = part("proc", () => undefined);
