/** Copies a folder, and prints by how many MiB that made this program and the gateway's grow. Arguments: source, target. */

import { makeGateway, RSync } from "../../../mod.ts";

const [source, dest] = Deno.args as [string, string];

function mebibytes(pid: number, name: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]) / 1024;
}

await using gateway = await makeGateway(`popen//allow-read=${dest}//allow-write=${dest}`);
await gateway.remoteExec("channel.send(1)").receive();
const { pid } = await gateway.remoteInfo();
const pids = [Deno.pid, pid];
const before = pids.map((one) => mebibytes(one, "VmRSS"));
// From now on the highest value counts.
for (const one of pids) Deno.writeTextFileSync(`/proc/${one}/clear_refs`, "5");
const rsync = new RSync(source);
rsync.addTarget(gateway, dest);
const [result] = await rsync.send();
const grown = pids.map((one, i) => Math.round(mebibytes(one, "VmHWM") - before[i]!));
console.log(JSON.stringify({ grown, errors: result!.errors.map(String), sent: result!.bytesSent }));
