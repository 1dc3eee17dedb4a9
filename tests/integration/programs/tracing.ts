/**
 * Makes a gateway with the spec of the first argument, and lets remote code try to get at the trace file of its process,
 * in the folder of the second argument. Prints what came of it, as JSON.
 */

import { Group } from "../../../mod.ts";

const [spec, folder, how] = Deno.args as [string, string, string?];
const group = new Group();
const gateway = await group.makeGateway(spec);
const channel = gateway.remoteExec(`
  const [folder] = await channel.receive();
  const path = folder + "/execnet-debug-" + Deno.pid;
  const attempt = async (action) => {
    try {
      await action();
      return "allowed";
    } catch (error) {
      return error.name;
    }
  };
  // Whoever puts a method of his own in its place would see the file that the agent writes to.
  let seen = 0;
  const { writeSync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.writeSync = function (bytes) { seen++; return writeSync.call(this, bytes); };
  await channel.send("an item");
  await channel.receive();
  await channel.send({
    pid: Deno.pid,
    states: [
      Deno.permissions.querySync({ name: "write", path }).state,
      Deno.permissions.querySync({ name: "write" }).state,
      Deno.permissions.querySync({ name: "read", path }).state,
    ],
    written: await attempt(() => Deno.writeTextFile(path, "x", { append: true })),
    removed: await attempt(() => Deno.remove(path)),
    seen,
  });
`);
await channel.send([folder, "a secret of the program"]);
const item = await channel.receive();
if (how === "crash") Deno.kill(Deno.pid, "SIGKILL");
await channel.send("another secret");
const found = await channel.receive();
const { pid } = await gateway.remoteInfo();
await gateway.terminate();
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({ pid: Deno.pid, far: pid, item, found })));
