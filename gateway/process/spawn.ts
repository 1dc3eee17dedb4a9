/** Starts a Deno process on this machine, guarded, and connects to it. Used by the caller and by agents alike. */

import type { Transport } from "../../channel/transport.ts";
import type { Permissions } from "../../xspec/mod.ts";
import { permissionFlags } from "../../xspec/mod.ts";
import { guardScript } from "./guard.ts";
import { connectGrant, linkTransport, NONCE_BYTES, stageZeroUrl } from "./link.ts";
import type { ConnectGrant, RawLink } from "./link.ts";

/** What to start. */
export interface SpawnOptions {
  /** The Deno command, in words. */
  deno: readonly string[];
  /** What the process may do. */
  permissions: Permissions;
  /** Further flags of `deno run`. */
  flags: readonly string[];
  /** Added to the environment, at process start. */
  env: Readonly<Record<string, string>>;
  /** The working directory, absolute. */
  cwd: string;
  /** Added to the scheduling priority. */
  nice?: number | undefined;
  /** The agent's script. */
  agent: Uint8Array;
  /** Sent right behind it. */
  hello: Uint8Array;
}

/** How a process ended. */
export interface ProcessEnd {
  code: number;
  signal: string | null;
}

/** A process that was started, from the first moment on. */
export interface SpawnedProcess {
  readonly pid: number;
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Resolves with the connection, the agent and the greeting being on their way; rejects when that fails. */
  readonly connected: Promise<Transport>;
  /** Asks it to end, by SIGTERM to the process itself. */
  terminate(): void;
  /** Kills it and all that it started. Idempotent, never throws, does not wait. */
  kill(): void;
  /** Whether it had to be killed. */
  readonly killed: boolean;
  /** Whether the program has to stay because of this process. Counted: a `false` takes back one `true`. */
  keepAlive(keep: boolean): void;
}

/** The longest path a Unix socket can have is 108 bytes, less on some systems. */
const MAX_SOCKET_PATH = 100;

/** Starts a process. Throws what the system says when that is impossible. */
export async function spawnDeno(options: SpawnOptions): Promise<SpawnedProcess> {
  const meeting = openMeeting(options);
  return meeting === undefined ? await spawnWithDescriptor(options) : spawnWithSocket(options, meeting);
}

/** A place where the process is expected. */
interface Meeting {
  listener: Deno.UnixListener;
  folder: string;
  path: string;
  grant: ConnectGrant;
}

/** Undefined where the spec or this program's own permissions allow no Unix socket. */
function openMeeting(options: SpawnOptions): Meeting | undefined {
  if (options.permissions.deny.read === true) return undefined;
  let folder: string | undefined;
  try {
    folder = Deno.makeTempDirSync({ prefix: "execnet-" });
    const path = `${folder}/s`;
    const grant = path.length > MAX_SOCKET_PATH
      ? undefined
      : connectGrant(options.permissions, path, options.cwd);
    if (grant !== undefined) {
      return { listener: Deno.listen({ transport: "unix", path }), folder, path, grant };
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied)) {
      throw error;
    }
  }
  if (folder !== undefined) removeFolder(folder);
  return undefined;
}

function removeFolder(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch {
    // It is in the temporary directory, and empty.
  }
}

function denoCommand(options: SpawnOptions, permissions: Permissions, url: string): string[] {
  return [
    ...options.deno,
    "run",
    "--quiet",
    "--no-config",
    "--no-lock",
    "--unstable-worker-options",
    ...permissionFlags(permissions, Object.keys(options.env)),
    ...options.flags,
    url,
  ];
}

function makeNonce(): string {
  return crypto.getRandomValues(new Uint8Array(NONCE_BYTES)).toHex();
}

