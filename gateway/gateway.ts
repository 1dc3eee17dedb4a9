/** A gateway: the local handle of a Deno process that executes what it is sent. */

import type { Channel } from "../channel/channel.ts";
import type { ChannelStatus } from "../channel/channel_end.ts";
import { checkCoercion } from "../channel/coerce.ts";
import type { CoercionOptions } from "../channel/coerce.ts";
import { FrameType, makeFrame } from "../channel/frame.ts";
import type { Item } from "../channel/item.ts";
import type { Mirrored, MirroredArgs } from "../channel/mirrored.ts";
import { Session } from "../channel/session.ts";
import { checkTimeout, waitFor, within } from "../channel/wait.ts";
import type { WaitOptions } from "../channel/wait.ts";
import { keepaliveOf } from "../xspec/mod.ts";
import type { XSpec } from "../xspec/mod.ts";
import type { Connection } from "./connect.ts";
import { Ending } from "./ending.ts";
import type { Group } from "./group.ts";
import { shipCallable } from "./callable.ts";
import type { Callable } from "./callable.ts";
import { Calls } from "./calls.ts";
import { Executions } from "./executions.ts";
import type {
  ExecOptions,
  Executable,
  JobChannel,
  KwargsOf,
  ModuleFunction,
  ModuleOptions,
  Streamable,
} from "./executions.ts";
import type { PoolMember } from "./pool_map.ts";
import { doorOf, executableOf } from "./transport/via.ts";
import type { Hop } from "./transport/via.ts";
import { Services } from "./services.ts";
import type { Lent, Trade } from "./services.ts";
import type { AnyFunction, Shipping } from "./shipping/shipping.ts";
import { iterateRemotely } from "./stream.ts";
import { stop } from "./stop.ts";
import type { GatewayExit } from "./stop.ts";
import type { GatewayTelemetry } from "./telemetry/gateway_telemetry.ts";

/** What a far side says of its processors is believed up to here. */
const MAX_SERVICES = 1_024;

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
  /** The windows of the open channels, as this side sees them; those that carry calls and copies are left out. */
  channels: ChannelStatus[];
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
  /** How many processors it may use. */
  cpus: number;
  /** What executions may do, as spec keys. */
  permissions: string[];
}

/** Times of the ladder that ends a gateway, in milliseconds. */
const DISPOSE_TIMEOUT_MS = 5_000;

/** A call is not ended by what it waits for. */
const NEVER = new AbortController().signal;

/** What was started from a gateway, or is about to be. */
export interface Hanging {
  /** Asks it to end; does not wait. */
  exit(): void;
  /** Ends it, in so many milliseconds or by force. */
  terminate(timeout: number): Promise<unknown>;
  /** Settles when it has ended, with all that it leaves. */
  readonly gone: Promise<unknown>;
}

function allGone(hanging: readonly Hanging[]): Promise<unknown> {
  return Promise.allSettled(hanging.map(({ gone }) => gone));
}

