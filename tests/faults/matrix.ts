/** The matrix as text: for each fault and side a table of steps and kinds, with a word for each outcome. */

import { COMBINATIONS, exclusionOf, FAULTS, KINDS, SIDES, STEPS } from "./axes.ts";
import type { Verdict } from "./supervise.ts";

/** Longer words than these would make the tables too wide. */
const SHORT: readonly (readonly [words: RegExp, short: string])[] = [
  [/ChannelClosedError < (\w+)/g, "$1"],
  [/GatewayClosedError/g, "closed"],
  [/RemoteError/g, "remote"],
  [/ConnectError/g, "connect"],
  [/Cannot copy/g, "copy"],
  [/ends with its program/g, "ends"],
  [/goes on/g, "on"],
];

function short(how: string): string {
  const words = SHORT.reduce((text, [from, to]) => text.replace(from, to), how);
  return [...new Set(words.split(", "))].join(", ");
}

/** All that was tried, as tables; a dot is for what is no case, a dash for what was not tried. */
export function matrixText(verdicts: readonly Verdict[]): string {
  const found = new Map(verdicts.map((one) => [JSON.stringify(one.cell), one]));
  const lines: string[] = [];
  for (const fault of FAULTS) {
    for (const side of SIDES) {
      const rows = STEPS.map((step) => [
        step,
        ...KINDS.map((kind) => {
          const cell = { fault, side, step, kind };
          if (exclusionOf(cell) !== undefined) return ".";
          const one = found.get(JSON.stringify(cell));
          return one === undefined ? "-" : `${one.wrong.length > 0 ? "WRONG " : ""}${short(one.how)}`;
        }),
      ]);
      if (!rows.some((row) => row.slice(1).some((word) => word !== "." && word !== "-"))) continue;
      const times = verdicts.filter(({ cell }) => cell.fault === fault && cell.side === side).map(({ ms }) =>
        ms
      );
      lines.push(`${fault}, ${side} (at most ${Math.max(...times)} ms)`);
      lines.push(...table([["", ...KINDS], ...rows]), "");
    }
  }
  return lines.join("\n");
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) => `  ${row.map((word, at) => word.padEnd(widths[at]!)).join("  ")}`.trimEnd());
}

/** How many combinations there are, and why some are no cells. */
export function exclusionsText(): string {
  const reasons = COMBINATIONS.map(exclusionOf).filter((reason) => reason !== undefined);
  const counts = [...Map.groupBy(reasons, (reason) => reason)].map(([reason, all]) =>
    `${all.length} ${reason}`
  );
  return [`${COMBINATIONS.length} combinations, of which are no cases:`, ...counts].join("\n  ");
}
