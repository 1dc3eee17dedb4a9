/** What the channels of one execution have in common. */

import type { Writer } from "./writer.ts";

/** An execution, as the channels see it that belong to it. */
export interface Branch {
  /** The id of its first channel, its root. */
  readonly id: number;
  /** What writes its frames: that of the connection, or of a bypass. */
  writer: Writer;
  /** Payload bytes of each part of a long item. */
  fragmentBytes: number;
  /** How many of its channels are open. */
  open: number;
}
