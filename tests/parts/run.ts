/** Runs the short commands that fixtures are made with. */

import { findProgram } from "./need.ts";

/** How a command is run. */
export interface RunOptions {
  /** Added to the environment. */
  env?: Record<string, string>;
  /** Text for its standard input. */
  input?: string;
  /** Milliseconds until it is killed; by default 60 000. */
  limit?: number;
  /** The working directory; by default this program's own. */
  cwd?: string;
  /** Whether a failure is given back instead of thrown; by default false. */
  mayFail?: boolean;
}

/** What a command gave. */
export interface Ran {
  /** Its exit code. */
  readonly code: number;
  /** What it wrote to stdout. */
  readonly stdout: string;
  /** What it wrote to stderr. */
  readonly stderr: string;
}

const LIMIT_MS = 60_000;

/** So that what is started is not taken for something that a test has left behind. */
export const NO_TEST_MARK: Readonly<Record<string, string>> = { EXECNET_TEST_RUN: "" };

/** In the environment of all that a part starts, with the part's folder as its value, so that it is found. */
export const PART_MARK = "EXECNET_TEST_PART";

/** Runs a command to its end. Throws with what it said when it fails, unless that is allowed. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = new Deno.Command(findProgram(argv[0]!) ?? argv[0]!, {
    args: argv.slice(1),
    env: { ...NO_TEST_MARK, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, options.limit ?? LIMIT_MS);
  try {
    const output = child.output();
    if (options.input !== undefined) {
      const stdin = child.stdin.getWriter();
      await stdin.write(new TextEncoder().encode(options.input)).catch(() => {});
      await stdin.close().catch(() => {});
    }
    const { code, stdout, stderr } = await output;
    const decoder = new TextDecoder();
    const ran = { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    if (late) throw new Error(`Cannot finish "${argv.join(" ")}" in time: ${ran.stderr.trim()}`);
    if (code !== 0 && options.mayFail !== true) {
      throw new Error(`Cannot run "${argv.join(" ")}": exit code ${code}, ${ran.stderr.trim()}`);
    }
    return ran;
  } finally {
    clearTimeout(timer);
  }
}
