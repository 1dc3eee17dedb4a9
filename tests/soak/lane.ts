/** A lane: a channel that was passed to the far side, and what is done on it. Between two deeds nothing is under way. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import {
  type Channel,
  ChannelClosedError,
  EOFError,
  type Gateway,
  GatewayClosedError,
  RemoteError,
  TimeoutError,
} from "../../mod.ts";
import type { Random } from "../helpers/seeded.ts";
import type { LaneReport, NewLane } from "./far.ts";
import { bodyOf, Tally } from "./items.ts";
import type { Order, Parcel } from "./items.ts";
import type { Ending, Ledger } from "./ledger.ts";

/** Whoever serves lanes: an execution. */
export interface Server {
  readonly gateway: Gateway;
  /** Its own channel. */
  readonly control: Channel<LaneReport, NewLane>;
  /** Waits for what it tells of the end of a lane. */
  report(number: number): Promise<LaneReport>;
}

/** The ways in which a lane ends while its gateway goes on. */
export const LANE_ENDS = [
  "read to the end",
  "closed here",
  "closed there",
  "failed there",
  "killed",
] as const;

/** One of these ways. */
export type LaneEnd = typeof LANE_ENDS[number];

/** A parcel as it is sent; what is in it is plain. */
type Sent = never;

/** A lane. */
export class Lane {
  /** What passes on it. */
  readonly tally: Tally = new Tally();
  /** Whether something is done on it. */
  busy = false;
  /** Whether its books are closed. */
  closed = false;
  readonly #server: Server;
  readonly #number: number;
  readonly #channel: Channel<Parcel, Sent>;
  readonly #ledger: Ledger;

  /** Makes a channel and passes it to its server. */
  constructor(server: Server, number: number, ledger: Ledger) {
    this.#server = server;
    this.#number = number;
    this.#ledger = ledger;
    this.#channel = server.gateway.newChannel<Parcel, Sent>();
  }

  /** Hands it over. */
  async open(): Promise<this> {
    await this.#server.control.send([this.#number, this.#channel as unknown as Channel]);
    return this;
  }

  /** Its name, for messages. */
  get name(): string {
    return `channel ${this.#channel.id} of ${this.#server.gateway.spec}`;
  }

  // ---- deeds ----

  /** Items there and back, one at a time. */
  async talk(random: Random): Promise<void> {
    for (let i = random.between(1, 20); i > 0; i--) await this.#ask(random, 1, 0);
  }

