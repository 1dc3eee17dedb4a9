/** What one execution may do to another one of its gateway. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Gateway } from "../../mod.ts";
import { fromInside } from "./inside.ts";
import { PLACES } from "./places.ts";

/** Runs a text and gives what it sends first. It goes on until `end` is called. */
async function begun(
  gateway: Gateway,
  source: string,
): Promise<{ first: unknown; end: () => Promise<void> }> {
  const channel = gateway.remoteExec(`${source}; await channel.receive();`);
  const first = await channel.receive();
  return {
    first,
    end: async () => {
      await channel.send(null);
      await channel.waitClose();
    },
  };
}

/** What a text sends first. */
async function said(gateway: Gateway, source: string): Promise<unknown> {
  const { first, end } = await begun(gateway, source);
  await end();
  return first;
}

fromInside("reaching the globals of another execution", PLACES, async ({ place, gateway }) => {
  const { end } = await begun(
    gateway,
    `globalThis.left = Deno.left = "left";
     Object.defineProperty(Array.prototype, "left", { value: "left", configurable: true });
     await channel.send("up")`,
  );
  const seen = await said(gateway, `channel.send([globalThis.left, Deno.left, [].left].map(String))`);
  assertEquals(seen, Array(3).fill(place.apart ? "undefined" : "left"));
  assertEquals(await said(gateway, "channel.send(typeof channel.gateway.newChannel)"), "function");
  await end();
  if (place.apart) return;
  await said(
    gateway,
    "delete globalThis.left; delete Deno.left; delete Array.prototype.left; channel.send(1)",
  );
});

fromInside("reaching the globals of another call", PLACES, async ({ gateway }) => {
  await gateway.call(() => void Reflect.set(globalThis, "leftByCall", 1));
  assertEquals(await gateway.call(() => Reflect.get(globalThis, "leftByCall")), 1);
  await gateway.call(() => void Reflect.deleteProperty(globalThis, "leftByCall"));
});

fromInside("talking with another execution", PLACES, async ({ place, gateway }) => {
  const listener = gateway.remoteExec(`
    const heard = new BroadcastChannel("execnet-test-${place.name}");
    heard.onmessage = ({ data }) => void channel.send(data);
    const own = new BroadcastChannel("execnet-test-${place.name}");
    await channel.send("listening");
    own.postMessage(await channel.receive());
    await channel.receive();
    heard.close();
    own.close();
  `);
  assertEquals(await listener.receive(), "listening");
  await said(
    gateway,
    `const out = new BroadcastChannel("execnet-test-${place.name}");
     out.postMessage("from another");
     await channel.send(1);
     out.close()`,
  );
  // Its own word comes after whatever came before.
  await listener.send("its own");
  const expected = place.model === "process" ? ["its own"] : ["from another", "its own"];
  for (const word of expected) assertEquals(await listener.receive(), word);
  await listener.send(null);
  await listener.waitClose();
});

fromInside("taking a permission from others", PLACES, async ({ place, open }) => {
  const gateway = await open("allow-read=/tmp");
  const query = `Deno.permissions.querySync({ name: "read", path: "/tmp" }).state`;
  assertEquals(await said(gateway, `channel.send(${query})`), "granted");
  const revoked = `Deno.permissions.revokeSync({ name: "read", path: "/tmp" }); channel.send(${query})`;
  assertEquals(await said(gateway, revoked), "prompt");
  assertEquals(await said(gateway, `channel.send(${query})`), place.apart ? "granted" : "prompt");
  await gateway.terminate();
});
