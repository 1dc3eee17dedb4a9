/** `worker`: a gateway inside of this program, in Web Workers. */

import { withEnv, XSpecError } from "../../xspec/mod.ts";
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

/**
 * Starts the gateway.
 *
 * @throws {XSpecError} before anything is started, for what only a process can have
 */
export function startWorker(spec: XSpec, id: string): SpawnedProcess {
  const refuse = (key: string, why: string): never => {
    throw new XSpecError(`Cannot make a worker gateway with ${key}: ${why}`, String(spec), key);
  };
  for (const [key, why] of NEEDS_PROCESS) if (spec.get(key) !== undefined) refuse(key, why);
  const [name] = Object.keys(spec.env);
  if (name !== undefined) refuse(`env:${name}`, "a Worker shares this program's environment");
  if (spec.execmodel === "process") {
    refuse("execmodel", "its executions are Workers; use popen for processes");
  }
  return startInside({
    role: "agent",
    name: id,
    execmodel: spec.execmodel,
    cwd: Deno.cwd(),
    permissions: withEnv(spec.permissions, []),
    keepalive: spec.keepalive ?? 0,
    deno: [],
    flags: [],
    env: {},
  }, agentScript());
}
