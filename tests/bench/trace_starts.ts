/** Has starts of ours traced by strace. */

import { lacking } from "../parts/need.ts";
import type { StepsOf } from "./entry.ts";
import type { Players } from "./players.ts";
import { parseTrace, stepsOf } from "./steps.ts";
import type { Steps } from "./steps.ts";

/** The calls that tell the steps apart and are few; all others pass without a stop. */
const CALLS = "execve,bind,connect,sendto,recvfrom,prctl";

const TIMEOUT_MS = 60_000;

/** How many are traced, one after the other. */
const STARTS = 10;

/** Traces starts of a model; undefined where that cannot be done. */
export async function traceStarts(players: Players, model: StepsOf): Promise<Steps | undefined> {
  if (lacking("strace") !== undefined) return undefined;
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  try {
    const path = `${folder}/trace`;
    const words = [
      "strace",
      "-f",
      "-ttt",
      "-qq",
      "--seccomp-bpf",
      "-s",
      "64",
      "-e",
      `trace=${CALLS}`,
      "-o",
      path,
    ];
    const player = players.startOurs(words);
    try {
      await player.ready(TIMEOUT_MS);
      for (let i = 0; i < STARTS; i++) {
        await player.ask({ task: "many", kind: model, size: 1 }, TIMEOUT_MS);
      }
    } finally {
      await player.close();
    }
    const steps = stepsOf(parseTrace(await Deno.readTextFile(path)), model);
    return steps.starts > 0 ? steps : undefined;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
