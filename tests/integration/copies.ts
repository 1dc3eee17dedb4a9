/** What tests of copies have in common. */

import { RSync } from "../../mod.ts";
import type { Gateway, RSyncOptions, RSyncResult, RSyncTargetOptions } from "../../mod.ts";

/** What a gateway needs to copy into a folder. */
export const keys = (folder: string): string => `allow-read=${folder}//allow-write=${folder}`;

/** How something is copied to one target. */
export interface CopyOptions extends RSyncOptions {
  /** How the target is treated. */
  readonly to?: RSyncTargetOptions;
  /** Ends the copy. */
  readonly signal?: AbortSignal;
}

/** Copies to one target, and gives what became of it. */
export async function copyTo(
  gateway: Gateway,
  source: string | URL,
  dest: string,
  { to = {}, signal, ...options }: CopyOptions = {},
): Promise<RSyncResult> {
  const rsync = new RSync(source, options);
  rsync.addTarget(gateway, dest, to);
  const [result] = await rsync.send(signal === undefined ? {} : { signal });
  return result!;
}
