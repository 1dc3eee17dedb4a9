/** Figures in which the engine has a say, or chance: they may rise by a stated part, and no further. */

import { assert } from "jsr:@std/assert@^1.0.19";

/** Fails when `found` is over `figure` times `slack`; and when nothing was counted at all. */
export function atMost(what: string, found: number, figure: number, slack: number): void {
  assert(found > 0, `${what}: nothing was counted`);
  const most = figure * slack;
  assert(
    found <= most,
    `${what}: ${Number(found.toFixed(3))}, where ${
      Number(most.toFixed(3))
    } is the most (${figure} × ${slack})`,
  );
}
