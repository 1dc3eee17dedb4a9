/** Ships a module that runs by itself, with the global `channel`, which it declares, so that editors know its type. */

import { makeGateway } from "../mod.ts";
import type { Lines } from "./jobs/lines.ts";

await using gateway = await makeGateway("popen//allow-read=.");

const job = new URL("./jobs/lines.ts", import.meta.url);
const channel = gateway.remoteExec<(channel: Lines) => void>(job);

for (const path of ["LICENSE", "mod.ts"]) await channel.send(path);
await channel.closeWrite();

for await (const { path, lines } of channel) console.log(`${path} has ${lines} lines`);
