/** The tables that a soak prints. */

import type { Verdict } from "./gauges.ts";
import type { SoakKind } from "./kinds.ts";
import type { Ledger } from "./ledger.ts";
import type { SoakResult } from "./soak.ts";

/** Rows as text: the first column to the left, numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ").trimEnd()
  ).join("\n");
}

/** How many gateways there are of each kind. */
export function mixText(mix: readonly SoakKind[]): string {
  const names = [...new Set(mix.map(({ name }) => name))];
  return names.map((name) => `${mix.filter((kind) => kind.name === name).length} ${name}`).join(", ");
}

function items(ledger: Ledger): string {
  const sum = { channels: 0, sent: 0, arrived: 0, sentThere: 0, got: 0 };
  const row = (name: string, one: typeof sum): string[] => [
    name,
    ...[one.channels, one.sent, one.arrived, one.sent - one.arrived].map(String),
    ...[one.sentThere, one.got, one.sentThere - one.got].map(String),
  ];
  const rows = [...ledger.accounts].map(([name, account]) => {
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += account[key];
    return row(name, account);
  });
  return table(
    ["channels by their end", "number", "sent", "arrived", "not", "sent there", "arrived", "not"],
    [
      ...rows,
      row("all", sum),
    ],
  );
}

function gauges(verdicts: readonly Verdict[]): string {
  const round = (value: number, unit: string): string => value.toFixed(unit === "" ? 0 : 1);
  return table(
    ["", "start", "end", "lowest", "highest", "slope/min", "may grow by", ""],
    verdicts.map(({ name, unit, start, end, lowest, highest, slope, limit, flat }) => [
      unit === "" ? name : `${name}, ${unit}`,
      ...[start, end, lowest, highest].map((value) => round(value, unit)),
      slope.toFixed(2),
      round(limit, unit),
      flat ? "flat" : "GROWS",
    ]),
  );
}

/** All that came of a soak. */
export function resultText({ ledger, verdicts }: SoakResult): string {
  const done = [...ledger.done].map(([what, times]) => `${what} ${times}`).join(", ");
  return [items(ledger), gauges(verdicts), `Done: ${done}`].join("\n\n");
}

/** What is wrong with it, a line each. */
export function complaints({ ledger, verdicts }: SoakResult): string[] {
  const grown = verdicts.filter(({ flat }) => !flat)
    .map(({ name, start, end }) => `${name}: ${start.toFixed(1)} at the start, ${end.toFixed(1)} at the end`);
  const left = ledger.wrongCount - ledger.wrongs.length;
  return [...ledger.wrongs, ...left > 0 ? [`and ${left} more`] : [], ...grown];
}
