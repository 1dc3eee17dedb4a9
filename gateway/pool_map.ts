/** A function over many inputs, by a pool of gateways. */

import { GatewayClosedError } from "../channel/errors.ts";
import { ONLY_ARGUMENT } from "./calls.ts";
import type { CallServer } from "./calls.ts";
import type { Shipment } from "./shipping/shipping.ts";
import type { GatewayTelemetry } from "./telemetry/gateway_telemetry.ts";

/** How {@linkcode Group.map} works. */
export interface MapOptions {
  /** How many inputs each gateway works on at once; by default 1. */
  concurrency?: number;
  /** Gives the results in the order of the inputs instead of as they come. */
  ordered?: boolean;
  /** How often an input is given to another gateway when the one that works on it dies; by default once. */
  retries?: number;
  /** The ids of the gateways that work, each once; by default all of the group. */
  gateways?: Iterable<string>;
  /** Ends the work: the iteration throws the signal's reason. */
  signal?: AbortSignal;
  /** Called whenever an input has been worked on. */
  onProgress?: (progress: MapProgress) => void;
}

/** How far a {@linkcode Group.map} has come. */
export interface MapProgress {
  /** Inputs that have a result. */
  done: number;
  /** All inputs, where their number is known from the start. */
  total?: number;
  /** Attempts that failed. */
  failed: number;
  /** The attempt that has just failed, where this is about one. */
  failure?: MapFailure;
}

/** An attempt of a {@linkcode Group.map} that failed. Unless its gateway has died, it ends the map with `error`. */
export interface MapFailure {
  /** The input. */
  input: unknown;
  /** Which input it is, from 0. */
  index: number;
  /** Why. */
  error: unknown;
}

/** A gateway, as a pool sees it. */
export interface PoolMember {
  /** Starts a service, which only this pool uses. */
  startService(): CallServer;
  /** How many services can be of use, at the most. */
  readonly cpus: number;
  /** Is told what happens, where anybody wants to know. */
  readonly telemetry?: GatewayTelemetry | undefined;
}

/** An input on its way. */
interface Task {
  readonly index: number;
  readonly input: unknown;
  attempts: number;
}

/** With `ordered`, so many results for each slot may wait for an earlier one. */
const ORDERED_LEAD = 16;

/** Checks options before anything is started. */
export function checkMapOptions({ concurrency = 1, retries = 1 }: MapOptions): void {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`Cannot map: concurrency must be an integer above 0, got ${concurrency}`);
  }
  if (!Number.isInteger(retries) || retries < 0) {
    throw new RangeError(`Cannot map: retries must be an integer of 0 or more, got ${retries}`);
  }
}

/**
 * The ids of the gateways that are to work.
 *
 * @throws {TypeError} when there are none, or one twice
 */
export function idsOf(gateways: Iterable<string>): string[] {
  // A text is an iterable of texts, too.
  if (typeof gateways === "string") {
    throw new TypeError(`Cannot map: gateways must be a list of ids, got "${gateways}"`);
  }
  const ids = [...gateways];
  if (ids.length === 0) throw new TypeError("Cannot map: gateways is a list of none");
  const twice = ids.find((id, i) => ids.indexOf(id) < i);
  if (twice !== undefined) throw new TypeError(`Cannot map: gateways names "${twice}" twice`);
  return ids;
}

