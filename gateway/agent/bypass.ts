/** An execution's own link to the caller, past the router. */

import type { Transport } from "../../channel/transport.ts";
import { linkTransport } from "../process/link.ts";
import type { BypassPlace } from "../process/link.ts";

/**
 * Connects, proves itself, and gives back the permissions that this took: before this has resolved, no other code may
 * run. Undefined where the caller cannot be reached any more, or takes no further link; then it is done without.
 */
export async function openLink({ path, nonce, revoke }: BypassPlace): Promise<Transport | undefined> {
  const connection = await Deno.connect({ transport: "unix", path }).catch(() => undefined);
  for (const permission of revoke) Deno.permissions.revokeSync(permission as Deno.PermissionDescriptor);
  if (connection === undefined) return undefined;
  const transport = linkTransport(connection);
  try {
    await transport.write(Uint8Array.fromHex(nonce), true);
    return transport;
  } catch {
    transport.abort();
    return undefined;
  }
}
