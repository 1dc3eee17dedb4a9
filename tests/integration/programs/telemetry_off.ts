/** Executes a text and calls a function on a gateway, and prints what comes back, and the function's text. */

import { makeGateway } from "../../../mod.ts";

await using gateway = await makeGateway("popen//execmodel=main");
const channel = gateway.remoteExec("await channel.send(1)", { name: "one" });
console.log(await channel.receive());
await channel.waitClose();
const twice = (n: number): number => 2 * n;
console.log(await gateway.call(twice, 21));
// As it is sent.
console.log(String(twice));
