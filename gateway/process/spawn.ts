/** Starts a Deno process on this machine, guarded, and connects to it. Used by the caller and by agents alike. */

import { spawnWithDescriptor } from "./descriptor_link.ts";
import type { SpawnedProcess, SpawnOptions } from "./process.ts";
import { openMeeting, spawnWithSocket } from "./socket_link.ts";

/** Starts a process. Throws what the system says when that is impossible. */
export async function spawnDeno(options: SpawnOptions): Promise<SpawnedProcess> {
  const meeting = openMeeting(options);
  return meeting === undefined ? await spawnWithDescriptor(options) : spawnWithSocket(options, meeting);
}