function spawnWithSocket(options: SpawnOptions, meeting: Meeting): SpawnedProcess {
  const { listener, folder, path, grant } = meeting;
  const nonce = makeNonce();
  let child: Deno.ChildProcess;
  try {
    const url = stageZeroUrl({ kind: "socket", path, revoke: grant.revoke, nonce });
    const script = guardScript(denoCommand(options, grant.permissions, url), {
      nice: options.nice,
      folder,
    });
    child = new Deno.Command("/bin/sh", {
      args: ["-c", script],
      cwd: options.cwd,
      env: { ...options.env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (error) {
    listener.close();
    removeFolder(folder);
    throw error;
  }
  let listening = true;
  const stopListening = (): void => {
    if (!listening) return;
    listening = false;
    listener.close();
    removeFolder(folder);
  };
  const lifeline = child.stdin;
  const control = new Control(() => {
    stopListening();
    lifeline.close().catch(() => {});
  });
  const ended = child.status.then(({ code, signal }) => {
    control.ended();
    return { code, signal };
  });
  const refs: Ref[] = [child];
  const connected = accept(listener, nonce).then(async (connection) => {
    refs.push(connection);
    stopListening();
    try {
      await sendAgent(connection, options);
    } catch (error) {
      connection.close();
      throw error;
    }
    return linkTransport(connection);
  });
  connected.catch(() => {});
  return {
    pid: child.pid,
    ended,
    stdout: child.stdout,
    stderr: child.stderr,
    connected,
    terminate: () => tryKill(() => child.kill("SIGTERM")),
    kill: () => control.kill(),
    get killed() {
      return control.killed;
    },
    keepAlive: keepAlive(refs),
  };
}

/** What may keep the program alive. */
interface Ref {
  ref(): void;
  unref(): void;
}

/** Counts reasons to stay alive; at first there is one, the start itself. */
function keepAlive(refs: readonly Ref[]): (keep: boolean) => void {
  let reasons = 1;
  return (keep) => {
    reasons += keep ? 1 : -1;
    if (keep && reasons === 1) { for (const one of refs) one.ref(); }
    else if (!keep && reasons === 0) { for (const one of refs) one.unref(); }
  };
}

/** Lets go of the lifeline, which kills what is left of a process and all that it started. */
class Control {
  /** Whether that was done while it ran. */
  killed = false;
  #over = false;
  readonly #letGo: () => void;

  constructor(letGo: () => void) {
    this.#letGo = letGo;
  }

  kill(): void {
    if (this.#over) return;
    this.killed = true;
    this.ended();
  }

  ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.#letGo();
  }
}

/** Takes connections until one proves to be the process. */
async function accept(listener: Deno.UnixListener, nonce: string): Promise<Deno.UnixConn> {
  while (true) {
    const connection = await listener.accept();
    const proof = new Uint8Array(NONCE_BYTES);
    let got = 0;
    try {
      while (got < NONCE_BYTES) {
        const count = await connection.read(proof.subarray(got));
        if (count === null) break;
        got += count;
      }
    } catch {
      got = 0;
    }
    if (got === NONCE_BYTES && proof.toHex() === nonce) return connection;
    connection.close();
  }
}

async function sendAgent(link: RawLink, options: SpawnOptions): Promise<void> {
  const { agent, hello } = options;
  const flight = new Uint8Array(4 + agent.length + hello.length);
  new DataView(flight.buffer).setUint32(0, agent.length);
  flight.set(agent, 4);
  flight.set(hello, 4 + agent.length);
  await linkTransport(link).write(flight, false);
}

function tryKill(action: () => void): void {
  try {
    action();
  } catch {
    // It has ended already.
  }
}

/** The other kind of link: a pair of sockets, the process's end of which is its descriptor 3. */
async function spawnWithDescriptor(options: SpawnOptions): Promise<SpawnedProcess> {
  const { spawn } = await import("node:child_process");
  const nonce = makeNonce();
  const url = stageZeroUrl({ kind: "descriptor", path: "", revoke: [], nonce });
  const script = guardScript(denoCommand(options, options.permissions, url), { nice: options.nice });
  const child = spawn("/bin/sh", ["-c", script], {
    cwd: options.cwd,
    env: { ...Deno.env.toObject(), ...options.env },
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    detached: true,
  });
  const { Readable } = await import("node:stream");
  const socket = child.stdio[3] as unknown as import("node:net").Socket;
  const link = socketLink(socket);
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  const control = new Control(() => child.stdin!.destroy());
  child.on("exit", (code, signal) => {
    control.ended();
    resolve({ code: code ?? 137, signal });
  });
  const started = Promise.withResolvers<void>();
  child.on("spawn", () => started.resolve());
  child.on("error", (error) => started.reject(error));
  await started.promise;
  const connected = (async () => {
    const proof = new Uint8Array(NONCE_BYTES);
    for (let got = 0; got < NONCE_BYTES;) {
      const count = await link.read(proof.subarray(got));
      if (count === null) throw new Deno.errors.UnexpectedEof("The process ended before it connected");
      got += count;
    }
    if (proof.toHex() !== nonce) throw new Deno.errors.InvalidData("The process did not prove itself");
    await sendAgent(link, options);
    return linkTransport(link);
  })();
  connected.catch(() => {});
  return {
    pid: child.pid!,
    ended,
    stdout: Readable.toWeb(child.stdout!) as ReadableStream<Uint8Array<ArrayBuffer>>,
    stderr: Readable.toWeb(child.stderr!) as ReadableStream<Uint8Array<ArrayBuffer>>,
    connected,
    terminate: () => tryKill(() => child.kill("SIGTERM")),
    kill: () => control.kill(),
    get killed() {
      return control.killed;
    },
    keepAlive: keepAlive([child, socket]),
  };
}

/** Reads and writes a node socket as a Deno connection is read and written. */
function socketLink(socket: import("node:net").Socket): RawLink {
  let ended = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  socket.on("readable", notify);
  for (const event of ["end", "close", "error"]) {
    socket.on(event, () => {
      ended = true;
      notify();
    });
  }
  return {
    async read(into): Promise<number | null> {
      while (true) {
        const count = Math.min(into.length, socket.readableLength);
        if (count > 0) {
          into.set(socket.read(count) as Uint8Array);
          return count;
        }
        if (ended) return null;
        socket.read(0);
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    write(bytes): Promise<number> {
      return new Promise((resolve, reject) =>
        socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length))
      );
    },
    close: () => void socket.destroy(),
  };
}
