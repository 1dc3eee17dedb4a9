/**
 * Makes gateways of the kinds that its arguments name, and prints what they take and what they leave. An argument is a
 * spec, how many there are to be, and how many processes come with them, which are waited for.
 */

import { Group } from "../../../mod.ts";
import { descriptorCount, processesUnder, workerThreads } from "../../helpers/footprint.ts";
import { until } from "../../helpers/wait.ts";

interface Counts {
  descriptors: number;
  threads: number;
  processes: number;
}

function look(): Counts {
  return { descriptors: descriptorCount(), threads: workerThreads(), processes: processesUnder().length };
}

/** How much more there is now than there was. */
function more(before: Counts): Counts {
  const now = look();
  return {
    descriptors: now.descriptors - before.descriptors,
    threads: now.threads - before.threads,
    processes: now.processes - before.processes,
  };
}

for (const arg of Deno.args) {
  const [spec, count, processes] = arg.split(" ") as [string, string, string];
  await using group = new Group();
  const hop = spec.includes("via=hop") ? await group.makeGateway("popen//id=hop//allow-run=sh") : undefined;
  // What the first one of a program opens once and for all is no gateway's.
  await (await group.makeGateway(spec)).terminate();
  await until("the Worker of the first one has ended", () => workerThreads() === 0);
  if (hop !== undefined) {
    const { pid } = await hop.remoteInfo();
    await until("the processes of the first one have ended", () => processesUnder(pid).length <= 1);
  }
  const before = look();
  const made = await Promise.all(Array.from({ length: Number(count) }, () => group.makeGateway(spec)));
  // A shell that sleeps has one more process than one that is about to.
  const running = await until(`${processes} processes`, () => {
    const counts = more(before);
    return counts.processes === Number(processes) && counts;
  });
  const sum = (await Promise.all(made.map((gateway, i) => gateway.call((x: number) => x + 1, i))))
    .reduce((total, one) => total + one, 0);
  const forced = (await Promise.all(made.map((gateway) => gateway.terminate())))
    .filter((end) => end.forced).length;
  await until("threads and processes have ended", () => {
    const { threads, processes } = more(before);
    return threads <= 0 && processes <= 0;
  });
  console.log(JSON.stringify({ spec, running, left: more(before), sum, forced }));
}
