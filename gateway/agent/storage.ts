/** What Deno keeps on the disk without asking for a permission. */

import { isGranted } from "../process/granted.ts";

/**
 * The globals that lead there, also by what they are made of: its constructors are not public, but whatever inherits from it
 * and carries the mark of Deno's own objects, which anybody can read from one, is taken for it.
 */
const STORES = ["caches", "CacheStorage", "Cache", "localStorage"];

/** Takes them away from code that may not write. */
export function withoutStorage(): void {
  if (isGranted({ name: "write" })) return;
  for (const name of STORES) Reflect.deleteProperty(globalThis, name);
}
