/** Folders that their own user may not read or change, until they are given another mode. */

/** What the owner of a folder needs to look into it, and to change what is in it. */
const USABLE = 0o700;

/** Sees to it that what is in a folder can be read and changed. Says whether that took another mode. */
export function makeUsable(path: string, mode: number): boolean {
  if ((mode & USABLE) === USABLE) return false;
  Deno.chmodSync(path, mode | USABLE);
  return true;
}

/** Removes a folder with all that is in it, if it is there. */
export function removeFolder(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    makeAllUsable(path);
    Deno.removeSync(path, { recursive: true });
  }
}

function makeAllUsable(path: string): void {
  makeUsable(path, Deno.lstatSync(path).mode ?? USABLE);
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    if (isDirectory) makeAllUsable(`${path}/${name}`);
  }
}
