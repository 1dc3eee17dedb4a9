/** What a page says that its blocks print, against what they print. */

import { assert } from "jsr:@std/assert@^1.0.19";

/** What the lines of a program say in a comment behind `console.log(…);` that they print, in their order. */
export function promisedBy(program: string): string[] {
  const promised: string[] = [];
  let logging = false;
  for (const line of program.split("\n")) {
    if (/^\s*(?!\/\/).*console\.log\(/.test(line)) logging = true;
    const comment = /\)[;,]* \/\/ (.+)$/.exec(line);
    if (logging && comment !== null) promised.push(comment[1]!);
    if (/;\s*(\/\/.*)?$/.test(line)) logging = false;
  }
  return promised;
}

/** Asserts that each promised line was printed, in this order; `…` stands for anything. */
export function assertPrinted(promised: readonly string[], printed: string, where: string): void {
  const lines = printed.split("\n");
  let at = 0;
  for (const one of promised) {
    const found = lines.findIndex((line, i) => i >= at && patternOf(one).test(line));
    assert(found >= 0, `${where}: "${one}" is not in its place of what is printed:\n${printed}`);
    at = found + 1;
  }
}

/** Asserts that this was printed and nothing else; `…` stands for anything, in a line of its own for any lines. */
export function assertOutput(text: string, printed: string, where: string): void {
  const parts = text.trimEnd().split("\n").map((line) =>
    line.trim() === "…" ? "(?:.*\n)*?" : `${patternOf(line).source.slice(1, -1)}\n`
  );
  const whole = new RegExp(`^${parts.join("")}$`);
  assert(
    whole.test(`${printed.trimEnd()}\n`),
    `${where}: what is printed is not what the page says:\n${printed}`,
  );
}

function patternOf(line: string): RegExp {
  const parts = line.trimEnd().split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
