/** How long a far side may be silent before it is asked for a sign of life. */

import type { GatewayType } from "./_grammar.ts";

/** For ways of connecting that can break without a word. */
const ELSEWHERE_MS = 15_000;

/** The milliseconds that a spec asks for, or else those of its way of connecting; 0 for none. */
export function keepaliveOf(
  spec: { readonly type: GatewayType; readonly keepalive: number | undefined },
): number {
  return spec.keepalive ?? (spec.type === "popen" || spec.type === "worker" ? 0 : ELSEWHERE_MS);
}
