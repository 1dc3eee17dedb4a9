/** The server's token file: the owner's only, made where it is missing. */

import { makeToken, readTokenFile } from "../socket/token.ts";

/** The token of a server, and whether its file was made for it. */
export interface TokenFile {
  token: string;
  created: boolean;
}

/**
 * Reads the token, or makes the file with a fresh one.
 *
 * @throws {Error} when others than its owner may read or write the file, or it is somebody else's
 */
export function openTokenFile(path: string): TokenFile {
  const created = make(path);
  const { mode, uid } = Deno.statSync(path);
  if (Deno.build.os !== "windows") {
    if (((mode ?? 0) & 0o077) !== 0) {
      const octal = ((mode ?? 0) & 0o777).toString(8);
      throw new Error(`Cannot use the token in "${path}": others may read it (mode ${octal}); chmod 600 it`);
    }
    const own = Deno.uid();
    if (uid !== null && uid !== own && uid !== 0 && own !== 0) {
      throw new Error(`Cannot use the token in "${path}": it belongs to user ${uid}`);
    }
  }
  return { token: readTokenFile(path), created };
}

/** Makes the file as a whole, so that nobody reads half of it; leaves one that is there. */
function make(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const folder = path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"))) || ".";
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.writeTextFileSync(draft, `${makeToken()}\n`, { createNew: true, mode: 0o600 });
    Deno.linkSync(draft, path);
    return true;
  } catch (error) {
    // Another server was faster.
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  } finally {
    try {
      Deno.removeSync(draft);
    } catch {
      // It was not made.
    }
  }
}
