/** Runs a subcommand of Deno that reads modules and writes nothing where they are. */

import { FIND_AND_RUN } from "../../xspec/mod.ts";
import type { Project } from "./_project.ts";
import { readIfThere } from "./_fingerprint.ts";

/** What a subcommand works on, and until when. */
export interface DenoTask {
  /** The module, as a URL. */
  readonly entry: URL;
  /** Where Deno looks for its configuration, and what relative paths in its output are relative to. */
  readonly folder: URL | undefined;
  readonly project: Project;
  /** Kills it. */
  readonly signal: AbortSignal;
}

/** How it ended. */
export interface DenoOutput {
  success: boolean;
  stdout: Uint8Array<ArrayBuffer>;
  stderr: string;
}

/** A program made by `deno compile`, which has no Deno inside that could bundle, found none on this machine. */
export class NoDeno extends Error {}

/** How a shell ends that does not find what it is to become. */
const NOT_FOUND_CODE = 127;

/**
 * Runs `deno <args> <entry>` to its end. It inherits the environment, for Deno's cache, registry and proxy settings,
 * and never asks anything.
 *
 * The user's lock file is obeyed and stays as it is: Deno gets a copy, because a module that only ever runs elsewhere
 * often needs more than the lock file lists. Where no copy can be made, the lock file must list everything.
 *
 * @throws the reason of the signal when that was what ended it
 * @throws {NoDeno} when there is none
 */
export async function runDeno(args: readonly string[], task: DenoTask): Promise<DenoOutput> {
  const lock = task.project.lock === undefined ? undefined : await readIfThere(task.project.lock);
  if (lock === undefined) return await run([...args, "--no-lock"], task);
  const copy = await Deno.makeTempDir({ prefix: "execnet-lock-" }).catch(() => undefined);
  if (copy === undefined) return await run([...args, "--frozen"], task);
  try {
    await Deno.writeFile(`${copy}/deno.lock`, lock);
    return await run([...args, `--lock=${copy}/deno.lock`], task);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

async function run(
  args: readonly string[],
  { entry, folder, project, signal }: DenoTask,
): Promise<DenoOutput> {
  signal.throwIfAborted();
  const [subcommand, ...rest] = args;
  const [program, ...words] = denoCommand();
  const child = new Deno.Command(program!, {
    args: [
      ...words,
      subcommand!,
      "--quiet",
      // The module is the caller's own, and code that is fetched here is not run here.
      "--allow-import",
      "--unstable-raw-imports",
      ...(project.makesNodeModules ? ["--node-modules-dir=none"] : []),
      ...rest,
      entry.href,
    ],
    ...(folder === undefined ? {} : { cwd: folder }),
    env: { NO_COLOR: "1", DENO_NO_PROMPT: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // esbuild, which `deno bundle` starts, ends by itself when its stdin does.
  const kill = (): void => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  try {
    const { success, code, stdout, stderr } = await child.output();
    signal.throwIfAborted();
    if (Deno.build.standalone && code === NOT_FOUND_CODE) {
      throw new NoDeno(new TextDecoder().decode(stderr).trim());
    }
    return { success, stdout, stderr: new TextDecoder().decode(stderr) };
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/** The words that start Deno. A program made by `deno compile` is its own executable, so a shell looks for another one. */
function denoCommand(): string[] {
  if (!Deno.build.standalone) return [Deno.execPath()];
  return ["/bin/sh", "-c", FIND_AND_RUN, "sh", "deno"];
}
