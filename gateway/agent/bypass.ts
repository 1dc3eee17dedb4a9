/** An execution's own link to the caller, past the router. */

import type { Transport } from "../../channel/transport.ts";
import { linkTransport, NONCE_BYTES } from "../process/link.ts";
import type { BypassPlace } from "../process/link.ts";

/** A link that the caller has not been told of yet. */
export interface OpenLink {
  readonly transport: Transport;
  /** What it has shown. */
  readonly token: Uint8Array;
}

/**
 * Connects, and gives back the permissions that this took: before this has resolved, no other code may run. Undefined
 * where the caller cannot be reached any more, or takes no further link; then it is done without.
 */
export async function openLink({ path, nonce, revoke }: BypassPlace): Promise<OpenLink | undefined> {
  const connection = await Deno.connect({ transport: "unix", path }).catch(() => undefined);
  for (const permission of revoke) Deno.permissions.revokeSync(permission as Deno.PermissionDescriptor);
  if (connection === undefined) return undefined;
  const transport = linkTransport(connection);
  const token = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const proof = Uint8Array.fromHex(nonce);
  const words = new Uint8Array(proof.length + token.length);
  words.set(proof);
  words.set(token, proof.length);
  try {
    await transport.write(words, true);
  } catch {
    transport.abort();
    return undefined;
  }
  return { transport, token };
}
