/** Runs a subcommand of Deno that reads modules and writes nothing where they are. */

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

/**
 * Runs `deno <args> <entry>` to its end. It inherits the environment, for Deno's cache, registry and proxy settings,
 * and never asks anything.
 *
 * The user's lock file is obeyed and stays as it is: Deno gets a copy, because a module that only ever runs elsewhere
 * often needs more than the lock file lists. Where no copy can be made, the lock file must list everything.
 *
 * @throws the reason of the signal when that was what ended it
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
  const child = new Deno.Command(denoCommand(), {
    args: [
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
    const { success, stdout, stderr } = await child.output();
    signal.throwIfAborted();
    return { success, stdout, stderr: new TextDecoder().decode(stderr) };
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/** A program made by `deno compile` is its own executable, which cannot bundle. */
function denoCommand(): string {
  return Deno.build.standalone ? "deno" : Deno.execPath();
}
