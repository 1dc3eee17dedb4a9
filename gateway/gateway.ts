/** A gateway: the local handle of a Deno process that executes what it is sent. */

import type { Channel } from "../channel/channel.ts";
import { checkCoercion } from "../channel/coerce.ts";
import type { CoercionOptions } from "../channel/coerce.ts";
import type { ChannelEnd } from "../channel/channel_end.ts";
import { GatewayClosedError } from "../channel/errors.ts";
import { FrameType, makeFrame } from "../channel/frame.ts";
import type { Item } from "../channel/item.ts";
import { Session } from "../channel/session.ts";
import { checkTimeout, waitFor } from "../channel/wait.ts";
import type { WaitOptions } from "../channel/wait.ts";
import { narrow, withEnv } from "../xspec/mod.ts";
import type { PermissionsInit, XSpec } from "../xspec/mod.ts";
import type { Transport } from "../channel/transport.ts";
import { OUTPUT_GRACE_MS, within } from "./connect.ts";
import type { Connection } from "./connect.ts";
import type { ProcessEnd } from "./process/process.ts";
import type { Group } from "./group.ts";
import { dedent } from "./source.ts";
import { stop } from "./stop.ts";
import type { GatewayExit } from "./stop.ts";

/** How an execution runs. */
export interface ExecOptions {
  /** Ends the execution: its channel ends at once with a RemoteError named after the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds after which the execution is ended: its channel ends with a RemoteError named `TimeoutError`. */
  timeout?: number;
  /** What the execution may do, no more than its gateway; by default the same. Not for `execmodel=main`. */
  permissions?: PermissionsInit;
  /** A name for the code, which stacks then show beside `<remote exec>`. */
  name?: string;
}

/** What a gateway's process does at the moment. */
export interface RemoteStatus {
  /** Executions that run. */
  numExecuting: number;
  /** Executions that wait for a place. */
  numQueued: number;
  /** Channels that are open. */
  numChannels: number;
  /** Executions that were ended but never yield, so that they cannot be stopped (`execmodel=worker` only). */
  numRunaway: number;
  /** Where executions run: `worker`, `main` or `process`. */
  execmodel: string;
  /** Resident memory of the process in bytes. */
  rss: number;
  /** Milliseconds since the agent started. */
  uptime: number;
}

/** What a gateway's process is. */
export interface RemoteInfo {
  /** Its process id. */
  pid: number;
  /** Its working directory. */
  cwd: string;
  /** Its operating system, as `Deno.build.os` says it. */
  os: string;
  /** Its processor, as `Deno.build.arch` says it. */
  arch: string;
  /** Its version of Deno. */
  deno: string;
  /** Its version of V8. */
  v8: string;
  /** Its version of TypeScript. */
  typescript: string;
  /** Its host name, with `allow-sys=hostname`. */
  hostname?: string;
  /** What executions may do, as spec keys. */
  permissions: string[];
}

/** Times of the ladder that ends a gateway, in milliseconds. */
const DISPOSE_TIMEOUT_MS = 5_000;

/**
 * The local handle of a process that executes what it is sent. Made by {@linkcode makeGateway} or a group.
 *
 * - Executions run concurrently; each has a {@linkcode Channel}.
 * - The process ends with its gateway, with its group, and with this program, however that ends.
 */
export class Gateway implements AsyncDisposable {
  /** The gateway's id, unique in its group. */
  readonly id: string;
  /** The spec it was made from. */
  readonly spec: XSpec;
  /** The group it belongs to. */
  readonly group: Group;
  /** The address of the host it runs on, for gateways elsewhere. */
  readonly remoteAddress?: string;
  /** Resolves when the gateway has ended, with how; never rejects. */
  readonly closed: Promise<GatewayExit>;
  /** What the far side prints, with `stderr: "piped"`. */
  readonly stderr?: ReadableStream<Uint8Array>;
  readonly #session: Session;
  readonly #connection: Connection;
  readonly #leave: () => void;
  readonly #connectionEnded: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #processEnd: Promise<ProcessEnd>;
  #ended: (ProcessEnd & { stderrTail: string }) | undefined;
  #info: RemoteInfo;
  #exiting = false;
  #stopping: Promise<GatewayExit> | undefined;

