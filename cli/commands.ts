/** The commands, in the order of the help. */

import type { Command } from "./command.ts";
import { info } from "./info.ts";

/** All of them. */
export const COMMANDS: readonly Command[] = [info];
