/** Keeps a far side busy for ever, and says so. */

import { Group } from "../../../mod.ts";

const group = new Group();
const gateway = await group.makeGateway(Deno.args[0]!, { stderr: "null" });
const channel = gateway.remoteExec("await channel.send(1); while (true);");
await channel.receive();
console.log("busy");
await channel.receive();
