/** What a program made by `deno compile` does with gateways, one line for each thing; arguments are specs. */

import { Group, makeGateway } from "../../../mod.ts";

const told = (error: Error): string => `${error.name}: ${error.message}`;

console.log(`standalone=${Deno.build.standalone}`);
for (const spec of Deno.args) {
  try {
    await using group = new Group();
    const gateway = await group.makeGateway(spec);
    const results: unknown[] = [await gateway.call((n: number) => n + 1, 41)];
    results.push(
      await gateway.remoteExec(`const text: string = "text"; await channel.send(text);`).receive(),
    );
    const job = gateway.remoteExec<number, unknown>(new URL("../modules/job.ts", import.meta.url), {
      times: 3,
    }, {});
    await job.send(5);
    results.push(await job.receive());
    for await (const length of group.map((word: string) => word.length, ["four"])) results.push(length);
    console.log(`${gateway.spec.type}: ${results.join(" ")}`);
  } catch (error) {
    console.log(told(error as Error));
  }
}
await using gateway = await makeGateway("worker//allow-all");
const inside = new URL("file:///compiled-into-the-program/job.ts");
await gateway.remoteExec(inside).receive().catch((error) => console.log(told(error)));
