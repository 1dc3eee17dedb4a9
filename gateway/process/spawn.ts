/** Starts a Deno process on this machine, guarded, and connects to it. Used by the caller and by agents alike. */

import { spawnWithDescriptor } from "./descriptor_link.ts";
import type { SpawnedProcess, SpawnOptions } from "./process.ts";
import { openMeeting, spawnWithSocket } from "./socket_link.ts";
import { traceGrant } from "./trace.ts";

/** Starts a process. Throws what the system says when that is impossible. */
export async function spawnDeno(options: SpawnOptions): Promise<SpawnedProcess> {
  const grant = traceGrant(options.trace, options.permissions, options.cwd);
  const granted = grant === undefined
    ? options
    : { ...options, permissions: grant.permissions, stageTrace: grant.stage };
  const meeting = options.byDescriptor ? undefined : openMeeting(granted);
  return meeting === undefined ? await spawnWithDescriptor(granted) : spawnWithSocket(granted, meeting);
}
