/** What gateways take of the program that makes them: the counts that docs/scale.md works with. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { end, start } from "./program.ts";

interface Counts {
  descriptors: number;
  threads: number;
  processes: number;
}

/** What each gateway takes, and how many of them there are. */
const EACH: Readonly<Record<string, Counts & { count: number }>> = {
  // Event queues, a socket, and the program's stdout and stderr once more. They are more than the few descriptors that
  // Deno keeps of some Worker or other.
  worker: { count: 12, descriptors: 6, threads: 1, processes: 0 },
  // The connection, the lifeline, what it prints, the process.
  "popen//execmodel=main": { count: 3, descriptors: 4, threads: 0, processes: 2 },
  // Channels of the hop, whose processes they are: a Deno and its guard.
  "popen//execmodel=main//via=hop": { count: 3, descriptors: 0, threads: 0, processes: 2 },
};

test("a gateway takes so many descriptors, threads and processes, and gives all of them back", async () => {
  const asked = Object.entries(EACH).map(([spec, { count, processes }]) =>
    `${spec} ${count} ${count * processes}`
  );
  const program = start("scale.ts", asked, ["-A", "--unstable-worker-options"]);
  const { code } = await end(program, 60_000);
  assertEquals(code, 0, program.stderr.text);
  const lines = program.stdout.text.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ spec }) => spec), Object.keys(EACH));
  for (const { spec, running, left, sum, forced } of lines) {
    const { count, descriptors, threads, processes } = EACH[spec]!;
    // Every one of them works: each has added one to its number.
    assertEquals([sum, forced], [count * (count + 1) / 2, 0], spec);
    assertEquals([running.threads, running.processes], [threads * count, processes * count], spec);
    assertEquals([left.threads, left.processes], [0, 0], spec);
    const share = (all: number): number => threads === 0 ? all / count : Math.round(all / count);
    assertEquals(share(running.descriptors), descriptors, `${spec}: ${running.descriptors} descriptors`);
    assertEquals(share(left.descriptors) + 0, 0, `${spec}: ${left.descriptors} descriptors are left`);
  }
}, 70_000);
