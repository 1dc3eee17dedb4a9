/** Files that are being written, beside those whose place they take; and what dead programs have left of such. */

import { isTemporary, TEMPORARY_PREFIX } from "../common/messages.ts";

/** Names files that are being written. */
export class Temporary {
  readonly #run = crypto.randomUUID().slice(0, 13);
  #count = 0;

  /** A path in `folder` that nobody uses. */
  path(folder: string): string {
    return `${folder}/${TEMPORARY_PREFIX}${this.#run}-${(this.#count++).toString(36)}`;
  }
}

/** Opens a new file to be written to. It is locked while it is open, so that another run can tell it from litter. */
export function createTemporary(path: string): Deno.FsFile {
  const file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  try {
    file.tryLockSync(true);
  } catch {
    // Not every file system can lock; then it is never taken for litter.
  }
  return file;
}

/** Removes what a program was writing when it was ended, unless it is still being written. Says whether it is gone. */
export function removeLitter(path: string): boolean {
  try {
    const { isFile } = Deno.lstatSync(path);
    if (isFile) {
      using file = Deno.openSync(path, { read: true });
      if (!file.tryLockSync(true)) return false;
    }
    Deno.removeSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Does so with all that is in a folder, if that can be read. */
export function removeAllLitter(folder: string): void {
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      if (isTemporary(name)) removeLitter(`${folder}/${name}`);
    }
  } catch {
    // Then it stays.
  }
}

/** Removes a file that was being written, if it is there. */
export function discard(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It is gone, or will be litter for the next run.
  }
}
