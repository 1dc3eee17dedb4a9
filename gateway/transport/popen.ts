/** `popen`: a Deno process on this machine. */

import type { Facts } from "../../channel/handshake.ts";
import { runFlags, splitWords, withEnv } from "../../xspec/mod.ts";
import type { Permissions, XSpec } from "../../xspec/mod.ts";
import { agentScript } from "../_agent_bundle.ts";
import type { AgentConfig } from "../process/config.ts";
import { spawnDeno } from "../process/spawn.ts";
import { makeNonce } from "../process/process.ts";
import type { SpawnedProcess } from "../process/process.ts";
import type { TraceTarget } from "../process/trace.ts";

/** An agent that starts processes runs no code of its users; this is what starting takes, and telling the host name. */
function starterPermissions({ all, allow }: Permissions): Permissions {
  const sys = all || allow.sys !== undefined ? { sys: allow.sys ?? true } : {};
  return {
    all: false,
    allow: { run: true, read: true, write: true, net: true, env: true, ...sys },
    deny: {},
  };
}

/** Starts the process. Throws what the system says when that is impossible. */
export function spawnPopen(
  spec: XSpec,
  id: string,
  greet: (facts: Facts) => Uint8Array,
  trace?: TraceTarget,
): Promise<SpawnedProcess> {
  const deno = spec.deno === undefined ? [ownDeno()] : splitWords(spec.deno, "deno", String(spec));
  const permissions = withEnv(spec.permissions, Object.keys(spec.env));
  const cwd = workingFolder(spec.chdir);
  const flags = runFlags({ permissions: spec.permissions, env: spec.env, memory: spec.memory })
    .filter((flag) => flag.startsWith("--v8-flags"));
  const config: AgentConfig = {
    role: "agent",
    name: id,
    execmodel: spec.execmodel,
    cwd,
    permissions,
    keepalive: spec.keepalive ?? 0,
    deno,
    flags,
    env: spec.env,
    ...(trace === undefined ? {} : { trace }),
  };
  return spawnDeno({
    deno,
    permissions: spec.execmodel === "process" ? starterPermissions(permissions) : permissions,
    flags,
    env: spec.env,
    cwd,
    nice: spec.nice,
    mark: mayStart(permissions) ? makeNonce() : undefined,
    spareWorker: spec.execmodel === "worker",
    keepFolder: spec.execmodel === "process",
    print: "piped",
    trace,
    agent: agentScript(),
    hello: greet(config as unknown as Facts),
  });
}

/** Whether remote code can start processes, which may then leave the group of their starter. */
function mayStart({ all, allow }: Permissions): boolean {
  return all || allow.run !== undefined || allow.ffi !== undefined;
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
