/** `popen//via=`: a Deno on the machine of a gateway that takes its link by a Unix socket. */

import { encodeHello } from "../../channel/handshake.ts";
import type { Facts } from "../../channel/handshake.ts";
import { keepaliveOf } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";
import { agentScript } from "../_agent_bundle.ts";
import type { Launcher } from "../launcher.ts";
import { guardScript, shellWords } from "../process/guard.ts";
import { connectGrant, linkTransport, stageZeroUrl } from "../process/link.ts";
import { planProcess } from "../process/plan.ts";
import { agentFlight, denoCommand, makeNonce, markedEnv } from "../process/process.ts";
import type { SpawnedProcess } from "../process/process.ts";
import { overflowing } from "../shell/overflow.ts";
import { startThrough } from "./via.ts";
import type { Door, Hop } from "./via.ts";

/**
 * Starts what `byShell` would start, but with a link by the door of the hop. What a shell has to prepare, and
 * another Deno than that of the hop, which may be too old for it, is left to `byShell`.
 */
export function throughDoor(byShell: Launcher, hop: Hop, spec: XSpec, id: string): Launcher {
  const { door } = hop;
  if (door === undefined || spec.chdir !== undefined || spec.deno !== undefined || spec.provision) {
    return byShell;
  }
  const start = starting(hop, door, spec, id);
  return start === undefined ? byShell : {
    start,
    diagnose: (end, output, signal) => byShell.diagnose(end, output, signal),
    repeats: false,
    printsApart: true,
    get address() {
      return byShell.address;
    },
    permissionHint: byShell.permissionHint,
  };
}

/** Undefined where what the spec denies stands in the way. */
function starting(hop: Hop, { path, cwd }: Door, spec: XSpec, id: string): Launcher["start"] | undefined {
  const { config, spawn } = planProcess(spec, { name: id, deno: [], cwd });
  const grant = connectGrant(spawn.permissions, path, cwd);
  if (grant === undefined) return undefined;
  return async (signal): Promise<SpawnedProcess> => {
    const nonce = makeNonce();
    const { revoke, permissions } = grant;
    const worker = spawn.spareWorker;
    const bypass = spec.execmodel === "worker";
    const url = stageZeroUrl({ kind: "socket", path, folder: "", revoke, nonce, bypass, worker });
    const deno = [hop.executable ?? "deno"];
    const script = guardScript(denoCommand({ ...spawn, deno }, permissions, url), {
      nice: spawn.nice,
      mark: spawn.mark,
      link: "none",
    });
    const { env, exports } = divided(markedEnv({ ...spawn, agent: NOTHING, hello: NOTHING }));
    const program = await startThrough(hop, ["sh", "-c", exports + script], signal, { nonce, env });
    const transport = linkTransport(program.link);
    const hello = encodeHello(config as unknown as Facts);
    const connected = transport.write(agentFlight({ agent: agentScript(), hello }), false)
      // What does not take all of it has ended, and may have said why.
      .catch(() => {}).then(() => transport);
    const output = overflowing(program.output!, keepaliveOf(spec));
    return Object.assign(program, { connected, output, far: true });
  };
}

const NOTHING = new Uint8Array(0);

/** Deno looks for the shell along the first one, and starts nothing with the others unless it may start anything. */
const FOR_THE_SHELL = /^(?:PATH$|LD_|DYLD_)/;

/**
 * The environment of a process, and the line by which its shell exports what nobody else can set. All users of that machine
 * may read that line for as long as the process runs, so that nothing else is in it.
 */
function divided(
  variables: Readonly<Record<string, string>>,
): { env: Record<string, string>; exports: string } {
  const env = { ...variables };
  let exports = "";
  for (const [name, value] of Object.entries(variables)) {
    if (!FOR_THE_SHELL.test(name)) continue;
    delete env[name];
    exports += `export ${shellWords([`${name}=${value}`])};`;
  }
  return { env, exports };
}
