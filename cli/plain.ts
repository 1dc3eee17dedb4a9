/** Text of the far side as a terminal may show it, and in one line. */

import { plain } from "../gateway/terminal_text.ts";

export { plain };

/** The same in one line. */
export function oneLine(text: string): string {
  return plain(text.trim().replace(/\s*\r?\n\s*/g, "; "));
}
