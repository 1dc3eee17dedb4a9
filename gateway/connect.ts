/** Makes the connection of a gateway: starts what the spec says and waits for its greeting. */

import { HelloReader } from "../channel/handshake.ts";
import type { Facts } from "../channel/handshake.ts";
import { PROTOCOL_VERSION } from "../channel/frame.ts";
import { ProtocolError } from "../channel/errors.ts";
import type { Transport } from "../channel/transport.ts";
import { MAX_TIMER_MS, within } from "../channel/wait.ts";
import { shownSpec } from "../xspec/mod.ts";
import type { XSpec } from "../xspec/mod.ts";
import { ConnectError, ConnectProblem, HostNotFoundError } from "./errors.ts";
import type { ConnectErrorDetails } from "./errors.ts";
import type { Diagnosis, Launcher } from "./launcher.ts";
import { Output } from "./output.ts";
import type { StderrMode } from "./output.ts";
import type { LinkTaker } from "./process/link.ts";
import type { ProcessEnd, SpawnedProcess } from "./process/process.ts";
import { traceConnection, traceEnd } from "./trace.ts";
import type { GatewayTrace } from "./trace.ts";

/** How a gateway is made. */
export interface GatewayOptions {
  /** Ends the attempt: it rejects with the signal's reason, and nothing is left running. */
  signal?: AbortSignal;
  /**
   * Milliseconds until the attempt fails; by default 30 000. They count from when the gateway is there that it is
   * started from.
   */
  connectTimeout?: number;
  /**
   * Where what the far side prints goes: to this program's stderr (`inherit`, the default), there with the gateway's
   * id before each line and without what steers a terminal (`prefix`), to `gateway.stderr` (`piped`), or nowhere
   * (`null`). What nobody reads makes the far side's writes wait; where output goes the same way as all else (ssh,
   * commands, Slurm), it is dropped after two seconds, and a line says how much.
   */
  stderr?: StderrMode;
}

