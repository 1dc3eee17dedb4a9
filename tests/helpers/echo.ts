/** Numbered pieces to a gateway and back. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Gateway } from "../../mod.ts";
import { checkPiece, piece } from "./pieces.ts";

/** Sends pieces to where they are sent back from, which takes both directions. `seen` is told how many are back. */
export async function echo(gateway: Gateway, count: number, seen: (count: number) => unknown): Promise<void> {
  const channel = gateway.remoteExec<Uint8Array, Uint8Array>(
    "for await (const one of channel) await channel.send(one);",
  );
  const sent = (async (): Promise<void> => {
    for (let i = 0; i < count; i++) await channel.send(piece(i));
    await channel.closeWrite();
  })();
  let back = 0;
  for await (const one of channel) {
    checkPiece(one, back++);
    await seen(back);
  }
  await sent;
  assertEquals(back, count);
}
