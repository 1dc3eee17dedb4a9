/** A group of gateways: made together, found by id, ended together. */

import type { Channel } from "../channel/channel.ts";
import type { Item } from "../channel/item.ts";
import { shownSpec, XSpec, XSpecError } from "../xspec/mod.ts";
import type { XSpecInit } from "../xspec/mod.ts";
import { waitFor, within } from "../channel/wait.ts";
import { checkOptions, connect, letGo } from "./connect.ts";
import type { Connection, GatewayOptions } from "./connect.ts";
import { Gateway } from "./gateway.ts";
import type { Callable } from "./callable.ts";
import type {
  ExecOptions,
  Executable,
  JobChannel,
  KwargsOf,
  ModuleFunction,
  ModuleOptions,
} from "./executions.ts";
import type { Shipping } from "./shipping/shipping.ts";
import { MultiChannel } from "./multi_channel.ts";
import type { AnyChannel } from "./multi_channel.ts";
import { ConnectError } from "./errors.ts";
import { checkHops, hopOf } from "./hops.ts";
import { checkSpec, makeLauncher, Shared, spread } from "./launch.ts";
import { loadShipping } from "./load_shipping.ts";
import { watchGateway } from "./load_telemetry.ts";
import { checkMapOptions, idsOf, poolMap } from "./pool_map.ts";
import type { MapOptions } from "./pool_map.ts";
import type { GatewayExit } from "./stop.ts";
import type { GatewayTelemetry } from "./telemetry/gateway_telemetry.ts";
import { traceFromEnv } from "./trace.ts";

/** A gateway that is to be made, and where. */
type Place = ReturnType<typeof spread>[number];

/** What a gateway is made of. */
interface Started {
  connection: Connection;
  shipping: Shipping;
  telemetry: GatewayTelemetry | undefined;
}

/** How {@linkcode Group.terminate} ends its gateways. */
export interface TerminateOptions {
  /** Milliseconds that each gateway gets to end by itself; by default 5 000. Then its process tree is killed. */
  timeout?: number;
}

const TERMINATE_TIMEOUT_MS = 5_000;

/** How long the end of a group waits for what its gateways leave to be given back; that goes on without it. */
const GIVE_BACK_TIMEOUT_MS = 5_000;

/** What is under way and may be waited for. */
class Leaving {
  readonly #all = new Set<Promise<void>>();

  /** Adds something that never rejects. */
  add(leaving: Promise<void>): void {
    this.#all.add(leaving);
    void leaving.then(() => this.#all.delete(leaving));
  }

  /** Waits for all of it. */
  async done(): Promise<void> {
    // The last gateway has ended just now, and what it leaves is known a moment later.
    await Promise.resolve();
    await Promise.all(this.#all);
  }
}

/**
 * A collection of gateways in the order they were made. Disposing of it ends them all.
 *
 * @example
 * ```ts
 * import { Group } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using group = await Group.create(["popen//id=ann", "popen//id=ben"]);
 * const lengths = group.map((word: string) => word.length, ["a", "bb", "ccc"], { ordered: true });
 * assertEquals(await Array.fromAsync(lengths), [1, 2, 3]);
 *
 * const channels = group.remoteExec(`await channel.send(channel.gateway.id);`);
 * assertEquals(await channels.receiveEach(), ["ann", "ben"]);
 * ```
 */
export class Group implements AsyncDisposable, Iterable<Gateway> {
  /** What {@linkcode Group.makeGateway} makes without a spec. */
  defaultSpec = "popen";
  readonly #gateways = new Map<string, Gateway>();
  /** The specs of gateways that are there or are being made, by the ids that they have taken. */
  readonly #taken = new Map<string, XSpec>();
  /** Ends the starts of gateways that are under way. */
  readonly #starting = new Set<AbortController>();
  /** Gateways that are being made, by their ids. */
  readonly #making = new Map<string, Promise<Gateway>>();
  /** What its gateways elsewhere share. */
  readonly #shared: Shared = new Shared();
  /** What is given back because nobody needs it any more. */
  readonly #leaving = new Leaving();
  /** Gateways that were asked to end and have not ended yet. */
  readonly #ending = new Set<Gateway>();
  #counter = 0;

  /**
   * Makes a group and its gateways, which start in parallel. When one fails, all end and the group is empty.
   *
   * @throws {XSpecError} before anything is started
   * @throws {ConnectError} of the first gateway that cannot be made
   */
  static async create(
    specs: Iterable<string | XSpec | XSpecInit>,
    options: GatewayOptions = {},
  ): Promise<Group> {
    const group = new Group();
    const asked = [...specs].map((spec) => new XSpec(spec));
    for (const spec of asked) checkSpec(spec);
    checkOptions(options);
    const places = asked.flatMap(spread);
    const parsed = places.map(({ spec }) => spec);
    // Ids that were asked for come first: those that are given out go round them.
    for (const spec of parsed) if (spec.id !== undefined) group.#take(spec);
    for (const spec of parsed) if (spec.id === undefined) group.#take(spec);
    checkHops(parsed, new Map());
    const abort = new AbortController();
    const signal = options.signal === undefined
      ? abort.signal
      : AbortSignal.any([options.signal, abort.signal]);
    let first: unknown;
    await Promise.all(places.map((place) =>
      group.#make(place, { ...options, signal }).catch((error) => {
        if (!abort.signal.aborted) first = error;
        abort.abort(error);
      })
    ));
    if (abort.signal.aborted) {
      await group.terminate();
      throw first;
    }
    group.#order(parsed);
    return group;
  }

