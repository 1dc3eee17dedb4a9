/** What Deno keeps on the disk without asking for a permission. */

import { isGranted } from "../process/granted.ts";

/** The globals that lead there. Nothing else does: what they are made of has no public constructor. */
const STORES = ["caches", "localStorage"];

/** Takes them away from code that may not write. */
export function withoutStorage(): void {
  if (isGranted({ name: "write" })) return;
  for (const name of STORES) Reflect.deleteProperty(globalThis, name);
}
