/** Which gateways others may be started from. */

import { shownSpec, XSpecError } from "../xspec/mod.ts";
import type { XSpec } from "../xspec/mod.ts";

/**
 * Checks the keys `via` and `installvia` of specs that are to be made together, before anything is started.
 *
 * @param there the specs of gateways that are there or on their way, by their ids
 * @throws {XSpecError} where a hop is missing, hangs on itself, or may not start processes
 */
export function checkHops(specs: readonly XSpec[], there: ReadonlyMap<string, XSpec>): void {
  const all = new Map(there);
  for (const spec of specs) if (spec.id !== undefined) all.set(spec.id, spec);
  for (const spec of specs) {
    const passed = new Set<XSpec>([spec]);
    let at = spec;
    for (let id = hopOf(at); id !== undefined; id = hopOf(at)) {
      const hop = all.get(id);
      if (hop === undefined) refuse(at, `there is no gateway "${id}" to start it from`);
      if (!mayStart(hop)) refuse(at, `gateway "${id}" may not start processes: add allow-run to its spec`);
      if (passed.has(hop)) refuse(at, `gateway "${id}" would have to be started from itself`);
      passed.add(hop);
      at = hop;
    }
  }
}

/** The id of the gateway that a gateway, or the server that it connects to, is started from. */
export function hopOf({ via, installvia }: XSpec): string | undefined {
  return via ?? installvia;
}

/** Lists are left to Deno over there: they may name programs by their paths. */
function mayStart({ permissions: { all, allow, deny } }: XSpec): boolean {
  return (all || allow.run !== undefined) && deny.run !== true;
}

function refuse(spec: XSpec, why: string): never {
  throw new XSpecError(
    `Cannot make a gateway of "${shownSpec(spec)}": ${why}`,
    String(spec),
    spec.via === undefined ? "installvia" : "via",
  );
}
