/** Redirects the console of remote code into a channel, and reads it here as a file, line by line. */

import { type Channel, makeGateway } from "../mod.ts";

await using gateway = await makeGateway();

const channel = gateway.remoteExec(async (channel: Channel<never, string>) => {
  const file = channel.makeFile("w");
  console.log = (...data) => void file.write(`${data.join(" ")}\n`);

  // What follows knows nothing of channels.
  console.log("Hello from", "the other side");
  for (let i = 3; i > 0; i--) console.log(`${i} …`);
  console.log("One write,\ntwo lines");
  await file.flush();
});

for await (const line of channel.makeFile("r")) console.log(`${gateway.id} | ${line.trimEnd()}`);
