/** Modes and times of what is there. */

import type { Meta } from "../common/messages.ts";

/** Gives a file or a folder its mode and time. */
export function giveMeta(path: string, { mode, mtime }: Meta): void {
  Deno.chmodSync(path, mode);
  const time = new Date(mtime);
  Deno.utimeSync(path, time, time);
}

interface NodeFs {
  lutimesSync(path: string, atime: Date, mtime: Date): void;
}

/**
 * Gives a symbolic link its time. Deno itself cannot; this takes some milliseconds the first time, and refuses parts of
 * seconds before 1970.
 */
export function giveLinkTime(path: string, mtime: number): void {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const fs = process?.getBuiltinModule?.("node:fs") as NodeFs | undefined;
  const time = new Date(mtime < 0 ? Math.floor(mtime / 1000) * 1000 : mtime);
  fs?.lutimesSync(path, time, time);
}
