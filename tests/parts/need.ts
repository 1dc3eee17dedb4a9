/**
 * What a real part needs of the machine, and tests that are ignored where it cannot be had.
 *
 * A part is declared beside its fixture, with a probe that tells what is missing:
 *
 *     export const SLURM = part("slurm", () => notRoot() ?? lacking("slurmctld", "slurmd", "srun", "munged"));
 *
 * A test file then starts it once for all of its tests, and registers these with what they need:
 *
 *     const slurm = shared(SLURM, () => Slurm.start());
 *     testWith(SLURM, "slurm= runs a gateway per task", async () => { … slurm().config … });
 */

import { within } from "../helpers/bounded.ts";
import { LeakCheck } from "../helpers/leaks.ts";

/** Something real that tests run against. */
export interface Part {
  /** Shown with the reason when it is missing. */
  readonly name: string;
  /** Why it cannot be had on this machine, undefined when it can. Looked at once. */
  readonly missing: string | undefined;
}

/** Whether a part can be had. */
export interface Need {
  /** Whether it is there. */
  readonly met: boolean;
  /** Why not. */
  readonly reason?: string;
}

/** How a test is registered. */
export interface PartTestOptions {
  /** Milliseconds until it fails; by default 60 000, because real parts take their time on a busy machine. */
  limit?: number;
  /** Whether to check that no process and no folder is left; by default true. */
  leaks?: boolean;
}

const LIMIT_MS = 60_000;
const START_LIMIT_MS = 120_000;
const END_LIMIT_MS = 60_000;

/** Where programs for administrators are, which need not be on the PATH of others. */
const ADMIN_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Declares a part. `probe` tells what is missing, the first time that somebody asks; it must be quick. */
export function part(name: string, probe: () => string | undefined): Part {
  let looked: { missing: string | undefined } | undefined;
  return {
    name,
    get missing(): string | undefined {
      looked ??= { missing: Deno.build.os === "linux" ? probe() : `not on ${Deno.build.os}` };
      return looked.missing;
    },
  };
}

/** Tells whether all of these parts can be had on this machine, and if not, why. */
export function needs(parts: Part | readonly Part[]): Need {
  const reasons = list(parts).filter((one) => one.missing !== undefined)
    .map((one) => `${one.name}: ${one.missing}`);
  return reasons.length === 0 ? { met: true } : { met: false, reason: reasons.join("; ") };
}

/** Where a program is, undefined when it is nowhere. */
export function findProgram(name: string): string | undefined {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), ...ADMIN_FOLDERS];
  return folders.filter((folder) => folder.startsWith("/")).map((folder) => `${folder}/${name}`).find(
    (path) => {
      try {
        const { isFile, mode } = Deno.statSync(path);
        return isFile && (mode! & 0o111) !== 0;
      } catch {
        return false;
      }
    },
  );
}

/** For probes: which of these programs are missing. */
export function lacking(...programs: string[]): string | undefined {
  const missing = programs.filter((name) => findProgram(name) === undefined);
  return missing.length === 0 ? undefined : `no program ${missing.map((name) => `"${name}"`).join(", ")}`;
}

/** For probes: says so when this is not root. */
export function notRoot(): string | undefined {
  return Deno.uid() === 0 ? undefined : "needs root";
}

/** For probes: says what a command said when it fails. */
export function failing(argv: readonly string[]): string | undefined {
  const program = findProgram(argv[0]!);
  if (program === undefined) return lacking(argv[0]!);
  const { success, stderr } = new Deno.Command(program, { args: argv.slice(1), stdin: "null" }).outputSync();
  return success ? undefined : `"${argv.join(" ")}" fails: ${new TextDecoder().decode(stderr).trim()}`;
}

const told = new Set<string>();

/**
 * Registers a test that needs real parts. Where one is missing it is ignored, with the reason printed once; with
 * `CI=true` in the environment it fails instead.
 */
export function testWith(
  parts: Part | readonly Part[],
  name: string,
  body: () => void | Promise<void>,
  options: PartTestOptions = {},
): void {
  const { met, reason } = needs(parts);
  if (met) {
    Deno.test(name, () => checked(name, body, options));
    return;
  }
  if (Deno.env.get("CI") === "true") {
    Deno.test(name, () => {
      throw new Error(`Cannot run "${name}" with CI=true: ${reason}`);
    });
    return;
  }
  if (!told.has(reason!)) console.error(`Tests are ignored: ${reason}`);
  told.add(reason!);
  Deno.test({ name, ignore: true, fn: () => {} });
}

async function checked(
  name: string,
  body: () => void | Promise<void>,
  options: PartTestOptions,
): Promise<void> {
  const leaks = options.leaks === false ? undefined : new LeakCheck();
  await within(options.limit ?? LIMIT_MS, name, body());
  await leaks?.done();
}

/**
 * One fixture for all tests of a file: started before the first and ended after the last of them, outside of any
 * test, so that the resources it holds are not taken for those of a test. Nothing is started where it is missing.
 */
export function shared<T extends AsyncDisposable>(
  parts: Part | readonly Part[],
  start: () => Promise<T>,
): () => T {
  let fixture: T | undefined;
  if (needs(parts).met) {
    Deno.test.beforeAll(async () => {
      fixture = await within(START_LIMIT_MS, "the start of a part", start());
    });
    Deno.test.afterAll(async () => {
      if (fixture !== undefined) {
        await within(END_LIMIT_MS, "the end of a part", fixture[Symbol.asyncDispose]());
      }
    });
  }
  return () => {
    if (fixture === undefined) throw new Error("Cannot use a shared part outside of a test: not started");
    return fixture;
  };
}

function list(parts: Part | readonly Part[]): readonly Part[] {
  return Array.isArray(parts) ? parts : [parts as Part];
}
