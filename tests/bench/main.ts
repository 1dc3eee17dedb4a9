/** Measures this library against execnet and raw Deno, interleaved, and prints one table. See `--help`. */

import { parseArgs } from "jsr:@std/cli@^1.0.28/parse-args";
import { codecResults } from "./codec_rows.ts";
import { measure } from "./measure.ts";
import { Players } from "./players.ts";
import { ENTRIES } from "./rows.ts";
import { formatProfiles, shownProfiles } from "./profile_text.ts";
import type { ShownProfile } from "./profile_text.ts";
import type { Steps } from "./steps.ts";
import { formatTable, toRows } from "./table.ts";
import type { Result, Row } from "./table.ts";
import { traceStarts } from "./trace_starts.ts";

const CODEC = "codec";
const NAMES: string[] = [...new Set(ENTRIES.map(({ id }) => id)), CODEC];

const HELP = `Usage: deno task bench [options]

Measures this library and its peers in turns. A ratio is the median over the rounds of our figure divided by the
peer's. Without a unit, a goal is for the ratio; with one, for our figure. After the table stands where the time goes,
for each row that misses a goal.

  --only NAME[,NAME]  measure only these: ${
  NAMES.join(" ").replace(/(.{60,80}) /g, "$1\n                      ")
}
  --rounds N          rounds of each measurement (5)
  --quick             little work, to see whether it runs; the figures mean nothing
  --profile           say where the time goes for all rows, and not only for those that miss a goal
  --json              print the rows and the profiles as JSON
  --help              print this

The exit code is 1 when a measurement failed, which a missed goal is not, and 2 for a wrong option.`;

interface Options {
  only: Set<string>;
  rounds: number;
  quick: boolean;
  profile: boolean;
  json: boolean;
}

class UsageError extends Error {}

/** Undefined when help was asked for. */
function readOptions(args: string[]): Options | undefined {
  const parsed = parseArgs(args, {
    string: ["only", "rounds"],
    boolean: ["json", "profile", "quick", "help"],
    default: { rounds: "5" },
    unknown: (arg: string) => {
      throw new UsageError(`unknown option: ${arg}`);
    },
  }) as Omit<Options, "only" | "rounds"> & { only?: string; rounds: string; help: boolean };
  if (parsed.help) return undefined;
  const rounds = Number(parsed.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError(`no number of rounds: ${parsed.rounds}`);
  const only = new Set(parsed.only?.split(",") ?? NAMES);
  for (const name of only) if (!NAMES.includes(name)) throw new UsageError(`there is no ${name}`);
  return { ...parsed, only, rounds };
}

async function run(options: Options): Promise<number> {
  await using players = await Players.find();
  progress(`${players.description}; ${options.quick ? "quick, " : ""}${options.rounds} rounds`);
  const results: Result[] = [];
  for (const entry of ENTRIES) {
    if (!options.only.has(entry.id)) continue;
    for (const pinned of entry.latency ? [false, true] : [false]) {
      const began = performance.now();
      results.push(...await measure(entry, pinned, players, options));
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const words = [entry.id, entry.variant, pinned ? "pinned" : ""].filter((word) => word !== "");
      progress(`${words.join(" ")}: ${seconds} s`);
    }
  }
  if (options.only.has(CODEC)) results.push(...await codecResults(options.rounds, options.quick));
  const rows: Row[] = results.flatMap(toRows);
  const profiles = shownProfiles(results, options.profile);
  await addSteps(profiles, players);
  print(
    options.json
      ? JSON.stringify({ environment: players.description, rows, profiles }, null, 2)
      : formatTable(rows) + formatProfiles(profiles),
  );
  return rows.some((row) => [row.missing, row.theirMissing].some((why) => why?.startsWith("failed"))) ? 1 : 0;
}

/** Starts of the same model are traced once for all rows that show them. */
async function addSteps(profiles: readonly ShownProfile[], players: Players): Promise<void> {
  const traced = new Map<string, Promise<Steps | undefined>>();
  for (const profile of profiles) {
    const { stepsOf } = profile;
    if (stepsOf === undefined) continue;
    const made = traced.get(stepsOf) ?? traceStarts(players, stepsOf);
    traced.set(stepsOf, made);
    profile.steps = await made;
  }
}

function print(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}

/** Goes beside the result, so that the result can be piped elsewhere. */
function progress(text: string): void {
  // deno-lint-ignore no-console
  console.error(text);
}

try {
  const options = readOptions(Deno.args);
  if (options === undefined) print(HELP);
  else Deno.exitCode = await run(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  progress(`bench: ${error.message}; see --help`);
  Deno.exitCode = 2;
}
