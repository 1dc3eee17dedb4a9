/** A program of its own that holds an allocation. */

import { limited, TextTap } from "../helpers/wait.ts";
import type { Slurm } from "../parts/slurm.ts";

const PROGRAM = new URL("./programs/holder.ts", import.meta.url).pathname;

/** A program that runs, with what it has printed. */
export interface Holder {
  process: Deno.ChildProcess;
  stdout: TextTap;
  stderr: TextTap;
}

/** Starts the program `holder.ts`, behind the words of `prefix`. */
export function start(slurm: Slurm, args: string[], prefix: string[] = []): Holder {
  const [program, ...words] = [
    ...prefix,
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-check",
    "-A",
    PROGRAM,
    ...args,
  ];
  const process = new Deno.Command(program!, {
    args: words,
    cwd: slurm.folder,
    env: { ...slurm.env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return { process, stdout: new TextTap(process.stdout), stderr: new TextTap(process.stderr) };
}

/** What it says once its tasks run. */
export async function up(
  { stdout, stderr }: Holder,
): Promise<{ kind: string; job: string; nodes: string[]; pids: number[]; pid: number }> {
  await stdout.has("\n", 20_000).catch((error) => {
    throw new Error(stderr.text, { cause: error });
  });
  const [, kind, job, nodes, pids, pid] = /up (\w+) (\d+) (\S+) (\S+) (\d+)\n/.exec(stdout.text)!;
  return {
    kind: kind!,
    job: job!,
    nodes: nodes!.split(","),
    pids: pids!.split(",").map(Number),
    pid: Number(pid),
  };
}

/** Waits for its end; its exit code. */
export async function end({ process, stdout, stderr }: Holder): Promise<number> {
  const { code } = await limited("the end of the program", process.status, 20_000);
  await Promise.all([stdout.ended, stderr.ended]);
  return code;
}
