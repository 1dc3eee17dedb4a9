/** Ships a module with all that it imports; its types hold here too, mirrored: what it receives is what is sent. */

import { makeGateway } from "../mod.ts";
import type describe from "./jobs/statistics.ts";

await using gateway = await makeGateway();

const job = new URL("./jobs/statistics.ts", import.meta.url);
const channel = gateway.remoteExec<typeof describe>(job, { kwargs: { digits: 2 } });

await channel.send(new Float64Array([1, 2, 3, 4, 100]));
await channel.send(Float64Array.from({ length: 1_000 }, (_, i) => Math.sqrt(i)));
await channel.closeWrite();

for await (const { mean, median, range: [low, high] } of channel) {
  console.log(`mean ${mean}, median ${median}, from ${low} to ${high}`);
}
