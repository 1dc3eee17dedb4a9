/** Has a start behind a hop fail, and one that it waits for die; then it has nothing more to do, though the hop goes on. */

import { Group } from "../../../mod.ts";

const group = await Group.create(["popen//id=hop//allow-run", "popen//via=hop//id=far"], { stderr: "null" });
const far = group.get("far")!;
const waits = far.remoteExec("await new Promise(() => {})").receive().catch(({ name }) => name);
Deno.kill((await far.remoteInfo()).pid, "SIGKILL");
const spec = "popen//via=hop//deno=sh -c 'sleep 100' --";
const failed = group.makeGateway(spec, { stderr: "null", connectTimeout: 300 }).catch(({ kind }) => kind);
const ends = await Promise.all([waits, failed]);
if (await group.get("hop")!.call(() => 1) === 1) console.log(ends.join());
