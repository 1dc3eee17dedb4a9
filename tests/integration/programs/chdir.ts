/** Makes a gateway with the spec of the first argument from within the folder of the second; leaves that folder before it asks where the gateway is. */

import { Group } from "../../../mod.ts";

const [spec, folder] = Deno.args as [string, string];
const before = Deno.cwd();
Deno.chdir(folder);
await using group = new Group();
const starting = group.makeGateway(spec);
Deno.chdir(before);
const gateway = await starting;
const cwd = await gateway.remoteExec(`channel.send(Deno.cwd())`).receive();
const { cwd: told } = await gateway.remoteInfo();
Deno.stdout.writeSync(new TextEncoder().encode(`${cwd} ${told === cwd ? "here" : told}\n`));
