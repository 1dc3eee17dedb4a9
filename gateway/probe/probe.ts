/** Examines the way of a spec up to where its process would be started. */

import { shownSpec } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";
import { Gateway } from "../gateway.ts";
import { checkHops } from "../hops.ts";
import { checkSpec } from "../launch.ts";
import type { Step } from "./finding.ts";
import type { Limit } from "./limit.ts";
import { findingOf, placeOf } from "./place.ts";
import type { Place, Probed } from "./place.ts";
import { hasContainer, probeCommand, probePopen } from "./program.ts";
import { probeServer } from "./server.ts";
import { probeSlurm } from "./slurm.ts";
import { probeSsh } from "./ssh.ts";
import { probeWorker } from "./worker.ts";

/** The steps before the process is started, as far as the spec alone tells. */
export function stepsOf({ type, tls, via, installvia }: XSpec): readonly Step[] {
  switch (type) {
    case "worker":
      return ["flag"];
    case "ssh":
      return ["config", "name", "port", "host key", "login", "shell", "deno"];
    case "socket":
      if (installvia !== undefined) return [];
      return [
        ...(via === undefined ? ["name" as const] : []),
        "port",
        ...(tls ? ["tls" as const] : []),
        "token",
        "proof",
      ];
    case "slurm":
      return ["program", "controller", "allocation"];
    case "popen":
      return ["shell", "deno"];
    default:
      return ["program", ...(hasContainer(type) ? ["container" as const] : []), "shell", "deno"];
  }
}

/** Throws XSpecError for what makes no sense, before anything is tried. */
export function checkSpecs(specs: readonly XSpec[]): void {
  for (const spec of specs) checkSpec(spec);
  checkHops(specs, new Map());
}

/** The spec for messages, which anybody may read. */
export function shown(spec: XSpec): string {
  return shownSpec(spec);
}

/**
 * Walks the steps, up to the first that fails. Each is tried with what gateways use themselves; nothing is left running.
 *
 * @param hop the gateway that it is to be started from
 */
export async function* probe(spec: XSpec, hop: Gateway | undefined, limit: Limit): AsyncGenerator<Probed> {
  const place = placeOf(spec, hop === undefined ? undefined : Gateway.asHop(hop), limit);
  const left = [...stepsOf(spec)];
  try {
    for await (const probed of walk(place)) {
      const at = left.indexOf(probed[0]);
      if (at >= 0) left.splice(0, at + 1);
      yield probed;
    }
  } catch (error) {
    limit.signal.throwIfAborted();
    yield [left[0] ?? "shell", findingOf(error, place)];
  }
}

function walk(place: Place): AsyncGenerator<Probed> {
  const { type, installvia } = place.spec;
  switch (type) {
    case "worker":
      return probeWorker(place);
    case "ssh":
      return probeSsh(place);
    case "socket":
      return installvia === undefined ? probeServer(place) : nothing();
    case "slurm":
      return probeSlurm(place);
    case "popen":
      return probePopen(place);
    default:
      return probeCommand(place);
  }
}

/** What is installed first leads nowhere before that. */
async function* nothing(): AsyncGenerator<Probed> {}