/** Maps. The pool starts at the first step of the iteration and has ended when the iteration has. */
export async function* poolMap(
  members: readonly PoolMember[],
  shipped: Shipment | ((signal: AbortSignal) => Promise<Shipment>),
  inputs: Iterable<unknown> | AsyncIterable<unknown>,
  options: MapOptions,
): AsyncGenerator<unknown> {
  options.signal?.throwIfAborted();
  const shipment = typeof shipped === "function"
    ? await shipped(options.signal ?? new AbortController().signal)
    : shipped;
  const work = members[0]?.telemetry?.map(shipment.name, members.length);
  const make = (): Pool => new Pool(members, shipment, inputs, options);
  const pool = work === undefined ? make() : work.run(make);
  let failure: unknown;
  try {
    while (true) {
      const result = await pool.next();
      if (result === undefined) return;
      yield result.value;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await pool.end();
    work?.end(failure);
  }
}

/** The work on one series of inputs. */
class Pool {
  readonly #shipment: Shipment;
  readonly #options: MapOptions;
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>;
  readonly #total: number | undefined;
  readonly #servers: CallServer[] = [];
  readonly #lead: number;
  /** Inputs of gateways that have died. */
  readonly #again: Task[] = [];
  /** Results that nobody has taken: by their index if ordered, else by the order of their coming. */
  readonly #results = new Map<number, unknown>();
  /** One input is pulled at a time, because iterators may not be asked twice at once. */
  #pulling: Promise<unknown> = Promise.resolve();
  #inputsEnded = false;
  #nextInput = 0;
  #nextResult = 0;
  #taken = 0;
  #slots = 0;
  #working = 0;
  #done = 0;
  #failed = 0;
  #over = false;
  #error: { reason: unknown } | undefined;
  /** How the last gateway died that did. */
  #death: Error | undefined;
  #pullPending = false;
  #wakers: (() => void)[] = [];
  readonly #onAbort = (): void => this.#fail(this.#options.signal!.reason);

  constructor(
    members: readonly PoolMember[],
    shipment: Shipment,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions,
  ) {
    this.#shipment = shipment;
    this.#options = options;
    const source = inputs as Iterable<unknown> & AsyncIterable<unknown>;
    this.#iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]();
    this.#total = totalOf(inputs);
    const { concurrency = 1, ordered } = options;
    this.#lead = members.length * concurrency * (ordered ? ORDERED_LEAD : 1);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    for (const member of members) this.#staff(member, concurrency);
  }

  /** The next result; undefined when there is none. */
  async next(): Promise<{ value: unknown } | undefined> {
    while (true) {
      if (this.#results.has(this.#taken)) {
        const value = this.#results.get(this.#taken);
        this.#results.delete(this.#taken++);
        this.#wake();
        return { value };
      }
      if (this.#error !== undefined) throw this.#error.reason;
      if (this.#slots === 0) {
        if (this.#death !== undefined && (this.#again.length > 0 || !this.#inputsEnded)) throw this.#death;
        return undefined;
      }
      await this.#change();
    }
  }

  /** Ends what is still under way. */
  async end(): Promise<void> {
    this.#over = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    for (const server of this.#servers) server.kill();
    this.#wake();
    if (this.#inputsEnded) return;
    this.#inputsEnded = true;
    const told = this.#iterator.return?.();
    // A source that still works on its next input may do so for ever.
    if (this.#pullPending) Promise.resolve(told).catch(() => {});
    else await told;
  }

  /** Opens the slots of one gateway: each service is a thread or a process of its own, so more than it has processors are of no use. */
  #staff(member: PoolMember, concurrency: number): void {
    const services: (CallServer | undefined)[] = Array(Math.min(concurrency, member.cpus)).fill(undefined);
    for (let slot = 0; slot < concurrency; slot++) {
      const at = slot % services.length;
      const service = (): CallServer => {
        const known = services[at];
        if (known !== undefined && !known.ended) return known;
        const made = services[at] = member.startService();
        this.#servers.push(made);
        return made;
      };
      this.#slots++;
      void this.#work(service).catch((reason) => this.#fail(reason)).finally(() => {
        this.#slots--;
        this.#wake();
      });
    }
  }

  async #work(service: () => CallServer): Promise<void> {
    while (!this.#over) {
      const task = await this.#take();
      if (task === undefined || this.#over) return;
      this.#working++;
      let started = false;
      let failure: MapFailure | undefined;
      try {
        const server = service();
        started = true;
        const value = await server.call(this.#shipment, [task.input], ONLY_ARGUMENT);
        this.#done++;
        this.#results.set(this.#options.ordered ? task.index : this.#nextResult++, value);
      } catch (error) {
        if (this.#over) return;
        if (started) {
          this.#failed++;
          failure = { input: task.input, index: task.index, error };
        }
        if (!(error instanceof GatewayClosedError)) throw error;
        // A gateway that was dead before is no attempt.
        if (started && task.attempts++ >= (this.#options.retries ?? 1)) throw error;
        this.#death = error;
        this.#again.push(task);
        return;
      } finally {
        this.#working--;
        this.#report(failure);
        this.#wake();
      }
    }
  }

  /** The next input to work on; undefined when there will be none. */
  async #take(): Promise<Task | undefined> {
    while (!this.#over) {
      const again = this.#again.shift();
      if (again !== undefined) return again;
      const ahead = this.#nextInput - this.#taken;
      if (!this.#inputsEnded && ahead < this.#lead) {
        const task = await this.#pull();
        if (task !== undefined) return task;
        continue;
      }
      // What others work on may come back.
      if (this.#inputsEnded && this.#working === 0) return undefined;
      await this.#change();
    }
    return undefined;
  }

  #pull(): Promise<Task | undefined> {
    const pull = async (): Promise<Task | undefined> => {
      if (this.#inputsEnded || this.#over || this.#nextInput - this.#taken >= this.#lead) return undefined;
      this.#pullPending = true;
      const { done, value } = await this.#iterator.next();
      this.#pullPending = false;
      if (done) {
        this.#inputsEnded = true;
        this.#wake();
        return undefined;
      }
      return { index: this.#nextInput++, input: value, attempts: 0 };
    };
    const pulled = this.#pulling.then(pull);
    this.#pulling = pulled.catch(() => {
      // A source that failed is over; whoever pulled says why.
      this.#inputsEnded = true;
    });
    return pulled;
  }

  #report(failure: MapFailure | undefined): void {
    if (this.#over) return;
    const progress: MapProgress = { done: this.#done, failed: this.#failed };
    if (this.#total !== undefined) progress.total = this.#total;
    if (failure !== undefined) progress.failure = failure;
    this.#options.onProgress?.(progress);
  }

  #fail(reason: unknown): void {
    this.#error ??= { reason };
    this.#over = true;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }
}

function totalOf(inputs: unknown): number | undefined {
  if (Array.isArray(inputs) || ArrayBuffer.isView(inputs)) {
    return (inputs as unknown as ArrayLike<unknown>).length;
  }
  return inputs instanceof Set || inputs instanceof Map ? inputs.size : undefined;
}
