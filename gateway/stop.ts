/** The ladder that ends a gateway's process: asked, told, killed, each rung with its time. */

import { within } from "../channel/wait.ts";
import type { SpawnedProcess } from "./process/process.ts";

/** How a gateway ended. */
export interface GatewayExit {
  /** The gateway's id. */
  id: string;
  /** The exit code of its process; where a signal ended it, 128 and the signal's number. */
  code: number;
  /** The signal that ended it. */
  signal: string | undefined;
  /** Whether a signal was needed, because it did not end when it was asked. */
  forced: boolean;
  /** Why it ended: `requested`, or what happened. */
  reason: string;
  /** The last lines it wrote. */
  stderrTail: string;
}

/** How long the system may take to end a process that it was told to kill. */
const KILL_TIMEOUT_MS = 2_000;

/** The part of the time that is spent on asking; the rest is for SIGTERM. */
const ASKING_PART = 0.8;

/** Ends a process that has been asked already. Resolves with how it ended, in `timeout` and two seconds at the most. */
export async function stop(
  id: string,
  process: SpawnedProcess,
  closed: Promise<GatewayExit>,
  timeout: number,
): Promise<GatewayExit> {
  const asked = await within(closed, timeout * ASKING_PART);
  if (asked !== undefined) return asked;
  process.terminate();
  const told = await within(closed, timeout * (1 - ASKING_PART));
  if (told !== undefined) return told;
  process.kill();
  return await within(closed, KILL_TIMEOUT_MS) ?? {
    id,
    code: -1,
    signal: undefined,
    forced: true,
    reason: "the process was killed, but the system has not ended it",
    stderrTail: "",
  };
}
