/** Names gateways, finds them in their group, and ends all of them in bounded time. */

import { Group, XSpec } from "../mod.ts";

await using group = new Group();
await group.makeGateway("popen//id=sleeper");

// A spec without an id gets the next one: here, before there is a gateway.
const spec = new XSpec("popen//nice=5");
group.allocateId(spec);
console.log(`"${spec}" is going to be ${spec.id}`);
await group.makeGateway(spec);

group.defaultSpec = "worker"; // what makeGateway() makes from now on
await group.makeGateway();

for (const { id, spec } of group) console.log(`${id}: ${spec}`);
console.log(`${group.size} gateways, is there a "gw7": ${group.has("gw7")}`);

// Ending does not wait for what runs.
group.get("sleeper")!.remoteExec(() => new Promise((resolve) => setTimeout(resolve, 3_600_000)));
const ends = await group.terminate({ timeout: 2_000 });
console.log(`Ended: ${ends.map(({ reason, code }) => `${reason} (code ${code})`).join(", ")}`);
