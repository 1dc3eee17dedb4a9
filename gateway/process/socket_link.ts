/** Starts a process that connects to a Unix socket: the fast kind of link. */

import { BypassDoor } from "./bypass_door.ts";
import { guardScript } from "./guard.ts";
import { connectGrant, doorPath, linkTransport, stageZeroUrl } from "./link.ts";
import type { ConnectGrant, RawLink } from "./link.ts";
import {
  Control,
  denoCommand,
  ifThere,
  keepAlive,
  makeNonce,
  markedEnv,
  sendAgent,
  showsProof,
} from "./process.ts";
import type { Ref, SpawnedProcess, SpawnOptions } from "./process.ts";
import { connectsBySocket } from "./versions.ts";

/** The longest path a Unix socket can have is 108 bytes, less on some systems. */
const MAX_SOCKET_PATH_BYTES = 100;

/** A place where the process is expected. */
export interface Meeting {
  listener: Deno.UnixListener;
  folder: string;
  path: string;
  grant: ConnectGrant;
}

/** Undefined where the spec, this program's own permissions or the place allow no Unix socket, or its Deno is too old. */
export function openMeeting(options: SpawnOptions): Meeting | undefined {
  if (options.permissions.deny.read === true || !connectsBySocket()) return undefined;
  let folder: string | undefined;
  try {
    folder = Deno.makeTempDirSync({
      prefix: "execnet-",
      ...(options.folder === undefined ? {} : { dir: options.folder }),
    });
    const path = `${folder}/s`;
    const bytes = new TextEncoder().encode(path).length;
    const grant = bytes > MAX_SOCKET_PATH_BYTES ? undefined : grantFor(options, path, folder);
    if (grant !== undefined) {
      return { listener: Deno.listen({ transport: "unix", path }), folder, path, grant };
    }
  } catch {
    // Not allowed, or the place takes no folders or sockets: it is read only, or full. There is a link without.
  }
  if (folder !== undefined) removeFolder(folder);
  return undefined;
}

/** What may start programs may be a hop: its agent keeps a door for their links, too. */
function grantFor(
  { permissions, cwd, bypass, mark }: SpawnOptions,
  path: string,
  folder: string,
): ConnectGrant | undefined {
  const grant = connectGrant(permissions, path, cwd);
  if (grant === undefined || !bypass || mark === undefined) return grant;
  const door = connectGrant(grant.permissions, doorPath(folder), cwd)!;
  return { permissions: door.permissions, revoke: [...grant.revoke, ...door.revoke] };
}

function removeFolder(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch {
    // To look into it takes a descriptor, of which there may be none.
    ifThere(() => Deno.removeSync(`${folder}/s`));
    ifThere(() => Deno.removeSync(folder));
  }
}

/** Starts a process that is expected at a meeting. */
export function spawnWithSocket(options: SpawnOptions, meeting: Meeting): SpawnedProcess {
  const { listener, folder, path, grant } = meeting;
  const nonce = makeNonce();
  let child: Deno.ChildProcess;
  try {
    const url = stageZeroUrl({
      kind: "socket",
      path,
      folder,
      revoke: grant.revoke,
      nonce,
      bypass: options.bypass ?? false,
      worker: options.spareWorker,
      trace: options.stageTrace,
    });
    const script = guardScript(denoCommand(options, grant.permissions, url), {
      nice: options.nice,
      folder,
      mark: options.mark,
      link: "none",
    });
    child = new Deno.Command("/bin/sh", {
      args: ["-c", script],
      cwd: options.cwd,
      env: markedEnv(options),
      stdin: "piped",
      stdout: "null",
      stderr: options.print,
      detached: true,
    }).spawn();
  } catch (error) {
    listener.close();
    removeFolder(folder);
    throw error;
  }
  const { bypass = false } = options;
  const keepFolder = bypass || options.keepFolder;
  let door: BypassDoor | undefined;
  let listening = true;
  const stopListening = (): void => {
    if (!listening) return;
    listening = false;
    listener.close();
    if (!keepFolder) removeFolder(folder);
  };
  const lifeline = child.stdin;
  let over = false;
  // What has connected and is not handed on yet. Its other end may be held by something that outlives the process.
  let coming: Deno.UnixConn | undefined;
  const control = new Control(child.pid, () => {
    over = true;
    if (door === undefined) stopListening();
    ifThere(() => coming?.close());
    if (keepFolder) removeFolder(folder);
    lifeline.close().catch(() => {});
  }, (signal) => child.kill(signal));
  const ended = child.status.then(({ code, signal }) => {
    control.ended();
    return { code, signal };
  });
  const refs: Ref[] = [child];
  const take = (connection: Deno.UnixConn): void => {
    coming = connection;
    if (over) connection.close();
  };
  const connected = accept(listener, nonce, take).then(async (connection) => {
    refs.push(connection);
    if (bypass && listening) door = new BypassDoor(listener, nonce);
    else stopListening();
    try {
      await sendAgent(connection, options);
    } catch (error) {
      ifThere(() => connection.close());
      door?.close();
      throw error;
    }
    coming = undefined;
    return door === undefined ? linkTransport(connection) : linkTransport(closingWith(connection, door));
  });
  connected.catch(() => {});
  return {
    pid: child.pid,
    ended,
    output: options.print === "piped" ? child.stderr : undefined,
    connected,
    openLinks: bypass ? (taker) => door?.open(taker) : undefined,
    terminate: () => control.terminate(),
    kill: () => control.kill(),
    get forced() {
      return control.forced;
    },
    keepAlive: keepAlive(refs, ended),
  };
}

/** The connection of a process, with which the way for links of its executions ends. */
function closingWith(connection: Deno.UnixConn, door: BypassDoor): RawLink {
  return {
    read: (into) => connection.read(into),
    write: (bytes) => connection.write(bytes),
    close(): void {
      door.close();
      connection.close();
    },
  };
}

/** Takes connections until one proves to be the process. `take` is told of each, and may close it. */
async function accept(
  listener: Deno.UnixListener,
  nonce: string,
  take: (connection: Deno.UnixConn) => void,
): Promise<Deno.UnixConn> {
  while (true) {
    const connection = await listener.accept();
    take(connection);
    if (await showsProof(connection, nonce).catch(() => false)) return connection;
    ifThere(() => connection.close());
  }
}
