/** Programs of their own, with gateways of their own. */

import { limited, TextTap } from "../helpers/wait.ts";

const PROGRAMS = new URL("./programs/", import.meta.url);

/** A program that runs. */
export interface Program {
  process: Deno.ChildProcess;
  stdout: TextTap;
  stderr: TextTap;
}

/** Starts one of the programs of `programs/`; `env` is added to its environment, as that of this one is everybody's. */
export function start(
  name: string,
  args: string[],
  permissions: string[] = ["-A"],
  env: Readonly<Record<string, string>> = {},
): Program {
  return startFile(new URL(name, PROGRAMS).pathname, args, permissions, env);
}

/** Starts a program that lies anywhere. */
export function startFile(
  path: string,
  args: readonly string[],
  permissions: readonly string[] = ["-A"],
  env: Readonly<Record<string, string>> = {},
): Program {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--no-prompt",
      ...permissions,
      path,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { ...env, NO_COLOR: "1" },
  }).spawn();
  return { process, stdout: new TextTap(process.stdout), stderr: new TextTap(process.stderr) };
}

/** Waits for its end, for so long and no longer. */
export async function end(program: Program, ms = 15_000): Promise<Deno.CommandStatus> {
  const status = await limited("the end of the program", program.process.status, ms).catch(async (error) => {
    program.process.kill("SIGKILL");
    await program.process.status;
    throw error;
  });
  await Promise.all([program.stdout.ended, program.stderr.ended]);
  return status;
}
