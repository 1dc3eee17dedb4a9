/** What the greeting of a caller tells an agent. */

import type { Permissions } from "../../xspec/mod.ts";
import type { BypassPlace } from "./link.ts";
import type { TraceTarget } from "./trace.ts";

/** What an agent is told by whoever started it. */
export interface AgentConfig {
  role: "agent";
  /** The gateway's id. */
  name: string;
  execmodel: "worker" | "main" | "process";
  /** The working directory, which the agent may not be allowed to ask for. */
  cwd: string;
  /** Milliseconds after which a silent caller is asked for a sign of life; 0 never. */
  keepalive: number;
  /** What executions may do. */
  permissions: Permissions;
  /** For processes of executions: the Deno command, further flags, and the environment they may read. */
  deno: string[];
  flags: string[];
  env: Record<string, string>;
  /** Where the agent and the processes of executions trace to; they do not without it. */
  trace?: TraceTarget;
}

/** What the first lines of a process hand to the agent. */
export interface AgentStart {
  /** The agent's own text, for those that it starts. */
  script: Uint8Array<ArrayBuffer>;
  /** A Worker that runs that text already. */
  spare?: Worker | undefined;
  /** A folder that goes with the process, or nothing. */
  folder: string;
  /** Where the caller takes links of executions, if it does. */
  bypass?: BypassPlace | undefined;
  /** The process's trace file, where there is one. */
  trace?: Deno.FsFile | undefined;
}
