/** The long run: fuzzes all targets and walks the model, and prints a line for each. See `--help`. */

import { parseArgs } from "jsr:@std/cli@^1.0.28/parse-args";
import { MODEL } from "../model/model_target.ts";
import { Fuzzer, runAlone } from "./engine.ts";
import type { Find, FuzzReport } from "./engine.ts";
import { TARGETS } from "./targets.ts";
import type { Target } from "./target.ts";

const ALL: readonly Target[] = [...TARGETS, MODEL];
const NAMES: readonly string[] = ALL.map(({ name }) => name);

/** A round is so many inputs, shared among the targets, so that a run that is limited in time gets to all of them. */
const ROUND_INPUTS = 200_000;

const HELP = `Usage: deno task fuzz [options]

Gives bytes that others could have made to all that reads such, and walks the model of the session at random. Prints a
line for each target. What it finds it prints as a seed and as the input itself, made as short as it can be.

  --only NAME[,NAME]  only these: ${NAMES.join(" ")}
  --inputs N          inputs in all (10000000), shared among the targets as their cost suggests
  --minutes N         ends after so many minutes all the same
  --seed N            where the random numbers begin (1)
  --input HEX         gives this one input to the target that --only names, and says what comes of it
  --help              print this

The exit code is 1 when something was found, and 2 for a wrong option.`;

interface Options {
  readonly targets: readonly Target[];
  readonly inputs: number;
  readonly minutes: number;
  readonly seed: number;
  readonly input: Uint8Array | undefined;
}

class UsageError extends Error {}

/** Undefined when help was asked for. */
function readOptions(args: string[]): Options | undefined {
  const parsed = parseArgs(args, {
    string: ["only", "inputs", "minutes", "seed", "input"],
    boolean: ["help"],
    default: { inputs: "10000000", minutes: "Infinity", seed: "1" },
    unknown: (arg: string) => {
      throw new UsageError(`unknown option: ${arg}`);
    },
  }) as unknown as
    & Record<"inputs" | "minutes" | "seed", string>
    & Record<"only" | "input", string | undefined>
    & {
      help: boolean;
    };
  if (parsed.help) return undefined;
  const number = (name: "inputs" | "minutes" | "seed"): number => {
    const value = Number(parsed[name]);
    if (!(value >= 0)) throw new UsageError(`no number for --${name}: ${parsed[name]}`);
    return value;
  };
  const only = parsed.only?.split(",") ?? NAMES;
  for (const name of only) if (!NAMES.includes(name)) throw new UsageError(`there is no ${name}`);
  const targets = ALL.filter(({ name }) => only.includes(name));
  const hex = parsed.input;
  if (hex !== undefined && (targets.length !== 1 || !/^([0-9a-f]{2})*$/i.test(hex))) {
    throw new UsageError("--input takes bytes in hexadecimal, for one target");
  }
  const input = hex === undefined ? undefined : Uint8Array.fromHex(hex);
  return { targets, inputs: number("inputs"), minutes: number("minutes"), seed: number("seed"), input };
}

function describe({ target, inputs, steps, ms, kinds, features, slowest }: FuzzReport): string {
  const rate = ms === 0 ? 0 : Math.round(inputs / ms * 1000);
  const counts = [...kinds].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`);
  const walked = steps === 0 ? "" : `${steps} steps, `;
  return `${target.padEnd(10)}${String(inputs).padStart(9)} inputs ${String(rate).padStart(7)}/s  ` +
    `${features} ways, slowest ${slowest.toFixed(1)} ms, ${walked}${counts.join(", ")}`;
}

function describeFind({ target, message, stack, seed, index, input }: Find): string {
  return [
    `FOUND in ${target}, seed ${seed}, input ${index}: ${message}`,
    stack,
    `  the input, as short as it was made (${input.length} bytes): ${input.toHex()}`,
    `  alone: deno task fuzz --only ${target} --input ${input.toHex()}`,
  ].join("\n");
}

async function runAll({ targets, inputs, minutes, seed }: Options): Promise<number> {
  const started = performance.now();
  const until = started + minutes * 60_000;
  const shares = targets.reduce((sum, { share }) => sum + share, 0);
  const runs = targets.map((target) => ({ fuzzer: new Fuzzer(target, seed), part: target.share / shares }));
  for (let done = 0; done < inputs && performance.now() < until; done += ROUND_INPUTS) {
    const round = Math.min(ROUND_INPUTS, inputs - done);
    for (const { fuzzer, part } of runs) {
      const before = fuzzer.find;
      await fuzzer.run(Math.ceil(round * part), until);
      if (before === undefined && fuzzer.find !== undefined) console.log(describeFind(fuzzer.find));
    }
  }
  for (const { fuzzer } of runs) {
    console.log(describe(fuzzer.report));
    fuzzer[Symbol.dispose]();
  }
  const all = runs.reduce((sum, { fuzzer }) => sum + fuzzer.report.inputs, 0);
  const found = runs.filter(({ fuzzer }) => fuzzer.find !== undefined).length;
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(
    `${all} inputs in ${seconds} s from seed ${seed}: ${found === 0 ? "nothing was" : found} found`,
  );
  return found === 0 ? 0 : 1;
}

try {
  const options = readOptions(Deno.args);
  if (options === undefined) console.log(HELP);
  else if (options.input !== undefined) {
    const { kind, feature } = await runAlone(options.targets[0]!, options.input);
    console.log(`${kind}: ${feature ?? "nothing more is known of it"}`);
  } else Deno.exitCode = await runAll(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`fuzz: ${error.message}; see --help`);
  Deno.exitCode = 2;
}
