/** Results: their medians and ratios, and the table that shows them. */

import type { EntryProfile } from "./profile.ts";
import { median } from "./util.ts";

/** What a figure is measured in; nothing for a count. */
export type Unit = "µs" | "ms" | "/s" | "MiB/s" | "MiB" | "KiB" | "B" | "";

/** What a figure, or its ratio to a peer's, should be. */
export interface Goal {
  sign: "≤" | "≥";
  value: number;
  /** Why it is missed, where it is known to be: one line, which the profile shows beside its figures. */
  cause?: string | undefined;
}

/** A peer's share of a line. */
export interface PeerResult {
  name: string;
  /** The peer's figure in each round; empty when there is none. */
  samples: number[];
  /** Why there is none. */
  missing?: string | undefined;
  /** For our figure divided by the peer's. */
  goal?: Goal | undefined;
}

/** One figure with all that it is compared with. */
export interface Result {
  id: string;
  variant: string;
  unit: Unit;
  samples: number[];
  missing?: string | undefined;
  /** For our figure itself. */
  goal?: Goal | undefined;
  peers: PeerResult[];
  /** Where the time goes; the same for all figures of a measurement. */
  profile?: EntryProfile | undefined;
}

/** A comparison, worked out. */
export interface Row {
  id: string;
  variant: string;
  unit: Unit;
  /** Our median, or null with `missing`. */
  ours: number | null;
  /** Whom it is compared with; null for a goal of our figure alone. */
  peer: string | null;
  theirs: number | null;
  /** Median of the rounds' ratios, ours divided by theirs. */
  ratio: number | null;
  goal: string | null;
  verdict: "met" | "MISS" | "missing" | null;
  /** Why the goal is missed, if it is and that is known. */
  cause: string | null;
  /** Why there is no figure of ours. */
  missing: string | null;
  /** Why there is none of the peer's. */
  theirMissing: string | null;
  /** Our figure in each round. */
  samples: number[];
  /** The peer's figure in each round. */
  theirSamples: number[];
}

/** Works out a result: one row for each peer, and one for a goal of the figure alone. */
export function toRows(result: Result): Row[] {
  const { id, variant, unit, samples } = result;
  const ours = samples.length > 0 ? median(samples) : null;
  const rows: Row[] = [];
  const base = { id, variant, unit, ours, missing: result.missing ?? null, samples };
  if (result.goal !== undefined || result.peers.length === 0) {
    rows.push({
      ...base,
      peer: null,
      theirs: null,
      ratio: null,
      goal: result.goal === undefined ? null : `${result.goal.sign} ${result.goal.value} ${unit}`,
      ...judge(ours, result.goal),
      theirMissing: null,
      theirSamples: [],
    });
  }
  for (const peer of result.peers) {
    const rounds = Math.min(samples.length, peer.samples.length);
    const ratios = Array.from({ length: rounds }, (_, at) => samples[at]! / peer.samples[at]!);
    const ratio = ratios.length > 0 ? median(ratios) : null;
    rows.push({
      ...base,
      peer: peer.name,
      theirs: peer.samples.length > 0 ? median(peer.samples) : null,
      ratio,
      goal: peer.goal === undefined ? null : `${peer.goal.sign} ${peer.goal.value}`,
      ...judge(ratio, peer.goal),
      theirMissing: peer.missing ?? null,
      theirSamples: peer.samples,
    });
  }
  return rows;
}

function judge(value: number | null, goal: Goal | undefined): Pick<Row, "verdict" | "cause"> {
  if (value === null) return { verdict: "missing", cause: null };
  if (goal === undefined) return { verdict: null, cause: null };
  const met = goal.sign === "≤" ? value <= goal.value : value >= goal.value;
  return met ? { verdict: "met", cause: null } : { verdict: "MISS", cause: goal.cause ?? null };
}

/** All rows as one table. */
export function formatTable(rows: readonly Row[]): string {
  const cells = [["figure", "ours", "peer", "theirs", "ratio", "goal", ""]];
  let before = "";
  for (const row of rows) {
    const figure = `${row.id} ${row.variant}`.trim();
    const first = figure !== before;
    before = figure;
    cells.push([
      first ? figure : "",
      first ? row.ours === null ? "missing" : quantity(row.ours, row.unit) : "",
      row.peer ?? "",
      row.peer === null ? "" : row.theirs === null ? "missing" : quantity(row.theirs, row.unit),
      row.ratio === null ? "" : significant(row.ratio),
      row.goal ?? "",
      row.verdict ?? "",
    ]);
  }
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const rightAligned = new Set([1, 3, 4]);
  const lines = cells.map((line) =>
    line.map((cell, column) =>
      rightAligned.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  ").trimEnd());
  return [...lines, ...notes(rows)].join("\n");
}

/** Says why cells are missing. */
function notes(rows: readonly Row[]): string[] {
  const texts = rows.flatMap(({ id, variant, peer, missing, theirMissing }) => {
    const figure = `missing: ${id} ${variant}`.trimEnd();
    return [
      ...(missing === null ? [] : [`${figure}: ${missing}`]),
      ...(theirMissing === null ? [] : [`${figure} (${peer}): ${theirMissing}`]),
    ];
  });
  return texts.length === 0 ? [] : ["", ...new Set(texts)];
}

/** A figure with its unit. */
export function quantity(value: number, unit: Unit): string {
  if (unit === "/s" && value >= 1e6) return `${significant(value / 1e6)} M/s`;
  if (unit === "/s" && value >= 1e4) return `${significant(value / 1e3)} k/s`;
  return `${significant(value)} ${unit}`.trimEnd();
}

/** Three digits. */
export function significant(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 0.0995) return value.toPrecision(1);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}
