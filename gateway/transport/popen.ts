/** `popen`: a Deno process on this machine. */

import type { Facts } from "../../channel/handshake.ts";
import { splitWords } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";
import { agentScript } from "../_agent_bundle.ts";
import { planProcess } from "../process/plan.ts";
import { spawnDeno } from "../process/spawn.ts";
import type { SpawnedProcess } from "../process/process.ts";
import type { TraceTarget } from "../process/trace.ts";

/** Starts the process. Throws what the system says when that is impossible. */
export function spawnPopen(
  spec: XSpec,
  id: string,
  greet: (facts: Facts) => Uint8Array,
  trace?: TraceTarget,
): Promise<SpawnedProcess> {
  const { config, spawn } = planProcess(spec, {
    name: id,
    deno: spec.deno === undefined ? [ownDeno()] : splitWords(spec.deno, "deno", String(spec)),
    cwd: workingFolder(spec.chdir),
    trace,
  });
  return spawnDeno({ ...spawn, agent: agentScript(), hello: greet(config as unknown as Facts) });
}

/** This program's own executable; a compiled program is no Deno that could run something else. */
function ownDeno(): string {
  return Deno.build.standalone ? "deno" : Deno.execPath();
}

/** The absolute path of a working directory, which is made if it is missing. */
function workingFolder(chdir: string | undefined): string {
  if (chdir === undefined) return Deno.cwd();
  Deno.mkdirSync(chdir, { recursive: true });
  return Deno.realPathSync(chdir);
}
