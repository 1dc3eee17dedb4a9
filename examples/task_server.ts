/** Serves tasks: each worker asks for the next one when it is ready; then the same in a line of Group.map(). */

import { type Channel, Group } from "../mod.ts";

await using group = await Group.create(["popen//id=ann", "popen//id=ben", "popen//id=cleo"]);

const workers = group.remoteExec(async (channel: Channel<number, string>) => {
  await channel.send("ready");
  for await (const task of channel) {
    await new Promise((resolve) => setTimeout(resolve, 50 * Math.random())); // as if it were hard
    await channel.send(`${task}² = ${task ** 2}`);
  }
});

const tasks = [1, 2, 3, 4, 5, 6, 7, 8];
for await (const [worker, answer] of workers.makeReceiveQueue()) {
  if (answer !== "ready") console.log(`${worker.gateway.id}: ${answer}`);
  const task = tasks.shift();
  if (task !== undefined) await worker.send(task);
  else await worker.closeWrite(); // the worker's loop ends, and after the last worker this one
}

for await (const square of group.map((task: number) => task ** 2, [1, 2, 3, 4], { ordered: true })) {
  console.log(`mapped: ${square}`);
}
