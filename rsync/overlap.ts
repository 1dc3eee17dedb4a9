/** Sources and targets that lie inside of one another, which only those of this machine can. */

import type { Gateway } from "../gateway/mod.ts";

/** Whether a path is inside of a folder, and not that itself. Both are real paths. */
export function isInside(path: string, folder: string): boolean {
  return path !== folder && path.startsWith(folder === "/" ? folder : `${folder}/`);
}

/**
 * The real path of a target, which need not be there yet. Undefined where it is not known to be on this machine.
 *
 * @param dest its absolute path
 */
export function localPath({ spec }: Gateway, dest: string): string | undefined {
  return (spec.popen || spec.worker) && spec.via === undefined ? realPath(dest) : undefined;
}

function realPath(path: string): string {
  // Deno would ask the user for it.
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return path;
  try {
    return Deno.realPathSync(path);
  } catch {
    const cut = path.lastIndexOf("/");
    if (cut < 0) return "";
    const folder = realPath(path.slice(0, cut) || "/");
    return `${folder === "/" ? "" : folder}${path.slice(cut)}`;
  }
}
