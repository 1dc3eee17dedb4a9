/** What went wrong on a target, as an error that says what to do. */

import { Trouble, unknownRecord } from "./common/messages.ts";

/** Where something went wrong. */
export interface TroublePlace {
  /** The gateway's id. */
  readonly gateway: string;
  /** The absolute path of the target. */
  readonly dest: string;
  /** The path below that, empty for the target itself. */
  readonly name: string;
  /** The folder that the gateway must have access to. */
  readonly folder: string;
}

/** The error for what a target has told. */
export function explainTrouble(
  kind: number,
  text: string,
  { gateway, dest, name, folder }: TroublePlace,
): Error {
  const path = JSON.stringify(name === "" ? dest : `${dest}/${name}`);
  const where = `${path} on gateway "${gateway}"`;
  const refused = (what: string, ...keys: string[]): Error =>
    new Deno.errors.NotCapable(
      `Cannot ${what} ${where}: it is not allowed to; add ${keys.join("//")} to its spec`,
    );
  switch (kind) {
    case Trouble.OTHER:
      return new Error(`Cannot copy to ${where}: ${text}`);
    case Trouble.READ:
      return refused("read", key("read", folder));
    case Trouble.WRITE:
      return refused("write", key("write", folder));
    case Trouble.READ_WRITE:
      return refused("write", key("read", folder), key("write", folder));
    case Trouble.LINKS:
      // Deno lets a program make symbolic links only when it may read and write everything.
      return refused("make the symbolic link", "allow-read", "allow-write");
    default:
      throw unknownRecord(kind);
  }
}

/** A permission as a spec writes it. A list cannot hold a path with a comma. */
function key(name: "read" | "write", path: string): string {
  if (path.includes(",")) return `allow-${name}`;
  return `allow-${name}=${path.replace(/%(?=2F|25)/gi, "%25")}`;
}
