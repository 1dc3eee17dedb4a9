/**
 * A program with an allocation and a task on each of its nodes.
 *
 * Arguments: the number of nodes, or 0 to name none; how it goes on: `wait`, `end`, `exit`, `throw`, `release`; the time
 * limit, if any. It prints `up <own|new> <job> <nodes> <pids of the tasks> <its own>`, and goes on
 * with SIGUSR1. `wait` waits for the end of the allocation.
 */

import { Allocation } from "../../../gateway/slurm/allocation.ts";

/** SIGTERM alone does not end it, so Slurm would take its time. */
const TASK = 'trap "" TERM; echo $$; while :; do sleep 0.1; done';

const [nodes, then, time] = Deno.args;
const allocation = await Allocation.request({ nodes: Number(nodes) || undefined, time });
const pids = await Promise.all(
  allocation.nodes.slice(0, Number(nodes) || 1).map(async (_, index) => {
    const [program, ...words] = allocation.prefix(index);
    const task = new Deno.Command(program!, {
      args: [...words, "sh", "-c", TASK],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    task.unref();
    const { value } = await task.stdout.getReader().read();
    return new TextDecoder().decode(value).trim();
  }),
);
const told = Promise.withResolvers<void>();
const tell = (): void => told.resolve();
Deno.addSignalListener("SIGUSR1", tell);
console.log(`up ${allocation.own ? "own" : "new"} ${allocation.job} ${allocation.nodes} ${pids} ${Deno.pid}`);
await Promise.race(then === "wait" ? [told.promise, allocation.ended] : [told.promise]);
Deno.removeSignalListener("SIGUSR1", tell);
if (then === "exit") Deno.exit(5);
if (then === "throw") throw new Error("thrown");
if (then === "release") {
  await allocation.release();
  console.log("released");
}