  /** Made by a group, never by its users. */
  constructor(id: string, spec: XSpec, group: Group, connection: Connection, leave: () => void) {
    this.id = id;
    this.spec = spec;
    this.group = group;
    this.#connection = connection;
    this.#leave = leave;
    const { process, output } = connection;
    this.#processEnd = process.ended.then(async (end) => {
      // A moment for the last lines; a reader that does not read them must not hold up the end.
      await within(output.ended, OUTPUT_GRACE_MS);
      this.#ended = { ...end, stderrTail: output.tail };
      return end;
    });
    this.#info = connection.facts as unknown as RemoteInfo;
    if (connection.output.stream !== undefined) this.stderr = connection.output.stream;
    this.#session = new Session(this.#watchedTransport(), {
      name: id,
      firstId: 1,
      gateway: this,
      keepalive: spec.keepalive ?? 0,
      unrefTimer: (timer) => Deno.unrefTimer(timer as unknown as number),
      sharedFarSide: spec.execmodel === "main",
      handlers: { busy: (busy) => process.keepAlive(busy) },
      explain: (reason) => this.#explain(reason),
    });
    process.keepAlive(false);
    this.closed = this.#watch();
    this.#session.start(connection.rest);
  }

  /** Whether the connection is alive. */
  hasReceiver(): boolean {
    return this.#session.alive;
  }

  /**
   * Executes TypeScript. Returns at once; the channel leads to the code, which finds its end as the global `channel`.
   *
   * @throws {GatewayClosedError} when the gateway has ended
   * @throws {TypeError} when there is nothing to execute
   * @throws {RangeError} when the execution is to be allowed more than its gateway, or a timeout is negative
   */
  remoteExec(source: string, options: ExecOptions = {}): Channel<Item, Item, Gateway> {
    if (typeof source !== "string") {
      throw new TypeError(
        `Cannot execute on gateway "${this.id}": the source must be a string, got ${typeof source}`,
      );
    }
    const { signal, timeout, permissions, name } = options;
    checkTimeout(timeout);
    if (permissions !== undefined && this.spec.execmodel === "main") {
      throw new TypeError(
        `Cannot execute on gateway "${this.id}" with permissions of its own: execmodel=main runs all in one isolate`,
      );
    }
    if (permissions !== undefined) {
      const held = withEnv(this.spec.permissions, Object.keys(this.spec.env));
      narrow(held, permissions, this.#info.cwd);
    }
    const end = this.#session.exec({ permissions });
    const channel = this.#session.facade(end) as Channel<Item, Item, Gateway>;
    end.send({ source: dedent(source), name }).catch(() => {
      // The channel's own end says why.
    });
    this.#bound(end, signal, timeout);
    return channel;
  }

  /** Ends an execution at its deadline or by its signal. */
  #bound(end: ChannelEnd, signal: AbortSignal | undefined, timeout: number | undefined): void {
    if (signal === undefined && timeout === undefined) return;
    const limit = new AbortController();
    const onAbort = (): void => limit.abort(asError(signal!.reason));
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (timeout !== undefined && timeout < 2 ** 31) {
      timer = setTimeout(() => {
        limit.abort(new DOMException(`The execution took longer than ${timeout} ms`, "TimeoutError"));
      }, timeout);
      Deno.unrefTimer(timer);
    }
    limit.signal.addEventListener("abort", () => this.#session.kill(end, limit.signal.reason));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    end.onEnd(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    });
  }

  /**
   * Makes a channel that leads nowhere yet: the far side gets its other end by receiving it in an item.
   *
   * @throws {GatewayClosedError} when the gateway has ended
   */
  newChannel<R = Item, S = Item>(): Channel<R, S, Gateway> {
    return this.#session.newChannel() as unknown as Channel<R, S, Gateway>;
  }

  /**
   * Turns kinds of values into others in every item that is received here on channels that are made from now on: those of
   * `remoteExec` and `newChannel`, and those that are received in an item. See {@linkcode CoercionOptions}.
   *
   * A later call replaces all options of an earlier one; a channel can have its own by `channel.reconfigure`.
   *
   * @throws {TypeError} when an option is unknown or no boolean
   */
  reconfigure(options: CoercionOptions): void {
    this.#session.coercion = checkCoercion(options, `gateway "${this.id}"`);
  }

  /** What the process does; answered though every execution is busy. */
  remoteStatus(options?: WaitOptions): Promise<RemoteStatus> {
    return this.#session.request("status", options) as Promise<RemoteStatus>;
  }

  /** What the process is, as it said at its start; with `update`, as it is now. */
  async remoteInfo(options: WaitOptions & { update?: boolean } = {}): Promise<RemoteInfo> {
    if (options.update) this.#info = await this.#session.request("info", options) as RemoteInfo;
    return structuredClone(this.#info);
  }

  /** Asks the process to end, and leaves the group. Idempotent; does not wait. After five seconds it is killed. */
  exit(): void {
    if (this.#exiting) return;
    this.#exiting = true;
    this.#leave();
    this.#session.control(makeFrame(FrameType.TERMINATE, 0));
    this.#killAfter(DISPOSE_TIMEOUT_MS);
  }

  /** Kills the process if it is still there after a while. */
  #killAfter(ms: number): void {
    const { process } = this.#connection;
    const timer = setTimeout(() => process.kill(), ms);
    Deno.unrefTimer(timer);
    void process.ended.then(() => clearTimeout(timer));
  }

  /**
   * Waits for the end.
   *
   * @throws {TimeoutError} when it has not come in time; the gateway stays as it is
   */
  async join(options?: WaitOptions): Promise<GatewayExit> {
    this.#connection.process.keepAlive(true);
    try {
      return await waitFor(this.closed, options, () => `Gateway "${this.id}" has not ended`);
    } finally {
      this.#connection.process.keepAlive(false);
    }
  }

  /** Ends the gateway: asks, then after `timeout` milliseconds kills the whole process tree. Always ends in bounded time. */
  terminate(timeout: number = DISPOSE_TIMEOUT_MS): Promise<GatewayExit> {
    this.exit();
    this.#connection.process.keepAlive(true);
    this.#stopping ??= stop(this.#connection.process, this.closed, timeout);
    return this.#stopping.finally(() => this.#connection.process.keepAlive(false));
  }

  /** Ends the gateway and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  async #watch(): Promise<GatewayExit> {
    const { process, output } = this.#connection;
    let reason: unknown;
    const connectionEnded = this.#session.ended.then((first) => reason = first);
    await Promise.race([this.#connectionEnded.promise, connectionEnded, process.ended]);
    // A connection that has ended or failed leaves the process no reason to live; it gets a moment to end by itself.
    this.#killAfter(ORPHAN_GRACE_MS);
    const end = await this.#processEnd;
    this.#session.fail(reason);
    this.#leave();
    const { code, signal } = end;
    return {
      code,
      signal: signal ?? undefined,
      forced: process.killed,
      reason: this.#exiting ? "requested" : describeReason(reason, code, signal),
      stderrTail: output.tail,
    };
  }

  /** The transport, but for its end: that is passed on together with the end of the process, which says why. */
  #watchedTransport(): Transport {
    const { transport } = this.#connection;
    const explained = async (): Promise<void> => {
      this.#connectionEnded.resolve();
      await within(this.#processEnd, ORPHAN_GRACE_MS * 2);
    };
    return {
      read: async (into) => {
        try {
          const count = await transport.read(into);
          if (count === null) await explained();
          return count;
        } catch (error) {
          await explained();
          if (this.#ended !== undefined) return null;
          throw error;
        }
      },
      write: async (bytes, whole) => {
        try {
          await transport.write(bytes, whole);
        } catch (error) {
          await explained();
          throw error;
        }
      },
      close: () => transport.close(),
      abort: () => transport.abort(),
      writeBudget: transport.writeBudget,
    };
  }

  #explain(reason: unknown): Error {
    const requested = this.#exiting && reason === undefined;
    const details = this.#ended;
    const how = requested
      ? "it was asked to exit"
      : reason instanceof Error
      ? `${reason.name}: ${reason.message}`
      : details === undefined
      ? "the connection ended"
      : details.signal === null
      ? `its process ended with code ${details.code}`
      : `its process was ended by ${details.signal}`;
    const tail = details?.stderrTail ?? "";
    return new GatewayClosedError(
      `Gateway "${this.id}" is closed: ${how}${requested || tail === "" ? "" : `; its last output: ${tail}`}`,
      { code: details?.code, signal: details?.signal ?? undefined, stderrTail: tail, requested },
      reason === undefined ? undefined : { cause: reason },
    );
  }
}

/** A process whose connection has broken gets this long to end by itself. */
const ORPHAN_GRACE_MS = 1_000;

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new DOMException(String(reason), "AbortError");
}

function describeReason(reason: unknown, code: number, signal: string | null): string {
  if (reason instanceof Error) return `${reason.name}: ${reason.message}`;
  return signal === null ? `the process ended with code ${code}` : `the process was ended by ${signal}`;
}
