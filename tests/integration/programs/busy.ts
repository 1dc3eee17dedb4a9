/**
 * Makes a gateway with the spec of the first argument and has it do the work of the second. Prints `up` when that is
 * under way; on SIGUSR1 ends as the third argument says, where `end` is to reach the end of this file.
 */

import { Group } from "../../../mod.ts";

const [spec, work, how] = Deno.args as [string, string, string?];
const WORK: Record<string, string> = {
  loop: `await channel.send("up"); while (true) {}`,
  wait: `await channel.send("up"); await channel.receive(); await new Promise(() => {})`,
  child: `
    const args = ["-c", "trap '' TERM INT HUP; sleep 1000 & wait; sleep 1000"];
    const child = new Deno.Command("sh", { args }).spawn();
    await channel.send("up");
    await child.status;
  `,
};
const gateway = await new Group().makeGateway(`${spec}//allow-run`);
const channel = gateway.remoteExec(WORK[work]!);
await channel.receive();
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
  await channel.receive();
}
