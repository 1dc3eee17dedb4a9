/** Receives two results: both together with receiveEach(), then each as soon as it is there from a receive queue. */

import { type Channel, Group, MultiChannel } from "../mod.ts";

await using group = await Group.create(["popen//id=tortoise", "popen//id=hare"]);

async function run(channel: Channel<never, string>, { seconds }: { seconds: number }): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  await channel.send(`here after ${seconds} s`);
}

function race(): MultiChannel<Channel<string>> {
  return new MultiChannel([
    group.get("tortoise")!.remoteExec(run, { seconds: 1 }),
    group.get("hare")!.remoteExec(run, { seconds: 0.1 }),
  ]);
}

console.log("Both, in the order of the channels:", await race().receiveEach());

for await (const [channel, result] of race().makeReceiveQueue()) {
  console.log(`${channel.gateway.id}: ${result}`);
}
