/** Starts a process whose descriptor 3 is one end of a pair of sockets: the link that needs no permission over there. */

import { linkTransport, stageZeroUrl } from "./link.ts";
import { denoCommand, makeNonce, markedEnv, sendAgent, showsProof } from "./process.ts";
import type { SpawnedProcess, SpawnOptions } from "./process.ts";
import { startProgram } from "./program.ts";

/** Starts a process with such a descriptor. */
export async function spawnWithDescriptor(options: SpawnOptions): Promise<SpawnedProcess> {
  const nonce = makeNonce();
  const url = stageZeroUrl({
    kind: "descriptor",
    path: "",
    folder: "",
    revoke: [],
    nonce,
    bypass: false,
    worker: options.spareWorker,
    trace: options.stageTrace,
  });
  const program = await startProgram(denoCommand(options, options.permissions, url), {
    nice: options.nice,
    mark: options.mark,
    link: "descriptor",
    env: markedEnv(options),
    cwd: options.cwd,
    print: options.print,
  });
  const { link } = program;
  const connected = (async () => {
    if (!await showsProof(link, nonce)) {
      throw new Deno.errors.InvalidData("The process ended before it connected, or did not prove itself");
    }
    await sendAgent(link, options);
    return linkTransport(link);
  })();
  connected.catch(() => {});
  return Object.assign(program, { connected });
}
