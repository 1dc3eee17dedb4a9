/** An execution's own link to the caller, past the router. */

import { NUMBER_BYTES } from "../../channel/bypasses.ts";
import { writeUint48 } from "../../channel/frame.ts";
import type { Transport } from "../../channel/transport.ts";
import { linkTransport, NONCE_BYTES } from "../process/link.ts";
import type { BypassPlace } from "../process/link.ts";

/**
 * Connects, proves itself, says which link it is, and gives back the permissions that this took: before this has
 * resolved, no other code may run. Undefined where the caller takes no link, or no further one; then it is done without.
 */
export async function openLink(
  { path, nonce, revoke }: BypassPlace,
  number: number,
): Promise<Transport | undefined> {
  const connection = path === ""
    ? undefined
    : await Deno.connect({ transport: "unix", path }).catch(() => undefined);
  for (const permission of revoke) Deno.permissions.revokeSync(permission as Deno.PermissionDescriptor);
  if (connection === undefined) return undefined;
  const transport = linkTransport(connection);
  try {
    const words = new Uint8Array(NONCE_BYTES + NUMBER_BYTES);
    words.set(Uint8Array.fromHex(nonce));
    writeUint48(words, NONCE_BYTES, number);
    await transport.write(words, true);
    return transport;
  } catch {
    transport.abort();
    return undefined;
  }
}
