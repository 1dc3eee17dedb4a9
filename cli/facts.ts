/** Facts of the far side, such as RemoteInfo, as lines for people. */

import { oneLine } from "./plain.ts";
import type { Style } from "./style.ts";

/** A line for each fact that is known: its name, and what it is. */
export function factLines(facts: object, style: Style): string[] {
  const rows = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [oneLine(name), textOf(value)] as const);
  const widest = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${style.cyan(name.padEnd(widest))}  ${oneLine(text)}`);
}

function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join(" ") || "none" : String(value);
}
