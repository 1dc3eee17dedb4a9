/** Makes the connection of a gateway: starts what the spec says and waits for its greeting. */

import { encodeHello, HelloReader } from "../channel/handshake.ts";
import type { Facts } from "../channel/handshake.ts";
import { PROTOCOL_VERSION } from "../channel/frame.ts";
import { ProtocolError } from "../channel/errors.ts";
import type { Transport } from "../channel/transport.ts";
import { Waiter } from "../channel/wait.ts";
import { XSpecError } from "../xspec/mod.ts";
import type { XSpec } from "../xspec/mod.ts";
import { ConnectError, ConnectProblem, HostNotFoundError } from "./errors.ts";
import type { ConnectErrorKind } from "./errors.ts";
import { Output } from "./output.ts";
import type { StderrMode } from "./output.ts";
import type { ProcessEnd, SpawnedProcess } from "./process/process.ts";
import type { TraceTarget } from "./process/trace.ts";
import { traceConnection, traceEnd, traceFromEnv } from "./trace.ts";
import { spawnPopen } from "./transport/popen.ts";
import { checkSocketSpec, spawnSocket } from "./transport/socket.ts";
import { checkWorkerSpec, startWorker } from "./transport/worker.ts";

/** How a gateway is made. */
export interface GatewayOptions {
  /** Ends the attempt: it rejects with the signal's reason, and nothing is left running. */
  signal?: AbortSignal;
  /** Milliseconds until the attempt fails; by default 30 000. */
  connectTimeout?: number;
  /**
   * Where what the far side prints goes: to this program's stderr (`inherit`, the default), there with the gateway's
   * id before each line (`prefix`), to `gateway.stderr` (`piped`), or nowhere (`null`).
   */
  stderr?: StderrMode;
}

/** A connection that has been made. */
export interface Connection {
  readonly process: SpawnedProcess;
  readonly output: Output;
  readonly transport: Transport;
  /** What the far side said of itself. */
  readonly facts: Facts;
  /** What came behind its greeting. */
  readonly rest: Uint8Array;
}

const CONNECT_TIMEOUT_MS = 30_000;
const STDERR_MODES: ReadonlySet<string> = new Set(["inherit", "prefix", "piped", "null"]);

const TYPES: ReadonlySet<string> = new Set(["popen", "worker", "socket"]);

/** How long after the end of a process its last output is waited for. */
export const OUTPUT_GRACE_MS = 500;

/** How long the exit of a process is waited for once its connection has broken. */
const EXIT_GRACE_MS = 2_000;

/** Checks a spec before anything is started. Throws XSpecError. */
export function checkSpec(spec: XSpec): void {
  if (spec.via !== undefined || !TYPES.has(spec.type)) {
    throw new XSpecError(
      `Cannot make a gateway of "${spec}": this version starts popen, worker and socket gateways only`,
      String(spec),
      spec.via === undefined ? spec.type : "via",
    );
  }
  if (spec.type === "socket") checkSocketSpec(spec);
  if (spec.type === "worker") checkWorkerSpec(spec);
}

/** Checks options before anything is started. */
export function checkOptions(options: GatewayOptions): void {
  const { stderr, connectTimeout, signal } = options;
  if (stderr !== undefined && !STDERR_MODES.has(stderr)) {
    throw new RangeError(
      `Cannot make a gateway: stderr must be inherit, prefix, piped or null, got "${stderr}"`,
    );
  }
  if (connectTimeout !== undefined && !(connectTimeout > 0)) {
    throw new RangeError(`Cannot make a gateway: connectTimeout must be above 0 ms, got ${connectTimeout}`);
  }
  signal?.throwIfAborted();
}

/**
 * Connects. Whatever fails, nothing that was started is left running.
 *
 * @throws {ConnectError} with the step that failed
 */
