/** Which versions of Deno can be started, and how they connect. */

/** Major and minor version. */
export type Version = readonly [major: number, minor: number];

/** The oldest Deno that runs an agent, and takes a link by descriptors. */
export const OLDEST_DENO: Version = [2, 8];

/** The oldest that knows a permission for one Unix socket. */
const OLDEST_SOCKET_DENO: Version = [2, 9];

/** Whether what this program starts here connects by a Unix socket: most often it is the program's own Deno. */
export function connectsBySocket(): boolean {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  return !isOlder([major, minor], OLDEST_SOCKET_DENO);
}

/** The oldest Deno that this program can start here. */
export function oldestLocalDeno(): Version {
  return connectsBySocket() ? OLDEST_SOCKET_DENO : OLDEST_DENO;
}

/** Whether a version comes before another one. */
export function isOlder([major, minor]: Version, than: Version): boolean {
  return major < than[0] || major === than[0] && minor < than[1];
}
