/** `worker`: a gateway inside of this program, in Web Workers. */

import { keepaliveOf, workerPermissions, XSpecError } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";
import { agentScript } from "../_agent_bundle.ts";
import { startInside } from "../inside/start.ts";
import type { SpawnedProcess } from "../process/process.ts";

/** What belongs to a process, with what a Worker has instead. */
const NEEDS_PROCESS: readonly (readonly [key: string, why: string])[] = [
  ["deno", "a Worker runs in this program's own Deno"],
  ["chdir", "a Worker shares this program's working directory"],
  ["nice", "a Worker shares this program's priority"],
  ["memory", "Deno has no heap limit for Workers"],
];

/** Throws XSpecError for what only a process can have, and for permissions that no Worker can have. */
export function checkWorkerSpec(spec: XSpec): void {
  const refuse = (key: string, why: string): never => {
    throw new XSpecError(`Cannot make a worker gateway with ${key}: ${why}`, String(spec), key);
  };
  for (const [key, why] of NEEDS_PROCESS) if (spec.get(key) !== undefined) refuse(key, why);
  const [name] = Object.keys(spec.env);
  if (name !== undefined) refuse(`env:${name}`, "a Worker shares this program's environment");
  if (spec.execmodel === "process") {
    refuse("execmodel", "its executions are Workers; use popen for processes");
  }
  workerPermissions(spec.permissions);
}

/** Starts the gateway. */
export function startWorker(spec: XSpec, id: string): SpawnedProcess {
  return startInside({
    role: "agent",
    name: id,
    execmodel: spec.execmodel,
    cwd: Deno.cwd(),
    permissions: spec.permissions,
    keepalive: keepaliveOf(spec),
    deno: [],
    flags: [],
    env: {},
  }, agentScript());
}
