/**
 * Makes three gateways with the spec of the first argument, each busy in its way. Prints `up` when all are; on SIGUSR1
 * ends as the second argument says, where `end` is to reach the end of this file.
 */

import { Group } from "../../../mod.ts";

const [spec, how] = Deno.args as [string, string?];
const WORK = {
  loop: `await channel.send("up"); while (true) {}`,
  wait: `await channel.send("up"); await channel.receive(); await new Promise(() => {})`,
  child: `
    const args = ["-c", "trap '' TERM INT HUP; sleep 1000 & echo up; wait; sleep 1000"];
    const child = new Deno.Command("sh", { args, stdout: "piped" }).spawn();
    await child.stdout.getReader().read();
    await channel.send("up");
    await child.status;
  `,
};
const group = new Group();
const channels = await Promise.all(
  Object.values(WORK).map(async (source) => {
    const channel = (await group.makeGateway(`${spec}//allow-run`)).remoteExec(source);
    await channel.receive();
    return channel;
  }),
);
const told = Promise.withResolvers<void>();
const onSignal = (): void => {
  if (how === "exit") Deno.exit(5);
  if (how === "throw") throw new Error("thrown");
  if (how === "end") return told.resolve();
  Promise.reject(new Error("rejected"));
};
Deno.addSignalListener("SIGUSR1", onSignal);
await Deno.stdout.write(new TextEncoder().encode("up\n"));
if (how === "end") {
  // A timer, because waiting for a signal does not keep a program alive.
  const timer = setInterval(() => {}, 1_000);
  await told.promise;
  clearInterval(timer);
  Deno.removeSignalListener("SIGUSR1", onSignal);
} else {
  await channels[0]!.receive();
}
