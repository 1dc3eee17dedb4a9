/** What is printed of a step. Pure. */

import { oneLine, plain } from "../plain.ts";
import type { Style } from "../style.ts";
import type { Outcome } from "./outcome.ts";
import { milliseconds } from "../units.ts";

/** How steps are marked: signs for people, words for those who search. */
const SIGNS: Readonly<Record<Outcome["state"], readonly [sign: string, word: string]>> = {
  ok: ["✓", "ok  "],
  warning: ["!", "warn"],
  failed: ["✗", "FAIL"],
  skipped: ["–", "skip"],
};

/** The longest name of a step. */
const NAME_WIDTH = 11;

/** Where the time stands, if what was found leaves room for it. */
const FOUND_WIDTH = 72;

/** Lines of somebody else's words that are shown, the last ones. */
const MAX_WORDS = 6;

/** How it is printed. */
export interface ReportOptions {
  readonly style: Style;
  /** Whether signs are wanted. */
  readonly signs: boolean;
}

/** The lines of a step, each with its newline; none where it is skipped, which is told at the end. */
export function report(outcome: Outcome, { style, signs }: ReportOptions): string {
  const { state, step, found, ms, words, advice = [] } = outcome;
  if (state === "skipped") return "";
  const mark = SIGNS[state][signs ? 0 : 1];
  const colour = { ok: style.green, warning: style.yellow, failed: style.red }[state];
  const margin = " ".repeat(mark.length + 1);
  const time = ms === undefined || ms === 0 ? "" : milliseconds(ms);
  const name = step.padEnd(NAME_WIDTH);
  const text = oneLine(found).padEnd(time === "" ? 0 : FOUND_WIDTH);
  const lines = [
    `${colour(mark)} ${state === "failed" ? style.bold(name) : name} ${text} ${style.dim(time)}`.trimEnd(),
  ];
  if (state !== "ok" && words !== undefined) {
    const all = plain(words.replaceAll("\r\n", "\n")).split("\n").filter((line) => line.trim() !== "");
    for (const line of all.slice(-MAX_WORDS)) lines.push(`${margin}${style.dim(`| ${line}`)}`);
  }
  for (const line of advice) {
    lines.push(`${margin}${style.cyan("→".slice(0, signs ? 1 : 0) || "*")} ${oneLine(line)}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** The last lines: what was skipped, and whether the gateway can be used, or where it ends. */
export function conclusion(
  id: string,
  outcomes: readonly Outcome[],
  { style, signs }: ReportOptions,
): string {
  const skipped = outcomes.filter(({ state }) => state === "skipped");
  const mark = SIGNS.skipped[signs ? 0 : 1];
  const left = skipped.length === 0
    ? ""
    : `${style.dim(`${mark} ${skipped.map(({ step }) => step).join(", ")}`)}\n`;
  const bad = outcomes.find(({ state }) => state === "failed");
  const [first] = skipped;
  if (bad?.step === "permissions") return `${style.red("Not as the spec says")}: ${id} is connected\n`;
  if (bad !== undefined) return `${left}${style.red("Not connected")}: it ends at "${bad.step}"\n`;
  if (first !== undefined) return `${left}${style.red("Not tried")}: ${first.found}\n`;
  return `${style.green("All is well")}: ${id} can be used\n`;
}
