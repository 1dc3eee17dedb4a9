/**
 * A program that imports the package by URL; see url_test.ts. The first argument is a folder to copy to, the others are
 * specs: the last of those joined by " + " is what is tried, and is started behind the others. Prints one line for each.
 */

import { Group, RSync } from "../../../mod.ts";
import type { RemoteError } from "../../../mod.ts";
import type job from "./job.ts";

const [folder, ...tried] = Deno.args as [string, ...string[]];
await Deno.mkdir(`${folder}/source`);
await Deno.writeTextFile(`${folder}/source/file`, "content");

for (const [i, specs] of tried.entries()) {
  await using group = new Group();
  const dest = `${folder}/copy${i}`;
  const [last, ...hops] = specs.split(" + ").reverse();
  for (const hop of hops.reverse()) await group.makeGateway(hop);
  const gateway = await group.makeGateway(`${last}//allow-read=${dest}//allow-write=${dest}`);
  const results: unknown[] = [await gateway.call((a: number, b: number) => a + b, 40, 2)];

  results.push(await gateway.remoteExec(`const text: string = "text"; await channel.send(text);`).receive());

  const channel = gateway.remoteExec<typeof job>(new URL("./job.ts", import.meta.url), {
    kwargs: { plus: 1 },
  });
  await channel.send("module");
  results.push(await channel.receive());
  await channel.send("");
  const error = await channel.receive().catch((error: RemoteError) => error) as RemoteError;
  results.push(
    error.remoteStack?.match(/[^/]*\.ts:\d+(?=:)/)?.[0],
    URL.parse(error.remoteStack!.match(/\w+:\/\/\S*/)![0])?.protocol,
  );

  const lengths = gateway.group.map((word: string) => word.length, ["a", "bb"], { ordered: true });
  if (hops.length === 0) results.push(...await Array.fromAsync(lengths));

  const rsync = new RSync(`${folder}/source`);
  rsync.addTarget(gateway, dest);
  const [copied] = await rsync.send();
  results.push(`${copied!.transferred} copied`);
  console.log(`${gateway.spec.type}: ${results.join(" ")}`);
}
