/** `popen`: a Deno process on this machine. */

import type { Facts } from "../../channel/handshake.ts";
import { FIND_AND_RUN, splitWords } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";
import { agentScript } from "../_agent_bundle.ts";
import { ConnectProblem } from "../errors.ts";
import { ownDeno } from "../process/own_deno.ts";
import { planProcess } from "../process/plan.ts";
import { isOlder, oldestLocalDeno } from "../process/versions.ts";
import { spawnDeno } from "../process/spawn.ts";
import type { Diagnosis } from "../launcher.ts";
import type { ProcessEnd, SpawnedProcess } from "../process/process.ts";
import type { TraceTarget } from "../process/trace.ts";

/** Starts the process. Throws what the system says when that is impossible. */
export function spawnPopen(
  spec: XSpec,
  id: string,
  greet: (facts: Facts) => Uint8Array,
  trace?: TraceTarget,
): Promise<SpawnedProcess> {
  const cwd = workingFolder(spec.chdir);
  if (cwd instanceof ConnectProblem) return Promise.reject(cwd);
  const { config, spawn } = planProcess(spec, { name: id, deno: denoWords(spec), cwd, trace });
  return spawnDeno({
    ...spawn,
    // A trace shows what passes the router.
    bypass: spec.execmodel !== "main" && trace === undefined,
    agent: agentScript(),
    hello: greet(config as unknown as Facts),
  });
}

/** Whether a process ended because its Deno, another one than this program's, is too old. It is asked. */
export async function diagnoseOwn(
  spec: XSpec,
  end: ProcessEnd,
  signal: AbortSignal,
): Promise<Diagnosis | undefined> {
  if (spec.deno === undefined && !Deno.build.standalone || end.code !== 1) return undefined;
  const words = denoWords(spec);
  try {
    const args = ["-c", FIND_AND_RUN, "sh", ...words, "--version"];
    const command = new Deno.Command("/bin/sh", { args, stderr: "null", signal });
    const version = /^deno (\d+)\.(\d+)\./.exec(new TextDecoder().decode((await command.output()).stdout));
    if (version === null) return undefined;
    const found = [Number(version[1]), Number(version[2])] as const;
    const oldest = oldestLocalDeno();
    if (!isOlder(found, oldest)) return undefined;
    return { kind: "version", state: `its Deno is ${found.join(".")}, and ${oldest.join(".")} is needed` };
  } catch {
    return undefined;
  }
}

/** The Deno command, in words. */
function denoWords(spec: XSpec): string[] {
  return spec.deno === undefined ? [ownDeno()] : splitWords(spec.deno, "deno", String(spec));
}

/** The absolute path of a working directory, which is made if it is missing, or why it cannot be. */
function workingFolder(chdir: string | undefined): string | ConnectProblem {
  if (chdir === undefined) return Deno.cwd();
  try {
    Deno.mkdirSync(chdir, { recursive: true });
    return Deno.realPathSync(chdir);
  } catch (cause) {
    // What this program itself may not do is another matter.
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    return new ConnectProblem("exit", `its folder "${chdir}" cannot be made: ${(cause as Error).message}`, {
      cause,
    });
  }
}
