/** Prints where the time goes, for the rows that miss their goals or for all. */

import { processorTime } from "./profile.ts";
import type { EntryProfile, Profile, Usage } from "./profile.ts";
import { formatSteps } from "./steps.ts";
import { quantity, significant, toRows } from "./table.ts";
import type { Result, Row } from "./table.ts";

/** A profile with the goals that were missed. */
export interface ShownProfile extends EntryProfile {
  misses: Row[];
}

/**
 * The profiles to show: those of rows that miss a goal, or all. A row that misses and has no profile, because it is no
 * matter of time or of a single thread, is shown with its cause alone.
 */
export function shownProfiles(results: readonly Result[], all: boolean): ShownProfile[] {
  const shown = new Map<EntryProfile | Result, ShownProfile>();
  for (const result of results) {
    const { profile = withoutSides(result) } = result;
    const misses = toRows(result).filter(({ verdict }) => verdict === "MISS");
    const one = shown.get(result.profile ?? result);
    if (one !== undefined) one.misses.push(...misses);
    else shown.set(result.profile ?? result, { ...profile, misses });
  }
  return [...shown.values()].filter(({ sides, misses }) => misses.length > 0 || all && sides.length > 0);
}

function withoutSides({ id, variant }: Result): EntryProfile {
  return { row: `${id} ${variant}`.trim(), item: "", cores: 1, sides: [], stepsOf: undefined };
}

/** Whom to show: ourselves, and the peers whose goals are missed; everybody where none is. */
function sidesOf({ sides, misses }: ShownProfile): EntryProfile["sides"] {
  const peers = new Set(misses.map(({ peer }) => peer));
  return misses.every(({ peer }) => peer === null)
    ? sides
    : sides.filter(({ name }, at) => at === 0 || peers.has(name));
}

const HEADER = ["", "processor", "system", "waiting", "sleeps", "preempted", "faults"];

const LEGEND = [
  "For each item: time on a processor and how much of it in the system, time ready to run while something else did, how",
  "often a thread had nothing to do (sleeps) or was made to stop (preempted), and page faults. An arrow is a step below the",
  "caller in the tree of processes. Threads and processes that ended within a round are known as a sum, without their",
  "waiting and their switches. The wall time is that of the whole round, pauses between what is timed included.",
];

/** All of it as text; nothing where there is nothing to show. */
export function formatProfiles(profiles: readonly ShownProfile[]): string {
  if (profiles.length === 0) return "";
  return [
    "",
    "",
    "Where the time goes",
    ...LEGEND,
    ...profiles.flatMap((one) => ["", ...formatProfile(one)]),
  ]
    .join("\n");
}

function formatProfile(shown: ShownProfile): string[] {
  const misses = formatMisses(shown.misses);
  if (shown.sides.length === 0) return [shown.row, ...misses];
  const lines = [`${shown.row}, for one ${shown.item}`, ...misses];
  const cells = [HEADER];
  const heads = new Map<number, string>();
  for (const { name, profile } of sidesOf(shown)) {
    heads.set(cells.length, formatHead(name, profile, shown.cores));
    cells.push(...profile.usages.map((usage) => formatUsage(usage, scaleOf(profile.wall))));
  }
  const widths = HEADER.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  cells.forEach((line, at) => {
    const head = heads.get(at);
    if (head !== undefined) lines.push(`  ${head}`);
    const [first, ...others] = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    );
    lines.push(`    ${[first, ...others].join("  ").trimEnd()}`);
  });
  if (shown.steps !== undefined) lines.push(...formatSteps(shown.steps).map((line) => `  ${line}`));
  return lines;
}

/** The goals that were missed, those with the same cause together. */
function formatMisses(misses: readonly Row[]): string[] {
  const byCause = Map.groupBy(misses, ({ cause }) => cause ?? "not known");
  return [...byCause].flatMap(([cause, rows]) => [...rows.map(formatMiss), `  cause: ${cause}`]);
}

function formatMiss({ id, variant, unit, peer, ours, ratio, goal }: Row): string {
  const what = peer === null ? quantity(ours!, unit) : `${significant(ratio!)} of ${peer}`;
  return `  MISS: ${`${id} ${variant}`.trim()} is ${what}, goal ${goal}`;
}

interface Scale {
  unit: "µs" | "ms";
  factor: number;
}

function scaleOf(wall: number): Scale {
  return wall < 10 ? { unit: "µs", factor: 1000 } : { unit: "ms", factor: 1 };
}

function formatHead(name: string, profile: Profile, cores: number): string {
  const { wall, busiest } = profile;
  const { unit, factor } = scaleOf(wall);
  const { all, ended } = processorTime(profile);
  const where = ended > all / 2
    ? "most of it in what has ended"
    : `the busiest thread (${busiest.name}) is idle ${percent(1 - busiest.time / wall)}`;
  return `${name}: wall ${significant(wall * factor)} ${unit}, processors ${
    significant(all * factor)
  } ${unit} ` +
    `(${percent(all / wall / cores)} of ${cores}); ${where}`;
}

function formatUsage(usage: Usage, { unit, factor }: Scale): string[] {
  const { process, thread, time, system, waited, sleeps, preempted, faults } = usage;
  const count = (value: number | null): string => value === null ? "?" : significant(value);
  return [
    thread === "ended" ? process : `${process}, ${thread}`,
    `${significant(time * factor)} ${unit}`,
    system === null || time <= 0 ? "?" : percent(system / time),
    waited === null ? "?" : `${significant(waited * factor)} ${unit}`,
    count(sleeps),
    count(preempted),
    count(faults),
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
