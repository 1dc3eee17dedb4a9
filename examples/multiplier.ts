/** Ships a function with keyword arguments, and lets it answer as long as there are questions. */

import { type Channel, makeGateway } from "../mod.ts";

await using gateway = await makeGateway();

async function multiply(channel: Channel<number, number>, { factor }: { factor: number }): Promise<void> {
  for await (const value of channel) await channel.send(value * factor);
}

const channel = gateway.remoteExec(multiply, { factor: 10 });
for (const value of [1, 2, 3]) {
  await channel.send(value);
  console.log(`${value} × 10 = ${await channel.receive()}`);
}
await channel.closeWrite(); // nothing more from here: the function returns
await channel.waitClose();
