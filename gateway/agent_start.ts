/** What the agent of a process gateway is told and allowed, wherever it is started. */

import { runFlags, withEnv } from "../xspec/mod.ts";
import type { Permissions, XSpec } from "../xspec/mod.ts";
import type { AgentConfig } from "./process/config.ts";
import { makeNonce } from "./process/process.ts";
import type { TraceTarget } from "./process/trace.ts";

/** What only the way of starting knows. */
export interface AgentPlace {
  /** The words of the Deno command with which the agent starts processes; none for the Deno that it runs in. */
  deno: string[];
  /** The working directory, where it is known here. */
  cwd: string;
  /** Where the far side is to trace to. */
  trace: TraceTarget | undefined;
}

/** How an agent is started. */
export interface AgentPlan {
  /** What it is told in the greeting. */
  readonly config: AgentConfig;
  /** What its process may do. */
  readonly permissions: Permissions;
  /** Further flags of `deno run`. */
  readonly flags: string[];
  /** Marks what the process starts. */
  readonly mark: string | undefined;
  /** Whether it will want a Worker at once. */
  readonly spareWorker: boolean;
}

/** Plans the agent of a gateway. */
export function planAgent(spec: XSpec, id: string, { deno, cwd, trace }: AgentPlace): AgentPlan {
  const permissions = withEnv(spec.permissions, Object.keys(spec.env));
  const flags = runFlags({ permissions: spec.permissions, env: spec.env, memory: spec.memory })
    .filter((flag) => flag.startsWith("--v8-flags"));
  return {
    config: {
      role: "agent",
      name: id,
      execmodel: spec.execmodel,
      cwd,
      permissions,
      keepalive: keepaliveOf(spec),
      deno,
      flags,
      env: spec.env,
      ...(trace === undefined ? {} : { trace }),
    },
    permissions: spec.execmodel === "process" ? starterPermissions(permissions) : permissions,
    flags,
    mark: mayStart(permissions) ? makeNonce() : undefined,
    spareWorker: spec.execmodel === "worker",
  };
}

/** Where no word of a far side's end may ever come. */
const KEEPALIVE_MS = 15_000;

/** Milliseconds between signs of life; 0 for none. On this machine the system tells of every end. */
export function keepaliveOf(spec: XSpec): number {
  return spec.keepalive ?? (spec.type === "popen" || spec.type === "worker" ? 0 : KEEPALIVE_MS);
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
