/** What remote code may do with the open descriptors of its process, which needs no permission. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { end, startFile } from "../integration/program.ts";
import { alone, fromInside } from "./inside.ts";
import { OUTSIDE } from "./places.ts";
import { WRITE_TO_ALL } from "./programs/write_to_all.ts";

fromInside("writing to the descriptors of its process", OUTSIDE, async ({ place, open }) => {
  const gateway = await open();
  const neighbour = gateway.remoteExec(`for await (const item of channel) await channel.send([item]);`);
  await neighbour.send(1);
  assertEquals(await neighbour.receive(), [1]);
  const vandal = gateway.remoteExec(WRITE_TO_ALL);
  assertEquals(await vandal.receive(), "about to");
  await vandal.send(null);
  const reason = await vandal.waitClose().then(() => undefined, (error: Error) => error);
  if (place.model === "process") {
    // The process is its own: nothing else ends with it.
    await neighbour.send(2);
    assertEquals(await neighbour.receive(), [2]);
    assertEquals(await gateway.call((n: number) => n + 1, 1), 2);
    await neighbour.closeWrite();
    assertEquals((await gateway.terminate()).reason, "requested");
    return;
  }
  const exit = await gateway.closed;
  assert(reason instanceof Error);
  assertMatch(exit.reason, /ProtocolError/);
});

alone("writing to the descriptors of the program, from a worker gateway", async () => {
  const path = new URL("./programs/inside_descriptors.ts", import.meta.url).pathname;
  const program = startFile(path, [], ["-A", "--unstable-worker-options"]);
  const { code } = await end(program, 30_000);
  // There is no wall: what the program holds is in reach, the connections of its other gateways, too, and what Deno itself
  // works with, so that it may crash.
  const { text } = program.stdout;
  assert(
    code !== 0 || /^popen closed: /m.test(text),
    `code ${code}: ${text.replace(/[^\x20-\x7e\n]+/g, "")}`,
  );
});