  /** Many small items in both directions at once. */
  async burst(random: Random): Promise<void> {
    const count = random.between(30, 300);
    await Promise.all([this.#ask(random, count, 0), this.#sendAll(random, count, 0)]);
    await this.#settle(random);
  }

  /** A few large ones in both directions at once. */
  async bulk(random: Random): Promise<void> {
    const count = random.between(1, 3);
    const size = random.between(20_000, 600_000);
    await Promise.all([this.#ask(random, count, size), this.#sendAll(random, count, size)]);
    await this.#settle(random);
  }

  /** Waits in vain, by time and by signal, and then with little patience for what does come: nothing may be lost. */
  async wait(random: Random): Promise<void> {
    const channel = this.#channel;
    await expectError(channel.receive({ timeout: random.below(15) }), TimeoutError);
    const abort = new AbortController();
    const aborted = channel.receive({ signal: abort.signal });
    abort.abort(new RangeError("enough"));
    await expectError(aborted, RangeError);
    await this.#put({ do: "send", count: 3, seed: random.below(1e6), size: 0 });
    for (let left = 3; left > 0;) {
      const item = await channel.receive({ timeout: random.below(3) }).catch((error) => {
        if (error instanceof TimeoutError) return undefined;
        throw error;
      });
      if (item === undefined) continue;
      this.tally.open(item);
      left--;
    }
  }

  /** Passes a further channel, which the far side fills and closes. */
  async fill(random: Random): Promise<void> {
    const count = random.between(1, 40);
    const passed = this.#server.gateway.newChannel<Parcel, Sent>();
    await this.#put({ do: "fill", count, seed: random.below(1e6) }, passed as unknown as Channel);
    const own = new Tally();
    for (let i = 0; i < count; i++) own.open(await passed.receive());
    const end = await expectError(passed.receive(), EOFError);
    if (end instanceof GatewayClosedError) throw end;
    await this.#settle(random);
  }

  /** Takes a channel of the far side's making, fills it and closes it. */
  async make(random: Random): Promise<void> {
    const count = random.between(1, 40);
    await this.#put({ do: "make" });
    const [, , , , passed] = await this.#take();
    const own = new Tally();
    for (let i = 0; i < count; i++) await passed!.send(own.wrap(bodyOf(random.below(1e6), 0)) as Sent);
    await passed!.close();
    const [, , , counted] = await this.#take();
    assertEquals(counted, count, `${this.name}: items on a channel that the far side made`);
  }

  /** Ends the lane, and closes its books. */
  async end(way: LaneEnd, random: Random): Promise<void> {
    const channel = this.#channel;
    const told = this.#server.report(this.#number);
    // Where its server ends amid this, that is told below, or by what fails before.
    told.catch(() => {});
    switch (way) {
      case "read to the end":
        await channel.closeWrite();
        await this.#drain();
        break;
      case "closed here":
      case "killed": {
        const count = random.between(50, 500);
        await this.#put({ do: "send", count, seed: random.below(1e6), size: 0 });
        for (let i = random.below(50); i > 0; i--) await this.#take();
        if (way === "killed") channel.kill();
        else await channel.close();
        await this.#drain(way === "killed" ? /^Killed: / : undefined);
        break;
      }
      case "closed there":
      case "failed there": {
        const text = `failed ${random.below(1e6)}`;
        await this.#put({ do: "send", count: random.between(1, 50), seed: 0, size: 0 });
        await this.#put(way === "closed there" ? { do: "close" } : { do: "fail", text });
        await this.#sendAll(random, 100, 0).catch((error) => {
          if (!(error instanceof ChannelClosedError)) throw error;
        });
        await this.#drain(way === "closed there" ? undefined : new RegExp(`^RangeError: ${text}$`));
        break;
      }
    }
    const report = await told;
    this.closed = true;
    this.#ledger.ended(way, this.name, this.tally, report);
  }

  /** Closes its books where its server has ended. */
  cut(way: Ending): void {
    if (this.closed) return;
    this.closed = true;
    this.#ledger.ended(way, this.name, this.tally);
  }

  // ---- steps ----

  #put(body: unknown, passed?: Channel): Promise<void> {
    return this.#channel.send(this.tally.wrap(body, passed) as Sent);
  }

  async #take(): Promise<Parcel> {
    const item = await this.#channel.receive();
    this.tally.open(item);
    return item;
  }

  /** Asks for so many items, and takes them. */
  async #ask(random: Random, count: number, size: number): Promise<void> {
    await this.#put({ do: "send", count, seed: random.below(1e6), size } satisfies Order);
    for (let i = 0; i < count; i++) await this.#take();
  }

  async #sendAll(random: Random, count: number, size: number): Promise<void> {
    const seed = random.below(1e6);
    for (let i = 0; i < count; i++) await this.#put(bodyOf(seed + i, size));
  }

  /** Has it confirmed that all has arrived. */
  async #settle(random: Random): Promise<void> {
    await this.#ask(random, 1, 0);
    assertEquals(this.tally.confirmed, this.tally.sent, `${this.name}: items that were confirmed`);
  }

  /** Takes what is left to the end, which is an error with such a message, told once, or none. */
  async #drain(error?: RegExp): Promise<void> {
    const { tally } = this;
    let ended = error === undefined;
    while (true) {
      const item = await this.#channel.receive().catch((reason) => reason as Error);
      if (item instanceof EOFError && !(item instanceof GatewayClosedError) && ended) return;
      if (item instanceof RemoteError && !ended && error!.test(item.message)) ended = true;
      else if (item instanceof Error) throw item;
      else tally.open(item);
    }
  }
}

/** Fails unless a promise rejects with such an error. */
export async function expectError<E extends Error>(
  promise: Promise<unknown>,
  // deno-lint-ignore no-explicit-any -- errors are made of whatever they need
  type: new (...args: any[]) => E,
): Promise<E> {
  const outcome = await promise.then((value) => ({ value }), (error: unknown) => ({ error }));
  if ("error" in outcome && outcome.error instanceof type) return outcome.error;
  if ("error" in outcome) throw outcome.error;
  throw new Error(`It gave ${Deno.inspect(outcome.value)} in place of a ${type.name}`);
}