/** A connection that has been made. */
export interface Connection {
  readonly process: SpawnedProcess;
  readonly output: Output;
  readonly transport: Transport;
  /** Hands on the links that executions bring, where they may. */
  readonly openLinks?: ((taker: LinkTaker) => void) | undefined;
  /** What the far side said of itself. */
  readonly facts: Facts;
  /** What came behind its greeting. */
  readonly rest: Uint8Array;
  /** The address of the host it leads to. */
  readonly address: string | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;

const STDERR_MODES: ReadonlySet<string> = new Set(["inherit", "prefix", "piped", "null"]);

/** How much of what comes in place of a greeting is told. */
const MAX_NOISE_LENGTH = 200;

/** How long after the end of a process its last output is waited for. */
export const OUTPUT_GRACE_MS = 500;

/** How long the exit of a process is waited for once its connection has broken. */
const EXIT_GRACE_MS = 2_000;

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

/** What is connected, and how. */
export interface ConnectPlan {
  spec: XSpec;
  id: string;
  launcher: Launcher;
  options: GatewayOptions;
  trace?: GatewayTrace | undefined;
}

/**
 * Connects. Whatever fails, nothing that was started is left running.
 *
 * @throws {ConnectError} with the step that failed
 */
export async function connect(plan: ConnectPlan): Promise<Connection> {
  const { spec, id, options, trace } = plan;
  trace?.print([`${id} starting ${spec.type} execmodel=${spec.execmodel}`]);
  const timeout = Math.min(options.connectTimeout ?? CONNECT_TIMEOUT_MS, MAX_TIMER_MS);
  const clock = new AbortController();
  const timer = setTimeout(() => clock.abort(new DOMException("No greeting", "TimeoutError")), timeout);
  const { signal = clock.signal } = options;
  const limit = signal === clock.signal ? signal : AbortSignal.any([signal, clock.signal]);
  try {
    while (true) {
      const attempt = new Attempt(plan, limit, timeout);
      const connection = await attempt.run();
      if (connection === "again") continue;
      return trace === undefined ? connection : traceConnection(connection, id, trace.print);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** One start, of which there are more where something that was missing is brought there. */
class Attempt {
  readonly #plan: ConnectPlan;
  readonly #limit: AbortSignal;
  readonly #timeout: number;
  /** What came in place of a greeting. */
  readonly #noise: Noise = { text: "" };

  constructor(plan: ConnectPlan, limit: AbortSignal, timeout: number) {
    this.#plan = plan;
    this.#limit = limit;
    this.#timeout = timeout;
  }

  /** Resolves with the connection, or `again` when another attempt is worth it. */
  async run(): Promise<Connection | "again"> {
    const { launcher, id, options, trace } = this.#plan;
    const child = await this.#start();
    if (trace !== undefined) traceEnd(child, id, trace.print);
    const output = new Output(options.stderr ?? "inherit", id, child.output!, launcher.repeats);
    const limited = untilAborted(this.#limit);
    try {
      const met = await Promise.race([meet(child, this.#noise), limited.promise]);
      if ("version" in met && met.version === PROTOCOL_VERSION) {
        output.release();
        return { process: child, output, address: launcher.address, openLinks: child.openLinks, ...met };
      }
      if (!("end" in met)) {
        letGo(child);
        const diagnosis = "version" in met
          ? { kind: "version", state: `it speaks protocol ${met.version}, not ${PROTOCOL_VERSION}` } as const
          : this.#explain(met.reason);
        throw await this.#failed(child, output, diagnosis, "reason" in met ? met.reason : undefined);
      }
      // What it has printed last says why.
      await within(output.ended, OUTPUT_GRACE_MS);
      const diagnosis = await Promise.race([
        launcher.diagnose(met.end, output.tail, this.#limit),
        limited.promise,
      ]);
      letGo(child);
      if (diagnosis !== "again") {
        const silent = diagnosis.kind === "exit" && met.end.code === 0 && this.#noise.text !== "";
        throw await this.#failed(child, output, silent ? { ...diagnosis, kind: "noise" } : diagnosis);
      }
      output.drop();
      return "again";
    } catch (error) {
      letGo(child);
      if (error instanceof ConnectError && error !== this.#limit.reason) throw error;
      if (this.#limit.aborted) throw await this.#outOfTime(child, output);
      throw error instanceof ConnectProblem
        ? await this.#failed(child, output, this.#explain(error), error)
        : error;
    } finally {
      limited.release();
    }
  }

  async #start(): Promise<SpawnedProcess> {
    const { launcher } = this.#plan;
    const starting = launcher.start(this.#limit);
    const limited = untilAborted(this.#limit);
    try {
      return await Promise.race([starting, limited.promise]);
    } catch (error) {
      if (error !== OUT_OF_TIME && !this.#limit.aborted) throw this.#notStarted(error as Error);
    } finally {
      limited.release();
    }
    // Most starts hear of the signal themselves; one that does not is not waited for.
    const child = await within(starting.catch(() => undefined), EXIT_GRACE_MS);
    if (child !== undefined) {
      letGo(child);
      await within(child.ended, EXIT_GRACE_MS);
    } else {
      starting.then(letGo, () => {});
    }
    throw await this.#outOfTime(undefined, undefined);
  }

  /** Nothing was started at all: this program may not, or what starting takes is not there. */
  #notStarted(error: Error): ConnectError {
    const details = error instanceof ConnectProblem ? error.details : {};
    const missing = error instanceof Deno.errors.NotFound;
    const diagnosis = missing ? { kind: "no-deno", state: error.message } as const : this.#explain(error);
    return this.#error(diagnosis, details, error);
  }

  /** What it means that something could not be started, or that a connection broke. */
  #explain(reason: unknown): Diagnosis {
    const state = (reason as Error).message;
    if (reason instanceof ConnectProblem) return { kind: reason.kind, state };
    if (reason instanceof Deno.errors.NotCapable) {
      return { kind: "no-deno", state: `${state}: ${this.#plan.launcher.permissionHint}` };
    }
    return { kind: reason instanceof ProtocolError ? "noise" : "exit", state };
  }

  /** The error for a process that is let go of; what it printed last is part of it. */
  async #failed(
    child: SpawnedProcess,
    output: Output,
    diagnosis: Diagnosis,
    cause?: unknown,
  ): Promise<ConnectError> {
    const end = await within(child.ended, EXIT_GRACE_MS);
    await within(output.ended, OUTPUT_GRACE_MS);
    output.release();
    const { code: exitCode, signal } = end ?? {};
    return this.#error(diagnosis, { exitCode, signal: signal ?? undefined, stderrTail: output.tail }, cause);
  }

  #error(diagnosis: Diagnosis, details: ConnectErrorDetails, cause: unknown): ConnectError {
    const { spec, id } = this.#plan;
    const { kind, state, words = "" } = diagnosis;
    const { text } = this.#noise;
    const noise = text === "" ? "" : `; in place of a greeting came ${JSON.stringify(text)}`;
    const stderrTail = [details.stderrTail ?? "", words].filter((text) => text !== "").join("\n");
    return new (kind === "host" ? HostNotFoundError : ConnectError)(
      kind,
      `Cannot start gateway "${id}" (${shownSpec(spec)}): ${state}${noise}${
        stderrTail === "" ? "" : `; its last output: ${stderrTail}`
      }`,
      { ...details, stderrTail },
      cause === undefined ? undefined : { cause },
    );
  }

  /** The reason of the caller's signal, or the error of a start that took too long. */
  async #outOfTime(child: SpawnedProcess | undefined, output: Output | undefined): Promise<unknown> {
    const { launcher, options: { signal } } = this.#plan;
    if (child !== undefined) await within(child.ended, EXIT_GRACE_MS);
    if (signal?.aborted) return signal.reason;
    const printed = output !== undefined && output.tail !== "" && !launcher.printsApart;
    const noise = printed || this.#noise.text !== "";
    const diagnosis: Diagnosis = noise
      ? { kind: "noise", state: "it printed something else than a greeting" }
      : { kind: "timeout", state: `no greeting after ${this.#timeout} ms` };
    return child === undefined
      ? this.#error(diagnosis, {}, undefined)
      : await this.#failed(child, output!, diagnosis);
  }
}

/** How a process and this program met: by its greeting, or not. */
type Meeting = Greeting | { end: ProcessEnd } | { reason: unknown };

/**
 * The end of the connection and the end of the process are one event that is seen in either order, and before either
 * comes what the process has written last.
 */
async function meet(child: SpawnedProcess, noise: Noise): Promise<Meeting> {
  const broken = async (reason: unknown): Promise<Meeting> => {
    const known = [ProtocolError, ConnectProblem, Deno.errors.NotCapable].some((type) =>
      reason instanceof type
    );
    if (known) return { reason };
    const end = await within(child.ended, EXIT_GRACE_MS);
    return end === undefined ? { reason } : { end };
  };
  const met = greet(child, noise).catch(broken);
  const ended = child.ended.then(async (end) => {
    await within(met, OUTPUT_GRACE_MS);
    return { end };
  });
  return await Promise.race([met, ended]);
}

/** Ends a process that nobody will use. */
export function letGo(child: SpawnedProcess): void {
  child.kill();
  child.connected.then((transport) => transport.abort(), () => {});
}

interface Greeting {
  transport: Transport;
  version: number;
  facts: Facts;
  rest: Uint8Array;
}

/** The beginning of what is no greeting. */
interface Noise {
  text: string;
}

async function greet(child: SpawnedProcess, noise: Noise): Promise<Greeting> {
  const transport = await child.connected;
  const reader = new HelloReader();
  const buffer = new Uint8Array(16 * 1024);
  while (true) {
    const count = await transport.read(buffer);
    if (count === null) throw new Error("the connection ended before the greeting");
    const hello = reader.push(buffer.subarray(0, count));
    if (hello !== undefined) return { transport, ...hello };
    const rest = MAX_NOISE_LENGTH - noise.text.length;
    if (rest > 0) noise.text += new TextDecoder().decode(buffer.subarray(0, count)).slice(0, rest);
  }
}

/** What the wait for a greeting ends with; the reason of a signal may be any error. */
const OUT_OF_TIME = Symbol("out of time");

/** A promise that rejects with {@linkcode OUT_OF_TIME} when a signal is aborted, until it is released. */
function untilAborted(signal: AbortSignal): { promise: Promise<never>; release: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const abort = (): void => reject(OUT_OF_TIME);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return { promise, release: () => signal.removeEventListener("abort", abort) };
}