export async function connect(spec: XSpec, id: string, options: GatewayOptions): Promise<Connection> {
  const timeout = options.connectTimeout ?? CONNECT_TIMEOUT_MS;
  const started = performance.now();
  const trace = traceFromEnv();
  trace?.print([`${id} starting ${spec.type} execmodel=${spec.execmodel}`]);
  let child: SpawnedProcess;
  try {
    child = await start(spec, id, trace?.target);
  } catch (error) {
    throw spawnError(spec, id, error as Error);
  }
  if (trace !== undefined) traceEnd(child, id, trace.print);
  const output = new Output(options.stderr ?? "inherit", id, child.output!);
  let failure: ConnectError | undefined;
  const letGo = (): void => {
    child.kill();
    child.connected.then((transport) => transport.abort(), () => {});
  };
  const fail = async (
    kind: ConnectErrorKind,
    state: string,
    end?: ProcessEnd,
    cause?: unknown,
  ): Promise<ConnectError> => {
    letGo();
    await child.ended;
    await within(output.ended, OUTPUT_GRACE_MS);
    const tail = output.tail;
    return failure = new (kind === "host" ? HostNotFoundError : ConnectError)(
      kind,
      `Cannot start gateway "${id}" (${spec}): ${state}${tail === "" ? "" : `; its last output: ${tail}`}`,
      { exitCode: end?.code, signal: end?.signal ?? undefined, stderrTail: tail },
      cause === undefined ? undefined : { cause },
    );
  };
  const greeting = greet(child);
  greeting.catch(() => {});
  const deadline = new Waiter<never>({ signal: options.signal, timeout }, () => "No greeting");
  deadline.promise.catch(() => {});
  try {
    const early = child.ended.then((end) => ({ end }));
    const result = await Promise.race([greeting, early, deadline.promise]);
    if ("end" in result) {
      const { code, signal } = result.end;
      const missing = code === 127 || code === 126;
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      throw await fail(
        missing ? "no-deno" : "exit",
        missing
          ? `there is no Deno that can be run as "${spec.deno ?? "deno"}"`
          : result.end.reason ?? `the process ended ${how}`,
        result.end.reason === undefined ? result.end : undefined,
      );
    }
    if (result.version !== PROTOCOL_VERSION) {
      throw await fail("version", `it speaks protocol ${result.version}, not ${PROTOCOL_VERSION}`);
    }
    const connection = { process: child, output, ...result };
    return trace === undefined ? connection : traceConnection(connection, id, trace.print);
  } catch (error) {
    if (error === failure) throw error;
    letGo();
    if (options.signal?.aborted) {
      await child.ended;
      throw options.signal.reason;
    }
    if (performance.now() - started >= timeout * 0.99 && deadline.settled) {
      const noise = output.tail !== "";
      throw await fail(
        noise ? "noise" : "timeout",
        noise ? "it printed something else than a greeting" : `no greeting after ${timeout} ms`,
      );
    }
    if (error instanceof ConnectProblem) throw await fail(error.kind, error.message, undefined, error);
    const end = await within(child.ended, EXIT_GRACE_MS);
    throw await fail(error instanceof ProtocolError ? "noise" : "exit", (error as Error).message, end, error);
  } finally {
    deadline.resolve(undefined as never);
  }
}

/** Starts what the spec says. */
async function start(spec: XSpec, id: string, trace: TraceTarget | undefined): Promise<SpawnedProcess> {
  if (spec.type === "worker") return startWorker(spec, id);
  return await (spec.type === "socket" ? spawnSocket : spawnPopen)(spec, id, encodeHello, trace);
}

/** Nothing was started at all: this program may not, or what starting takes is not there. */
function spawnError(spec: XSpec, id: string, error: Error): ConnectError {
  const forbidden = error instanceof Deno.errors.NotCapable;
  const hint = !forbidden
    ? ""
    : spec.type === "worker"
    ? ": a worker gateway may not do more than its program"
    : ": a program that makes gateways needs --allow-run, --allow-read, --allow-write and --allow-net, " +
      "or --allow-run and --allow-env";
  return new ConnectError(
    forbidden || error instanceof Deno.errors.NotFound ? "no-deno" : "exit",
    `Cannot start gateway "${id}" (${spec}): ${error.message}${hint}`,
    {},
    { cause: error },
  );
}

interface Greeting {
  transport: Transport;
  version: number;
  facts: Facts;
  rest: Uint8Array;
}

async function greet(child: SpawnedProcess): Promise<Greeting> {
  const transport = await child.connected;
  const reader = new HelloReader();
  const buffer = new Uint8Array(16 * 1024);
  while (true) {
    const count = await transport.read(buffer);
    if (count === null) throw new Error("the connection ended before the greeting");
    const hello = reader.push(buffer.subarray(0, count));
    if (hello !== undefined) return { transport, ...hello };
  }
}

/** The value of a promise, or undefined after a while. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<undefined>((resolve) => timer = setTimeout(resolve, ms, undefined));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer!);
  }
}
