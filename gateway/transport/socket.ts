/** `socket=host:port`: a process that a server starts, on this machine or another. */

import type { Facts } from "../../channel/handshake.ts";
import { keepaliveOf, XSpecError } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";
import { agentScript } from "../_agent_bundle.ts";
import { agentFlight } from "../process/process.ts";
import type { SpawnedProcess } from "../process/process.ts";
import { planProcess } from "../process/plan.ts";
import type { TraceTarget } from "../process/trace.ts";
import { parseAddress } from "../socket/address.ts";
import type { Installed } from "./installed.ts";
import { dialHere } from "./_socket_dial.ts";
import type { Dial } from "./_socket_dial.ts";
import { SocketProcess } from "./_socket_process.ts";

// Those who look at a connection step by step go the same way.
export { meet, readCertificates, readToken } from "./_socket_connect.ts";
export { type Dial, dialHere, dialThrough, type ServerLink } from "./_socket_dial.ts";

/** Keys of a spec that say how to get to the server, and are none of its business. */
const OWN_KEYS: ReadonlySet<string> = new Set([
  "socket",
  "tls",
  "tls_ca",
  "token_file",
  "installvia",
  "via",
  "id",
  "keepalive",
]);

/** What goes with other ways of connecting, or is the server's to say. */
const REFUSED: readonly (readonly [key: string, why: string])[] = [
  ["deno", "the server runs its own Deno"],
  ["provision", "the server runs its own Deno"],
];

/** Throws XSpecError for what no server does, or no client can. */
export function checkSocketSpec(spec: XSpec): void {
  const refuse = (key: string, why: string): never => {
    throw new XSpecError(`Cannot make a socket gateway with ${key}: ${why}`, String(spec), key);
  };
  if (spec.installvia !== undefined) {
    if (spec.via !== undefined) refuse("via", "a server that is installed is connected to from this program");
    for (const key of ["tls", "tls_ca", "token_file"]) {
      if (spec.get(key) !== undefined) refuse(key, "a server that is installed gets its own");
    }
  }
  for (const [key, why] of REFUSED) if (spec.get(key) !== undefined) refuse(key, why);
  if (spec.tlsCa !== undefined && !spec.tls) refuse("tls_ca", 'it goes with "tls"');
  if (spec.nice !== undefined && spec.nice < 0) refuse("nice", "a server takes 0 to 19");
}

/** What a connection to a server is made for. */
export interface SocketPlan {
  spec: XSpec;
  id: string;
  greet: (facts: Facts) => Uint8Array;
  trace: TraceTarget | undefined;
  /** The server, where it was started for this gateway. */
  installed?: Installed;
  /** Where it is connected from; by default this program. */
  dial?: Dial;
}

/** Starts to connect. What fails is known by `connected`. */
export function spawnSocket(plan: SocketPlan): SpawnedProcess {
  const { spec, id, greet, trace, installed } = plan;
  const dial = installed === undefined ? plan.dial ?? dialHere : dialInstalled(installed);
  const address = installed?.address ?? parseAddress(spec.socket!)!;
  // Files of this machine's are none of the server's.
  const target = trace?.to === "stderr" ? trace : undefined;
  return new SocketProcess({
    address,
    dial,
    tls: installed === undefined ? spec.tls : installed.cert !== undefined,
    given: installed,
    tlsCa: spec.tlsCa,
    tokenFile: spec.tokenFile,
    start: { name: id, spec: specForServer(spec), ...(target === undefined ? {} : { trace: true }) },
    agent: (cwd) => {
      const { config } = planProcess(spec, { name: id, deno: [], cwd, trace: target });
      return agentFlight({ agent: agentScript(), hello: greet(config as unknown as Facts) });
    },
  });
}

/** The way to a server ends with the gateway that has started it. */
function dialInstalled({ lost }: Installed): Dial {
  return async (plan, signal) => Object.assign(await dialHere(plan, signal), { lost, stopped: lost });
}

/** What the server is to start, as a spec of its own machine. */
function specForServer(spec: XSpec): string {
  const parts = String(spec).split("//").filter((part) => !OWN_KEYS.has(part.split("=", 1)[0]!));
  return ["popen", ...parts, `keepalive=${keepaliveOf(spec)}`].join("//");
}
