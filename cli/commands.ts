/** The commands, in the order of the help. */

import { call } from "./call.ts";
import type { Command } from "./command.ts";
import { completions } from "./completions.ts";
import { doctor } from "./doctor/doctor.ts";
import { exec } from "./exec.ts";
import { info } from "./info.ts";
import { map } from "./map.ts";
import { repl } from "./repl/repl.ts";
import { rsync } from "./rsync.ts";
import { serve } from "./serve.ts";
import { status } from "./status.ts";

/** All of them. */
export const COMMANDS: readonly Command[] = [
  exec,
  call,
  map,
  rsync,
  repl,
  info,
  status,
  doctor,
  serve,
  completions(() => COMMANDS),
];
