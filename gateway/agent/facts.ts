/** What a gateway says of itself: at its greeting, and when it is asked. */

import type { Facts } from "../../channel/handshake.ts";
import { permissionFlags } from "../../xspec/mod.ts";
import type { AgentConfig } from "../process/config.ts";
import { isGranted } from "../process/granted.ts";
import { ownDeno } from "../process/own_deno.ts";
import type { RouterCounts } from "./router.ts";

/** Answers requests, given the counts that only a router or a host knows; with null where it does not know the kind. */
export type Answer = (kind: string, counts: RouterCounts) => unknown;

/** Makes what answers the requests to a gateway. */
export function answers(config: AgentConfig): Answer {
  const started = performance.now();
  return (kind, counts) => {
    if (kind === "info") return describe(config);
    if (kind !== "status") return null;
    return {
      ...counts,
      execmodel: config.execmodel,
      rss: Deno.memoryUsage().rss,
      uptime: performance.now() - started,
    };
  };
}

/** What an agent says of itself. */
export function describe(config: AgentConfig): Facts {
  const { permissions, env = {} } = config;
  const facts: Facts = {
    pid: Deno.pid,
    cwd: isGranted({ name: "read", path: config.cwd }) ? Deno.cwd() : config.cwd,
    os: Deno.build.os,
    arch: Deno.build.arch,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    typescript: Deno.version.typescript,
    cpus: navigator.hardwareConcurrency,
    // What a local gateway that is started from this one runs, too.
    executable: ownDeno(),
    permissions: permissionFlags(permissions, Object.keys(env))
      .filter((flag) => /^--(allow|deny)-/.test(flag)).map((flag) => flag.slice(2)),
  };
  if (maySayHostname(config) && isGranted({ name: "sys", kind: "hostname" })) {
    facts.hostname = Deno.hostname();
  }
  return facts;
}

/** The agent itself may hold more than its executions: one that starts processes, or one inside of its caller. */
function maySayHostname({ permissions: { all, allow, deny } }: AgentConfig): boolean {
  const holds = (list: true | readonly string[] | undefined): boolean =>
    list === true || (list?.includes("hostname") ?? false);
  return (all || holds(allow.sys)) && !holds(deny.sys);
}
