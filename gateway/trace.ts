/** The caller's side of tracing: whether the program wants it, where its own lines go, and what they say. */

import { numberFact } from "../channel/handshake.ts";
import type { Facts } from "../channel/handshake.ts";
import { traceTransport } from "../channel/trace.ts";
import type { TracePrint } from "../channel/trace.ts";
import type { Transport } from "../channel/transport.ts";
import type { SpawnedProcess } from "./process/process.ts";
import { isGranted } from "./process/granted.ts";
import { printTo, printWith, tracePath } from "./process/trace.ts";
import type { TraceTarget } from "./process/trace.ts";

/** The variable that turns tracing on. */
const VARIABLE = "EXECNET_DEBUG";

/** What the tracing of a gateway takes. */
export interface GatewayTrace {
  /** Where the far side is to trace to. */
  readonly target: TraceTarget;
  /** Takes the caller's own lines. */
  readonly print: TracePrint;
}

/**
 * How a gateway that is made now is traced; undefined where the program does not want that, or may not read the variable
 * without being asked.
 */
export function traceFromEnv(): GatewayTrace | undefined {
  const value = readVariable(VARIABLE);
  if (value === undefined || value === "" || value === "0") return undefined;
  if (value === "2") return { target: { to: "stderr" }, print: printTo(Deno.stderr) };
  const folder = temporaryFolder();
  return { target: { to: "file", folder }, print: filePrint(tracePath(folder, Deno.pid)) };
}

/** Tells how a process ends, be there a connection or not. */
export function traceEnd(process: SpawnedProcess, id: string, print: TracePrint): void {
  void process.ended.then(({ code, signal }) => {
    print([`${id} ended code=${code}${signal === null ? "" : ` signal=${signal}`}`]);
  });
}

/** What tracing needs of a connection. */
export interface Traceable {
  readonly process: SpawnedProcess;
  /** What the far side said of itself. */
  readonly facts: Facts;
  readonly transport: Transport;
  /** What came behind the greeting. */
  readonly rest: Uint8Array;
}

/** The connection of a gateway, traced from here on. */
export function traceConnection<C extends Traceable>(connection: C, id: string, print: TracePrint): C {
  const { process, facts, transport, rest } = connection;
  print([`${id} connected pid=${process.far ? numberFact(facts, "pid") : process.pid}`]);
  return { ...connection, transport: traceTransport(transport, id, print, rest) };
}

function readVariable(variable: string): string | undefined {
  return isGranted({ name: "env", variable }) ? Deno.env.get(variable) : undefined;
}

/** Where `Deno.makeTempDir` makes its folders. */
function temporaryFolder(): string {
  const folder = readVariable("TMPDIR") ?? "";
  return folder.startsWith("/") ? folder.replace(/(?<=.)\/+$/, "") : "/tmp";
}

/** Nobody else may read or write a trace file. */
const FILE_MODE = 0o600;

/**
 * Prints to the file at `path`, which is opened for each call: several gateways share it, of several isolates even, and
 * none of them is the last. Where there can be none, to stderr.
 */
export function filePrint(path: string): TracePrint {
  if (!isGranted({ name: "write", path }) || !makeFile(path)) return printTo(Deno.stderr);
  return printWith((bytes) => Deno.writeFileSync(path, bytes, { append: true, create: false }));
}

/** Makes the file, or finds it made by this program before; never takes what somebody else has laid there. */
function makeFile(path: string): boolean {
  try {
    Deno.openSync(path, { append: true, createNew: true, mode: FILE_MODE }).close();
    return true;
  } catch {
    if (!isGranted({ name: "read", path })) return false;
    try {
      // A link would lead elsewhere, and a file of another user's would have to be open to more than its owner.
      const { isFile, mode, nlink } = Deno.lstatSync(path);
      return isFile && nlink === 1 && ((mode ?? FILE_MODE) & 0o777) === FILE_MODE;
    } catch {
      return false;
    }
  }
}