  /** Puts gateways that started at the same time in the order of their specs. */
  #order(specs: readonly XSpec[]): void {
    for (const { id } of specs) {
      const gateway = this.#gateways.get(id!);
      if (gateway === undefined) continue;
      this.#gateways.delete(id!);
      this.#gateways.set(id!, gateway);
    }
  }

  /** How many gateways there are. */
  get size(): number {
    return this.#gateways.size;
  }

  /**
   * Makes a gateway. Resolves once the far side has answered; whatever fails, nothing is left running.
   *
   * @throws {XSpecError} when the spec is not valid or its id is taken, before anything is started
   * @throws {ConnectError} when the gateway cannot be made
   */
  async makeGateway(spec?: string | XSpec | XSpecInit, options: GatewayOptions = {}): Promise<Gateway> {
    const parsed = spec instanceof XSpec
      ? spec
      : new XSpec(spec === undefined || spec === "" ? this.defaultSpec : spec);
    checkSpec(parsed);
    checkOptions(options);
    checkHops([parsed], this.#taken);
    if ((parsed.nodes ?? 1) > 1) {
      throw new XSpecError(
        `Cannot make a gateway of "${
          shownSpec(parsed)
        }": ${parsed.nodes} nodes are ${parsed.nodes} gateways, which Group.create makes`,
        String(parsed),
        "nodes",
      );
    }
    const [place] = spread(parsed);
    this.#take(parsed);
    return await this.#make(place!, options);
  }

  /** Makes a gateway whose id is taken already, unless the group is ended meanwhile. */
  #make(place: Place, options: GatewayOptions): Promise<Gateway> {
    const id = place.spec.id!;
    const abort = new AbortController();
    this.#starting.add(abort);
    const signal = options.signal === undefined
      ? abort.signal
      : AbortSignal.any([options.signal, abort.signal]);
    const from = hopOf(place.spec);
    const find = (): Promise<Gateway> | Gateway | undefined =>
      from === undefined ? undefined : this.#making.get(from) ?? this.#gateways.get(from);
    const hop = find();
    const make = (): Promise<Gateway> =>
      this.#makeNow(place, id, { ...options, signal }, hop ?? find(), abort);
    // It starts with what the program is at this moment, e.g. its working directory; but what it is started from may be
    // made in the same turn.
    const made = from === undefined ? make() : Promise.resolve().then(make);
    this.#making.set(id, made);
    const over = (): void => {
      this.#making.delete(id);
      this.#starting.delete(abort);
    };
    made.then(over, over);
    return made;
  }

  async #makeNow(
    place: Place,
    id: string,
    options: GatewayOptions,
    from: Promise<Gateway> | Gateway | undefined,
    abort: AbortController,
  ): Promise<Gateway> {
    const { spec } = place;
    const leave = async (): Promise<void> => {
      if (place.node === undefined) return;
      const leaving = place.node.nodes.leave();
      this.#leaving.add(leaving);
      await leaving;
    };
    const over = Promise.withResolvers<void>();
    try {
      const hop = from === undefined
        ? undefined
        : await waitFor(Promise.resolve(from), { signal: options.signal! }, () => "");
      if (hop !== undefined) {
        const why = `Cannot start gateway "${id}": gateway "${hop.id}" was told to end`;
        const exit = (): void => abort.abort(new ConnectError("exit", why));
        Gateway.hang({ exit, terminate: () => Promise.resolve(exit()), gone: over.promise }, hop);
      }
      const { connection, ...parts } = await this.#start(place, id, options, hop);
      const leaveGroup = (): void => this.#remove(gateway);
      const gateway: Gateway = new Gateway(id, spec, this, connection, { ...parts, leave: leaveGroup });
      const gone = gateway.closed.then(leave);
      if (hop !== undefined) {
        const exit = (): void => gateway.exit();
        Gateway.hang({ exit, terminate: (timeout) => gateway.terminate(timeout), gone }, hop);
      }
      this.#gateways.set(id, gateway);
      return gateway;
    } catch (error) {
      await within(leave(), GIVE_BACK_TIMEOUT_MS);
      this.#taken.delete(id);
      throw error;
    } finally {
      over.resolve();
    }
  }

  async #start(
    { spec, node }: Place,
    id: string,
    options: GatewayOptions,
    hop: Gateway | undefined,
  ): Promise<Started> {
    options.signal!.throwIfAborted();
    const trace = traceFromEnv();
    const launcher = makeLauncher({
      spec,
      id,
      trace: trace?.target,
      hop: hop === undefined ? undefined : Gateway.asHop(hop),
      shared: this.#shared,
      node,
    });
    const { type, execmodel } = spec;
    const watching = watchGateway({ id, type, execmodel, via: hop?.id });
    const connecting = connect({ spec, id, launcher, trace, options });
    try {
      const [connection, shipping, telemetry] = await Promise.all([connecting, loadShipping(), watching]);
      return { connection: telemetry?.connected(connection) ?? connection, shipping, telemetry };
    } catch (error) {
      // Nobody knows of what was connected meanwhile.
      connecting.then(({ process }) => letGo(process), () => {});
      (await watching)?.failed(error);
      throw error;
    }
  }

  /**
   * Gives a spec without an id the next one: `gw0`, `gw1`, …
   *
   * @throws {XSpecError} when the spec has an id that is taken
   */
  allocateId(spec: XSpec): void {
    if (spec.id !== undefined) {
      this.#checkFree(spec, spec.id);
      return;
    }
    while (this.#taken.has(`gw${this.#counter}`)) this.#counter++;
    spec.id = `gw${this.#counter++}`;
  }

  #take(spec: XSpec): void {
    this.allocateId(spec);
    this.#checkFree(spec, spec.id!);
    this.#taken.set(spec.id!, spec);
  }

  #checkFree(spec: XSpec, id: string): void {
    if (this.#taken.has(id)) {
      throw new XSpecError(
        `Cannot make a gateway "${id}": the group has one with that id`,
        String(spec),
        "id",
      );
    }
  }

  #remove(gateway: Gateway): void {
    if (this.#gateways.get(gateway.id) !== gateway) return;
    this.#gateways.delete(gateway.id);
    this.#taken.delete(gateway.id);
    this.#ending.add(gateway);
    void gateway.closed.then(() => this.#ending.delete(gateway));
  }

  /** The gateway with an id, or at a place in the order of making. */
  get(key: string | number): Gateway | undefined {
    return typeof key === "string" ? this.#gateways.get(key) : [...this.#gateways.values()].at(key);
  }

  /** Whether the group holds a gateway, or one with this id. */
  has(key: string | Gateway): boolean {
    return typeof key === "string" ? this.#gateways.has(key) : this.#gateways.get(key.id) === key;
  }

  /** The gateways in the order they were made; a copy, so that they may leave meanwhile. */
  [Symbol.iterator](): Iterator<Gateway> {
    return [...this.#gateways.values()][Symbol.iterator]();
  }

  /**
   * Executes something on every gateway, as {@linkcode Gateway.remoteExec} does; the channels are in the group's order.
   * When one gateway refuses, what has begun on the others is ended.
   *
   * @param kwargs given to a function, or to the default export of a module; text takes options in its place
   * @throws {GatewayClosedError} when a gateway has ended
   * @throws {TypeError} when it cannot be executed
   * @throws {RangeError} when the execution is to be allowed more than a gateway, or a timeout is negative
   */
  remoteExec<In = Item, Out = Item, K = undefined>(
    fn: (channel: Channel<In, Out>, kwargs: K) => unknown,
    kwargs?: K,
    options?: ExecOptions,
  ): MultiChannel<Channel<Out, In, Gateway>>;
  /** Executes TypeScript text on every gateway. */
  remoteExec<In = Item, Out = Item>(
    source: string,
    kwargs?: undefined,
    options?: ExecOptions,
  ): MultiChannel<Channel<Out, In, Gateway>>;
  /** Executes TypeScript text on every gateway. */
  remoteExec<In = Item, Out = Item>(
    source: string,
    options: ExecOptions,
  ): MultiChannel<Channel<Out, In, Gateway>>;
  /** Executes a local module on every gateway. */
  remoteExec<Job extends ModuleFunction = ModuleFunction>(
    module: URL,
    kwargs?: KwargsOf<Job>,
    options?: ExecOptions,
  ): MultiChannel<JobChannel<Job, Gateway>>;
  /** Executes a local module on every gateway; the types of its channels are given. */
  remoteExec<In, Out>(
    module: URL,
    kwargs?: unknown,
    options?: ExecOptions,
  ): MultiChannel<Channel<Out, In, Gateway>>;
  remoteExec(source: Executable, kwargs?: unknown, options?: ExecOptions): MultiChannel {
    if (typeof source === "string") {
      const all = { ...kwargs as ModuleOptions, ...options };
      return this.#onEach((gateway) => gateway.remoteExec(source, all));
    }
    return this.#onEach((gateway) => gateway.remoteExec(source as URL, kwargs, options ?? {}));
  }

  #onEach<C extends AnyChannel>(start: (gateway: Gateway) => C): MultiChannel<C> {
    const channels: C[] = [];
    try {
      for (const gateway of this) channels.push(start(gateway));
    } catch (error) {
      for (const channel of channels) channel.kill(error);
      throw error;
    }
    return new MultiChannel(channels);
  }

  /** Calls a function that a local module exports: the one that the fragment of the URL names, or the default. */
  map<F extends (input: never) => unknown = (input: unknown) => unknown>(
    module: URL,
    inputs: Iterable<Parameters<F>[0]> | AsyncIterable<Parameters<F>[0]>,
    options?: MapOptions,
  ): AsyncIterable<Awaited<ReturnType<F>>>;
  /** Calls what a TypeScript expression gives, which is not evaluated here. */
  map<O = unknown>(
    expression: string,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options?: MapOptions,
  ): AsyncIterable<O>;
  /**
   * Calls a pure function with each of many inputs, on all gateways that the group has now, or on some of them.
   *
   * - Each gateway takes the next input when it has room for one; inputs are pulled only as they are worked on and
   *   results are taken.
   * - Results come as they finish, or with `ordered` in the order of the inputs.
   * - What a gateway was working on when it died is given to another one, `retries` times.
   * - Leaving the loop, a failure and the signal end all that is under way.
   *
   * @throws {TypeError} when the function cannot be shipped, or the group is empty
   */
  map<I, O>(
    fn: (input: I) => O | Promise<O>,
    inputs: Iterable<I> | AsyncIterable<I>,
    options?: MapOptions,
  ): AsyncIterable<O>;
  map(
    source: Callable,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions = {},
  ): AsyncIterable<unknown> {
    checkMapOptions(options);
    const gateways = options.gateways === undefined ? [...this] : idsOf(options.gateways).map((id) => {
      const gateway = this.get(id);
      if (gateway === undefined) throw new TypeError(`Cannot map: the group has no gateway "${id}"`);
      return gateway;
    });
    const [first] = gateways;
    if (first === undefined) throw new TypeError("Cannot map: the group has no gateways");
    const shipped = Gateway.ship(first, source);
    const members = gateways.map((gateway) => Gateway.poolMember(gateway));
    return poolMap(members, shipped, inputs, options);
  }

  /**
   * Ends every gateway, in bounded time, and says how each one ended: those that had left the group and not ended yet
   * first, then the others in their order. Gateways that are being made are not made; their `makeGateway` rejects.
   */
  async terminate(options: TerminateOptions = {}): Promise<GatewayExit[]> {
    const timeout = options.timeout ?? TERMINATE_TIMEOUT_MS;
    if (!(timeout >= 0)) {
      throw new RangeError(`Cannot terminate: timeout must be 0 or more milliseconds, got ${timeout}`);
    }
    const reason = new DOMException("The group was terminated", "AbortError");
    for (const start of this.#starting) start.abort(reason);
    const ends = await Promise.all([...this.#ending, ...this].map((gateway) => gateway.terminate(timeout)));
    await within(Promise.allSettled(this.#making.values()), GIVE_BACK_TIMEOUT_MS);
    await within(this.#leaving.done(), GIVE_BACK_TIMEOUT_MS);
    return ends;
  }

  /** Ends every gateway and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }
}

/** The group of {@linkcode makeGateway}. */
export const defaultGroup: Group = new Group();

/**
 * Makes a gateway in the {@linkcode defaultGroup}; see {@linkcode Group.makeGateway}.
 *
 * @example
 * ```ts
 * import { makeGateway } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway("popen//env:GREETING=hello");
 * assertEquals(await gateway.call(() => Deno.env.get("GREETING")), "hello");
 * ```
 */
export function makeGateway(spec?: string | XSpec | XSpecInit, options?: GatewayOptions): Promise<Gateway> {
  return defaultGroup.makeGateway(spec, options);
}
