/** What a spec means for a process on the machine where it is started: its start, and what its agent is told. */

import { keepaliveOf, runFlags, withEnv } from "../../xspec/mod.ts";
import type { Permissions, XSpec } from "../../xspec/mod.ts";
import type { AgentConfig } from "./config.ts";
import { makeNonce } from "./process.ts";
import type { SpawnOptions } from "./process.ts";
import type { TraceTarget } from "./trace.ts";

/** What a spec does not say by itself. */
export interface PlanOptions {
  /** The gateway's id. */
  name: string;
  /** The Deno command, in words. */
  deno: string[];
  /** The working directory, absolute. */
  cwd: string;
  /** What executions may do, where that is not what the spec says. */
  permissions?: Permissions;
  /** The heap limit in bytes, where that is not what the spec says. */
  memory?: number | undefined;
  /** Where the processes trace to. */
  trace?: TraceTarget | undefined;
}

/** A process that is to be started. */
export interface ProcessPlan {
  /** What its agent is told by the greeting. */
  config: AgentConfig;
  /** How it is started. */
  spawn: Omit<SpawnOptions, "agent" | "hello">;
}

/** An agent that starts processes runs no code of its users; this is what starting takes, and telling the host name. */
function starterPermissions({ all, allow }: Permissions): Permissions {
  const sys = all || allow.sys !== undefined ? { sys: allow.sys ?? true } : {};
  return {
    all: false,
    allow: { run: true, read: true, write: true, net: true, env: true, ...sys },
    deny: {},
  };
}

/** Whether remote code can start processes, which may then leave the group of their starter. */
function mayStart({ all, allow }: Permissions): boolean {
  return all || allow.run !== undefined || allow.ffi !== undefined;
}

/** Plans a process for a spec. */
export function planProcess(spec: XSpec, options: PlanOptions): ProcessPlan {
  const { name, deno, cwd, trace, memory = spec.memory } = options;
  const { env, execmodel } = spec;
  const permissions = withEnv(options.permissions ?? spec.permissions, Object.keys(env));
  const flags = runFlags({ permissions, env, memory }).filter((flag) => flag.startsWith("--v8-flags"));
  const keepalive = keepaliveOf(spec);
  return {
    config: {
      role: "agent",
      name,
      execmodel,
      cwd,
      permissions,
      keepalive,
      deno,
      flags,
      env,
      ...(trace === undefined ? {} : { trace }),
    },
    spawn: {
      deno,
      permissions: execmodel === "process" ? starterPermissions(permissions) : permissions,
      flags,
      env,
      cwd,
      nice: spec.nice,
      mark: mayStart(permissions) ? makeNonce() : undefined,
      spareWorker: execmodel === "worker",
      keepFolder: execmodel === "process",
      print: "piped",
      trace,
    },
  };
}
