/** Makes symbolic links: each beside what is in its place, and then renamed. */

import { Trouble } from "../common/messages.ts";
import { removeFolder } from "./folders.ts";
import { giveLinkTime } from "./meta.ts";
import type { Parts } from "./parts.ts";
import { discard } from "./temporary.ts";
import type { InPlace } from "./wanted.ts";

/** A link that is to be there. */
export interface Link {
  /** Where. */
  readonly path: string;
  /** The same below the target. */
  readonly name: string;
  /** The folder it is in. */
  readonly folder: string;
  /** What it says. */
  readonly to: string;
  /** When it was modified. */
  readonly mtime: number;
  /** What is there now. */
  readonly inPlace: InPlace;
}

/** Makes the links of one copy. */
export class Links {
  readonly #parts: Parts;
  /** Whether this process may make none. */
  #refused = false;

  /** Makes none yet. */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Makes a link. What goes wrong is reported. */
  make({ path, name, folder, to, mtime, inPlace }: Link): void {
    const { report, temporary } = this.#parts;
    if (this.#refused) {
      report.problem(name, "", Trouble.LINKS);
      return;
    }
    const beside = temporary.path(folder);
    try {
      Deno.symlinkSync(to, beside);
    } catch (error) {
      this.#refused = error instanceof Deno.errors.NotCapable;
      report.problem(name, error, this.#refused ? Trouble.LINKS : Trouble.OTHER);
      return;
    }
    try {
      giveLinkTime(beside, mtime);
      if (inPlace === "folder") removeFolder(path);
      Deno.renameSync(beside, path);
    } catch (error) {
      discard(beside);
      report.problem(name, error);
    }
  }
}

/** What a link says; undefined where there is none. */
export function linkTarget(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}
