/** Compares the working directories of gateways: the first thing that one asks a process. */

import { Group } from "../mod.ts";

await using group = await Group.create(["popen", "popen", "popen//chdir=/"]);
const [first, second, third] = await Promise.all([...group].map((gateway) => gateway.call(() => Deno.cwd())));

console.log(`gw0 is in ${first}`);
console.log(`gw1 is ${first === second ? "there too" : `in ${second}`}`);
console.log(`gw2 is ${first === third ? "there too" : `in ${third}`}`);
