/** Starts a gateway, asks it for something, and ends. */

import { Group } from "../../../mod.ts";

await using group = new Group();
const gateway = await group.makeGateway(Deno.args[0]!, { stderr: "null", connectTimeout: 60_000 });
console.log(await gateway.call((x: number) => x + 1, 41));
