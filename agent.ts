/**
 * What runs on the far side of a gateway. This script and all it imports are bundled into one text
 * (`deno task build`), which every gateway ships over its connection.
 *
 * @module
 */

import { serve } from "./gateway/agent/main.ts";
import { startWorker as startWorkerSide } from "./gateway/agent/worker_entry.ts";
import type { WorkerStart } from "./gateway/agent/worker_entry.ts";
import type { AgentStart } from "./gateway/process/config.ts";
import type { RawLink } from "./gateway/process/link.ts";

export type { AgentStart } from "./gateway/process/config.ts";
export type { RawLink } from "./gateway/process/link.ts";

/** Serves a gateway on a link. Called by the first lines of a process. */
export function startAgent(link: RawLink, start: AgentStart): Promise<void> {
  return serve(link, start);
}

/** Serves an execution, or a whole gateway, in a Worker, with what its owner sent. Called by a Worker's first lines. */
export function startWorker(start: unknown): void {
  startWorkerSide(start as WorkerStart);
}