/**
 * The local handle of a process that executes what it is sent. Made by {@linkcode makeGateway} or a group.
 *
 * - Executions run concurrently; each has a {@linkcode Channel}.
 * - The process ends with its gateway, with its group, and with this program, however that ends.
 *
 * @example
 * ```ts
 * import { makeGateway } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * assertEquals(await gateway.call((a: number, b: number) => a + b, 40, 2), 42);
 *
 * const channel = gateway.remoteExec(`await channel.send(typeof Deno.pid);`);
 * assertEquals(await channel.receive(), "number");
 *
 * const numbers = gateway.stream(function* (to: number) {
 *   for (let n = 1; n <= to; n++) yield n;
 * }, 3);
 * assertEquals(await Array.fromAsync(numbers), [1, 2, 3]);
 * ```
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
  readonly #shipping: Shipping;
  readonly #telemetry: GatewayTelemetry | undefined;
  readonly #executions: Executions;
  readonly #calls: Calls;
  readonly #services: Services;
  readonly #ending: Ending;
  #info: RemoteInfo;
  readonly #hanging = new Set<Hanging>();
  #stopping: Promise<GatewayExit> | undefined;

  /** Made by a group, never by its users. */
  constructor(
    id: string,
    spec: XSpec,
    group: Group,
    connection: Connection,
    { leave, shipping, telemetry }: GatewayParts,
  ) {
    this.id = id;
    this.spec = spec;
    this.group = group;
    this.#connection = connection;
    this.#leave = leave;
    const { process } = connection;
    this.#ending = new Ending(id, connection);
    this.#info = connection.facts as unknown as RemoteInfo;
    if (connection.output.stream !== undefined) this.stderr = connection.output.stream;
    if (connection.address !== undefined) this.remoteAddress = connection.address;
    this.#session = new Session(this.#ending.transport, {
      name: id,
      firstId: 1,
      gateway: this,
      keepalive: keepaliveOf(spec),
      unrefTimer: (timer) => Deno.unrefTimer(timer as unknown as number),
      sharedFarSide: spec.execmodel === "main",
      takesLinks: connection.openLinks !== undefined,
      handlers: { busy: (busy) => process.keepAlive(busy) },
      explain: (reason) => this.#ending.explain(reason),
    });
    this.#shipping = shipping;
    this.#telemetry = telemetry;
    telemetry?.watchChannels(() => this.#session.channelCount);
    const cwd = (): string => this.#info.cwd;
    this.#executions = new Executions({ session: this.#session, spec, shipping, telemetry, cwd });
    this.#services = new Services(this.#session, this.#executions, telemetry);
    this.#calls = new Calls(() => this.#services.calls(), this.#usefulServices);
    process.keepAlive(false);
    this.closed = this.#ending.watch(this.#session, (exit) => {
      leave();
      telemetry?.closed(exit);
    });
    connection.openLinks?.({
      link: (link, number) => this.#session.addLink(link, number),
      noMore: () => this.#session.noMoreLinks(),
    });
    this.#session.start(connection.rest);
  }

  /** Whether the connection is alive. */
  hasReceiver(): boolean {
    return this.#session.alive;
  }

  /**
   * Executes a function with its channel and `kwargs`. Returns at once; the channel leads to the code. The function must
   * be pure: it is sent as text.
   *
   * @typeParam In what the function receives, and is sent here
   * @typeParam Out what the function sends, and is received here
   * @throws {GatewayClosedError} when the gateway has ended
   * @throws {TypeError} when the function refers to anything that does not exist over there, with its name and place
   * @throws {DumpError} when the kwargs cannot be sent; nothing has been sent then
   * @throws {RangeError} when the execution is to be allowed more than its gateway, or a timeout is negative
   */
  remoteExec<In = Item, Out = Item, K = undefined>(
    fn: (channel: Channel<In, Out>, kwargs: K) => unknown,
    kwargs?: K,
    options?: ExecOptions,
  ): Channel<Out, In, Gateway>;
  /** Executes a function whose kwargs hold channels; each side sees them from its own end. */
  remoteExec<In = Item, Out = Item, K = undefined>(
    fn: (channel: Channel<In, Out>, kwargs: K) => unknown,
    kwargs: Mirrored<K>,
    options?: ExecOptions,
  ): Channel<Out, In, Gateway>;
  /**
   * Executes TypeScript text, which finds its channel as the global `channel`. Common indentation is removed; top-level
   * `await`, imports and types work.
   */
  remoteExec<In = Item, Out = Item>(source: string, options?: ExecOptions): Channel<Out, In, Gateway>;
  /**
   * Executes a local module with everything it imports, bundled with its current content; of a program that came over
   * http, one of its web server, as Deno's cache has it. A function that it exports as default is called with
   * `(channel, kwargs)` after the module has run; `remoteExec<typeof job>(url, { kwargs })` takes all types from it.
   */
  remoteExec<Job extends ModuleFunction = ModuleFunction>(
    module: URL,
    options?: ModuleOptions<Mirrored<KwargsOf<Job>>>,
  ): JobChannel<Job, Gateway>;
  /** Executes a local module whose default export gets `kwargs`. */
  remoteExec<Job extends ModuleFunction = ModuleFunction>(
    module: URL,
    kwargs: Mirrored<KwargsOf<Job>>,
    options: ExecOptions,
  ): JobChannel<Job, Gateway>;
  /** Executes a local module; the types of its channel are given. */
  remoteExec<In, Out>(module: URL, options?: ModuleOptions): Channel<Out, In, Gateway>;
  /** Executes a local module whose default export gets `kwargs`; the types of its channel are given. */
  remoteExec<In, Out>(module: URL, kwargs: unknown, options: ExecOptions): Channel<Out, In, Gateway>;
  remoteExec(source: Executable, ...rest: unknown[]): Channel<Item, Item, Gateway> {
    const [kwargs, options] = splitArguments(source, rest);
    return this.#session.facade(this.#executions.start(source, kwargs, options)) as Channel<
      Item,
      Item,
      Gateway
    >;
  }

  /**
   * Calls a pure function over there, and gives what it returns.
   *
   * - Calls run concurrently in one isolate and share its globals. Where that has been silent for 30 ms it is taken to
   *   be busy, and a further call gets another isolate, of which there is one for each processor at the most.
   * - A call cannot be ended; an execution can (`remoteExec`).
   *
   * @throws {TypeError} when the function refers to anything that does not exist over there
   * @throws {DumpError} when an argument cannot be sent, with its path
   * @throws {RemoteError} what the function throws
   * @throws {GatewayClosedError} when the gateway has ended, or ends meanwhile
   */
  call<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Promise<Awaited<R>>;
  /** Calls a function with channels among its arguments; each side sees them from its own end. */
  call<A extends unknown[], R>(fn: (...args: A) => R, ...args: MirroredArgs<A>): Promise<Awaited<R>>;
  /**
   * Calls a function that a local module exports, which is bundled with everything it imports, with its current content.
   * The fragment of the URL names the export; without one it is the default export.
   */
  call<F extends (...args: never[]) => unknown = (...args: unknown[]) => unknown>(
    module: URL,
    ...args: Parameters<F>
  ): Promise<Awaited<ReturnType<F>>>;
  /** Calls what a TypeScript expression gives, which is not evaluated here. */
  call<R = unknown>(expression: string, ...args: unknown[]): Promise<Awaited<R>>;
  async call(source: Callable, ...args: unknown[]): Promise<unknown> {
    const shipped = shipCallable(this.id, this.#shipping, source);
    const shipment = typeof shipped === "function" ? await shipped(NEVER) : shipped;
    return await this.#calls.call(shipment, args);
  }

  /**
   * Calls a pure function that gives an iterable, most often a generator, and iterates over its items here. Each
   * iteration is an execution of its own; leaving the loop stops the generator. A slow loop slows the generator.
   *
   * @throws {TypeError} when the function refers to anything that does not exist over there
   */
  stream<A extends unknown[], T>(fn: (...args: A) => Streamable<T>, ...args: A): AsyncIterable<T>;
  /** Streams from a function with channels among its arguments; each side sees them from its own end. */
  stream<A extends unknown[], T>(
    fn: (...args: A) => Streamable<T>,
    ...args: MirroredArgs<A>
  ): AsyncIterable<T>;
  stream(fn: AnyFunction, ...args: unknown[]): AsyncIterable<unknown> {
    const shipment = this.#shipping.shipFunction(fn, { channel: false });
    return iterateRemotely(() => this.#session.facade(this.#executions.stream(shipment, args)));
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
  async remoteStatus(options?: WaitOptions): Promise<RemoteStatus> {
    const answer = await this.#session.request("status", options);
    const { bypassed, routed, ...status } = answer as RemoteStatus & {
      bypassed?: number[];
      routed?: number[];
    };
    const services = this.#services;
    const linked = Array.isArray(bypassed) ? bypassed.filter((id) => this.#session.executes(id)) : [];
    const ended = Array.isArray(routed) ? routed.filter((id) => this.#session.hasEnded(id)).length : 0;
    status.numExecuting += services.outstanding + linked.length - ended;
    // The channel of each.
    status.numChannels -= ended;
    for (const end of this.#session.bypassed) if (!services.has(end)) status.numChannels++;
    status.channels = [...this.#session.ends].filter((end) => !services.has(end) && !end.background)
      .map((end) => end.status);
    return status;
  }

  /** Services beyond that run on no processor of their own. */
  get #usefulServices(): number {
    const { cpus } = this.#info;
    const known = typeof cpus === "number" && cpus >= 1;
    return this.spec.execmodel === "main" || !known ? 1 : Math.min(cpus, MAX_SERVICES);
  }

  /** For copies: an execution for one of them. */
  static lend(gateway: Gateway, trade: Trade): Lent {
    return gateway.#services.lend(trade);
  }

  /** For groups: looks at what is to be called. */
  static ship(gateway: Gateway, source: Callable): ReturnType<typeof shipCallable> {
    return shipCallable(gateway.id, gateway.#shipping, source);
  }

  /** For groups: a gateway from which others are started. */
  static asHop(gateway: Gateway): Hop {
    const { facts } = gateway.#connection;
    return {
      id: gateway.id,
      address: gateway.remoteAddress,
      executable: executableOf(facts),
      door: doorOf(facts),
      program: (command, extras) => gateway.#executions.program(command, extras),
      link: (id) => gateway.#executions.link(id),
      keepAlive: (keep) => gateway.#connection.process.keepAlive(keep),
    };
  }

  /** For groups: what was started from `hop` ends before that. */
  static hang(hanging: Hanging, hop: Gateway): void {
    hop.#hanging.add(hanging);
    const over = (): void => void hop.#hanging.delete(hanging);
    hanging.gone.then(over, over);
  }

  /** For groups: a gateway as a member of a pool. */
  static poolMember(gateway: Gateway): PoolMember {
    return {
      startService: () => gateway.#services.calls(),
      cpus: gateway.#usefulServices,
      telemetry: gateway.#telemetry,
    };
  }

  /** What the process is, as it said at its start; with `update`, as it is now. */
  async remoteInfo(options: WaitOptions & { update?: boolean } = {}): Promise<RemoteInfo> {
    if (options.update) this.#info = await this.#session.request("info", options) as RemoteInfo;
    return structuredClone(this.#info);
  }

  /**
   * Asks the process to end, and leaves the group. Idempotent; does not wait. After five seconds it is killed. What was
   * started from it ends before it.
   */
  exit(): void {
    if (this.#ending.requested) return;
    this.#ending.requested = true;
    this.#telemetry?.closing();
    this.#leave();
    const hanging = [...this.#hanging];
    for (const one of hanging) one.exit();
    const ask = (): void => {
      this.#session.control(makeFrame(FrameType.TERMINATE, 0));
      this.#ending.killAfter(DISPOSE_TIMEOUT_MS);
    };
    if (hanging.length === 0) ask();
    else void within(allGone(hanging), DISPOSE_TIMEOUT_MS).then(ask);
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

  /**
   * Ends the gateway: asks, then after `timeout` milliseconds kills the whole process tree. Always ends in bounded time.
   *
   * @throws {TypeError} when the timeout is no number
   * @throws {RangeError} when the timeout is negative or not a number
   */
  async terminate(timeout: number = DISPOSE_TIMEOUT_MS): Promise<GatewayExit> {
    checkTimeout(timeout);
    this.#connection.process.keepAlive(true);
    this.#ending.terminating = true;
    this.#stopping ??= this.#stop(timeout);
    return await this.#stopping.finally(() => this.#connection.process.keepAlive(false));
  }

  /** What was started from it ends first, in a time of its own. */
  async #stop(timeout: number): Promise<GatewayExit> {
    if (this.#hanging.size > 0) {
      this.#leave();
      const hanging = [...this.#hanging];
      await Promise.all(hanging.map((one) => one.terminate(timeout)));
      await within(allGone(hanging), DISPOSE_TIMEOUT_MS);
    }
    this.exit();
    return await stop(this.id, this.#connection.process, this.closed, timeout);
  }

  /** Ends the gateway and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }
}

/** What a gateway needs besides its connection. */
export interface GatewayParts {
  /** Takes it out of its group. */
  leave: () => void;
  /** Looks at what is to be executed. */
  shipping: Shipping;
  /** Is told what happens, where anybody wants to know. */
  telemetry: GatewayTelemetry | undefined;
}

/** Text and modules take options, functions take kwargs before them; a module may, too. */
function splitArguments(source: unknown, rest: unknown[]): [kwargs: unknown, options: ExecOptions] {
  if (typeof source === "function") return [rest[0], (rest[1] ?? {}) as ExecOptions];
  const inFront = source instanceof URL && rest.length > 1;
  const { kwargs, ...options } = (rest[inFront ? 1 : 0] ?? {}) as ModuleOptions;
  return [inFront ? rest[0] ?? kwargs : kwargs, options];
}
