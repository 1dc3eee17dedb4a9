/** The entry of the script that gateways ship: what the first lines of a process, and of a Worker, call in it. */

import type { AgentStart } from "../process/config.ts";
import type { RawLink } from "../process/link.ts";
import { serve } from "./main.ts";
import { startWorker as startWorkerSide } from "./worker_entry.ts";
import type { WorkerStart } from "./worker_entry.ts";

/** Serves a gateway on a link. Called by the first lines of a process. */
export function startAgent(link: RawLink, start: AgentStart): Promise<void> {
  return serve(link, start);
}

/** Serves an execution, or a whole gateway, in a Worker, with what its owner sent. Called by a Worker's first lines. */
export function startWorker(start: unknown): Promise<void> {
  return startWorkerSide(start as WorkerStart);
}
