/** What the parts of a target's side work with together. */

import type { Setup } from "../common/messages.ts";
import type { Removal } from "./removal.ts";
import type { Report } from "./report.ts";
import type { Temporary } from "./temporary.ts";
import type { WantedFiles } from "./wanted.ts";

/** One of each for a copy. */
export interface Parts {
  /** What is to be done. */
  readonly setup: Setup;
  /** Files that were asked for. */
  readonly wanted: WantedFiles;
  /** Removes what is to go. */
  readonly removal: Removal;
  /** Tells what has become of everything. */
  readonly report: Report;
  /** Names files that are being written. */
  readonly temporary: Temporary;
}
