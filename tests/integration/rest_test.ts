/** What a process had written before it ended is received, also by a program that is busy meanwhile. */

import { assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import type { Channel, Gateway } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";

const ITEMS = 400;
const ITEM_BYTES = 20_000;

/** Sends, and ends its process as soon as so many bytes have been written to the connection. */
async function sendAndEnd(channel: Channel, { items, bytes, limit }: Record<string, number>): Promise<void> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  const [one, other] = await Promise.all([Deno.connect({ port, hostname: "127.0.0.1" }), listener.accept()]);
  let connections: Deno.Conn = one;
  while (!Object.hasOwn(connections, "write")) connections = Object.getPrototypeOf(connections);
  for (const closed of [one, other, listener]) closed.close();
  await channel.receive();
  // What that has to be told has been.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { write } = connections;
  let written = 0;
  connections.write = async function (chunk): Promise<number> {
    const count = await write.call(this, chunk);
    written += count;
    if (written >= limit!) Deno.exit(7);
    return count;
  };
  const item = new Uint8Array(bytes!);
  for (let i = 0; i < items!; i++) await channel.send(item);
  for (let before = -1; before < written;) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await channel.send(written);
}

/** Receives slowly. Gives how many items there were, and the last one where that says how much was written. */
async function receiveAll(gateway: Gateway, limit: number): Promise<[items: number, written: number]> {
  const channel = gateway.remoteExec(sendAndEnd, { items: ITEMS, bytes: ITEM_BYTES, limit });
  await channel.send(null);
  let items = 0;
  let written = 0;
  try {
    for await (const item of channel) {
      if (typeof item === "number") written = item;
      else items++;
      for (const end = performance.now() + 1; performance.now() < end;);
    }
  } catch (error) {
    assertMatch((error as Error).message, /ended with code 7/);
  }
  return [items, written];
}

test("what a process had written before it ended is received by a program that is busy", async () => {
  await using group = new Group();
  const open = (): Promise<Gateway> =>
    group.makeGateway("popen//execmodel=main//allow-net=127.0.0.1", { stderr: "null" });
  const [, written] = await receiveAll(await open(), Infinity);
  for (let i = 0; i < 8; i++) assertEquals(await receiveAll(await open(), written), [ITEMS, 0]);
}, 60_000);
