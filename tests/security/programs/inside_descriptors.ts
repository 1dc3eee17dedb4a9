/** Lets remote code of a worker gateway write to all descriptors of this program, and tells what became of a process gateway. */

import { Group } from "../../../mod.ts";
import { WRITE_TO_ALL } from "./write_to_all.ts";

const group = new Group();
const inside = await group.makeGateway("worker", { stderr: "null" });
const outside = await group.makeGateway("popen//execmodel=main", { stderr: "null" });
const vandal = inside.remoteExec(WRITE_TO_ALL);
await vandal.receive();
await vandal.send(null);
await vandal.waitClose({ timeout: 3_000 }).catch(() => {});
const call = outside.call((n: number) => n + 1, 1).then(() => "works", (error) => `closed: ${error.message}`);
// What was written to all descriptors may stand before it.
console.log(`\npopen ${await call}`);
Deno.exit(0);
