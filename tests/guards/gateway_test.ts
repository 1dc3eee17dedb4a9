/** What a round trip and an idle gateway take of the machine: wake-ups, system calls, processes, descriptors, threads. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { testWith } from "../parts/need.ts";
import { STRACE } from "../parts/strace.ts";
import { PROC } from "../parts/proc.ts";
import { atMost } from "./bounds.ts";
import type { Found } from "./programs/pings.ts";
import { callsBetweenMarks, sum, traced } from "./system_calls.ts";
import type { CallCounts } from "./system_calls.ts";

const SPECS = ["popen//execmodel=main", "popen"] as const;

const PROGRAM = new URL("programs/pings.ts", import.meta.url);

/** Runs the program, as the last words of a command. */
async function pings(trips: number, wrap: (argv: string[]) => string[] = (argv) => argv): Promise<Found[]> {
  const [command, ...args] = wrap([
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-check",
    "-A",
    PROGRAM.href,
    String(trips),
    ...SPECS,
  ]);
  const { success, stdout } = await new Deno.Command(command!, { args, stderr: "inherit" }).output();
  assert(success);
  const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line): Found => JSON.parse(line));
  assertEquals(lines.map(({ spec }) => spec), SPECS);
  return lines;
}

/** What a gateway takes that has one execution. */
interface Holdings {
  /** Descriptors of this program, and of its process. */
  readonly descriptors: readonly [near: number, far: number];
  /** Workers, before the execution and with it. */
  readonly workers: readonly [idle: number, busy: number];
}

const HOLDINGS: Readonly<Record<typeof SPECS[number], Holdings>> = {
  // Here the connection, the lifeline, what it prints, and the process. There the connection, and what any Deno has.
  "popen//execmodel=main": { descriptors: [4, 13], workers: [0, 0] },
  // Here the place for links of executions too, and one link. There a Worker is made at the start.
  "popen": { descriptors: [6, 20], workers: [1, 1] },
};

/** What collects garbage and compiles. */
const ENGINE_THREAD = /^V8 /;

/** A thread that bytes pass through waits once or twice in each round trip, but for those in which it is late. */
const TAKES_PART = 0.4;

/**
 * One for what is to be read, on each side, and one for what was sent having been taken, which is an event of its own.
 * How often both are there at once is up to the machine: 2 to 3 was seen.
 */
const MOST_WAITS = 4;

/** What else the runtime does now and then. */
const SLACK = 1.05;

testWith(
  PROC,
  "a gateway takes so many processes, descriptors and threads, and one thread a side takes part in a round trip",
  async () => {
    const trips = 2_000;
    for (const { spec, threads, ...found } of await pings(trips)) {
      // Deno, and the guard.
      assertEquals(found, { processes: 2, ...HOLDINGS[spec as keyof typeof HOLDINGS] }, spec);
      const working = threads.map((side) => side.filter(({ name }) => !ENGINE_THREAD.test(name)));
      for (const side of working) {
        const taking = side.filter(({ waits }) => waits > trips * TAKES_PART).map(({ name }) => name);
        assert(taking.length <= 1, `${spec}: the threads ${taking.join(", ")} take part in a round trip`);
      }
      const waits = working.flat().reduce((sum, one) => sum + one.waits, 0);
      atMost(`${spec}: times that threads wait in a round trip`, waits / trips, MOST_WAITS, SLACK);
    }
  },
);

const SENDING = ["sendto", "sendmsg", "writev"];
const RECEIVING = ["recvfrom", "recvmsg", "readv"];
const WAITING = ["epoll_wait", "epoll_pwait", "poll", "ppoll"];

function total(calls: CallCounts, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (calls[name] ?? 0), 0);
}

testWith(
  [PROC, STRACE],
  "a round trip is one send and one receive on each side, and no more than four waits",
  async () => {
    const trips = 250;
    const file = await Deno.makeTempFile({ prefix: "execnet-test-" });
    try {
      const found = await pings(trips, (argv) => traced(argv, file));
      // The program's own first gateway comes before those that count.
      const spans = callsBetweenMarks(await Deno.readTextFile(file)).slice(-found.length);
      for (const [i, { spec, threads }] of found.entries()) {
        const sides = threads.map((side) => sum(spans[i]!, side.map(({ id }) => id)));
        for (const calls of sides) {
          assertEquals(total(calls, SENDING), trips, `${spec}: sends`);
          // The runtime looks once more now and then, and finds nothing.
          atMost(`${spec}: receives a round trip`, total(calls, RECEIVING) / trips, 1, SLACK);
        }
        // Other threads of the engine wake the event loop by a write, when they have compiled something.
        const waits = sides.reduce((all, calls) => all + total(calls, WAITING) - total(calls, ["write"]), 0);
        atMost(`${spec}: waits a round trip`, waits / trips, MOST_WAITS, SLACK);
      }
    } finally {
      await Deno.remove(file);
    }
  },
  // On a busy machine a traced program is slow.
  { limit: 120_000 },
);
