/** Lets mixed traffic run over many gateways for long, and looks whether anything is lost, or grows. See `--help`. */

import { parseArgs } from "jsr:@std/cli@^1.0.28/parse-args";
import { KINDS } from "./kinds.ts";
import { soak } from "./soak.ts";
import type { SoakOptions } from "./soak.ts";
import { complaints, mixText, resultText } from "./tables.ts";
import { mixOf } from "./kinds.ts";

const HELP = `Usage: deno task soak [options]

Runs seeded traffic over many gateways and their channels: small items, bulk, channels over channels, calls, streams,
errors, timeouts, kills, gateways that are killed and replaced. Every item has a number and a checksum and is accounted
for; memory, descriptors, processes and folders are looked at at rest, and have to be flat.

  --minutes N    of traffic (10)
  --gateways N   (100)
  --channels N   of each gateway (100)
  --seed N       (a random one, which is printed)
  --kind NAME    gateways of this kind only: ${KINDS.map(({ name }) => name).join(", ")}
  --help         print this

The exit code is 1 when anything is wrong, which is printed last, and 2 for a wrong option.`;

/** Undefined when help was asked for. */
function readOptions(args: string[]): SoakOptions | undefined {
  const parsed = parseArgs(args, {
    string: ["minutes", "gateways", "channels", "seed", "kind"],
    boolean: ["help"],
    default: { minutes: "10", gateways: "100", channels: "100", seed: String(Date.now() % 1e6) },
    unknown: (arg: string) => {
      throw new RangeError(`unknown option: ${arg}`);
    },
  }) as Record<"minutes" | "gateways" | "channels" | "seed", string> & { kind?: string; help: boolean };
  if (parsed.help) return undefined;
  const number = (name: "minutes" | "gateways" | "channels" | "seed", least: number): number => {
    const value = Number(parsed[name]);
    if (!(value >= least) || name !== "minutes" && !Number.isInteger(value)) {
      throw new RangeError(`--${name} cannot be ${parsed[name]}`);
    }
    return value;
  };
  const options = {
    minutes: number("minutes", 0.001),
    gateways: number("gateways", 1),
    channels: number("channels", 10),
    seed: number("seed", 0),
    kind: parsed.kind,
  };
  mixOf(options.gateways, options.kind);
  return options;
}

let options: SoakOptions | undefined;
try {
  options = readOptions(Deno.args);
} catch (error) {
  console.error(`soak: ${(error as Error).message}\nSee deno task soak --help`);
  Deno.exit(2);
}
if (options === undefined) {
  console.log(HELP);
  Deno.exit(0);
}
const { gateways, channels, minutes, seed } = options;
// Its own, in which nobody else makes folders.
const folder = Deno.makeTempDirSync({ prefix: "soak-" });
Deno.env.set("TMPDIR", folder);
console.log(`${gateways} gateways × ${channels} channels, ${minutes} min, --seed ${seed}`);
console.log(mixText(mixOf(gateways, options.kind)));
const result = await soak(options, (text) => console.error(text));
console.log(`\n${resultText(result)}`);
const wrong = complaints(result);
Deno.removeSync(folder, { recursive: true });
for (const one of wrong) console.error(`soak: --seed ${seed}: ${one}`);
Deno.exit(wrong.length > 0 ? 1 : 0);
