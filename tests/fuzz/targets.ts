/** Everything that is fuzzed. */

import { CODEC } from "./codec_target.ts";
import { FRAMES } from "./frames_target.ts";
import { HELLO } from "./hello_target.ts";
import { RSYNC } from "./rsync_target.ts";
import { ADMISSION, SERVER } from "./server_target.ts";
import { SESSION } from "./session_target.ts";
import { SIFTER } from "./sifter_target.ts";
import { SPEC } from "./spec_target.ts";
import type { Target } from "./target.ts";

/** In the order of the table. */
export const TARGETS: readonly Target[] = [
  FRAMES,
  CODEC,
  SESSION,
  SPEC,
  HELLO,
  SIFTER,
  SERVER,
  ADMISSION,
  RSYNC,
];
