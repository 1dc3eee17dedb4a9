/** Watches what is opened. */

import { isTemporary } from "../../rsync/common/messages.ts";

/**
 * What is opened outside of `folders` while `body` runs, links followed. The names of what is in `listed` may be read: a
 * single file has its litter beside it.
 */
export async function keepingInside(
  folders: readonly string[],
  body: () => Promise<void>,
  listed?: string,
): Promise<string[]> {
  const { openSync, readDirSync } = Deno;
  const left: string[] = [];
  const check = (path: string | URL): void => {
    const real = realPath(String(path));
    const inside = folders.some((folder) => real === folder || real.startsWith(`${folder}/`));
    // A single file is written beside itself.
    if (!inside && !isTemporary(real.slice(real.lastIndexOf("/") + 1))) left.push(real);
  };
  Deno.openSync = (path, options) => {
    check(path);
    return openSync(path, options);
  };
  Deno.readDirSync = (path) => {
    if (path !== listed) check(path);
    return readDirSync(path);
  };
  try {
    await body();
  } finally {
    Object.assign(Deno, { openSync, readDirSync });
  }
  return left;
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const cut = path.lastIndexOf("/");
    return `${realPath(path.slice(0, cut))}${path.slice(cut)}`;
  }
}
