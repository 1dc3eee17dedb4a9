/**
 * Makes a gateway with the spec of the first argument, and prints whether remote code may write the trace file of the
 * gateway's own process, in the folder of the second argument, whatever id that file bears.
 */

import { Group } from "../../../mod.ts";

const [spec, folder] = Deno.args as [string, string];
await using group = new Group();
const gateway = await group.makeGateway(spec);
const channel = gateway.remoteExec(`
  const paths = await channel.receive();
  const states = paths.map((path) => Deno.permissions.querySync({ name: "write", path }).state);
  await channel.send([...new Set(states)].join());
`);
await channel.send([...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`));
console.log(await channel.receive());
