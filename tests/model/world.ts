/** Two sessions, a link for some of their executions, and the faults of transports in memory: what a walk walks in. */

import { setImmediate } from "node:timers";
import type { Channel } from "../../channel/channel.ts";
import type { ChannelEnd } from "../../channel/channel_end.ts";
import { MAX_PAYLOAD_BYTES } from "../../channel/frame.ts";
import { Session } from "../../channel/session.ts";
import type { Transport } from "../../channel/transport.ts";
import { FRAME_COST_BYTES, OVERDRAFT_BYTES } from "../../channel/window.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import type { MemoryTransport } from "../helpers/memory_transport.ts";
import type { Random } from "../helpers/seeded.ts";

/** The remote side's first id: above the numbers of links, which are those of blocks that begin below. */
const REMOTE_FIRST_ID = 100_000;

/** Turns of the event loop after which nothing goes on of what has not moved in any of them. */
const RESTING_TURNS = 6;

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** An end of the session, and what is known of it. */
export interface Ended {
  over: boolean;
  reason: unknown;
}

/** Two sessions that are connected in memory. */
export class World {
  readonly local: Session;
  readonly remote: Session;
  /** Every end of a transport: those of the connection, then those of links. */
  readonly transports: MemoryTransport[] = [];
  readonly ended: [Ended, Ended] = [{ over: false, reason: undefined }, { over: false, reason: undefined }];
  readonly #random: Random;
  readonly #links: boolean;
  readonly #late: (() => void)[] = [];
  readonly #held = new Set<MemoryTransport>();
  #nextLink = 1;
  #healed = false;

  /** Connects them. `onExec` gets the far end of each execution, `onKill` the id of one that is to end. */
  constructor(
    random: Random,
    onExec: (channel: Channel) => void,
    onKill: (id: number, reason: unknown) => void,
  ) {
    this.#random = random;
    this.#links = random.chance(0.5);
    const [near, far] = this.#transports(random.chance(0.3));
    const fragmentBytes = random.pick([2_000, 262_144]);
    this.local = new Session(near, { name: "gw0", firstId: 1, takesLinks: this.#links, fragmentBytes });
    this.remote = new Session(far, {
      name: "remote",
      firstId: REMOTE_FIRST_ID,
      handlers: {
        exec: (end) => {
          if (this.#links && random.chance(0.6)) this.#bypass(end);
          onExec(this.remote.facade(end));
        },
        kill: (id, reason) => onKill(id, reason),
        request: (kind) => ({ kind }),
        terminate: () => {},
      },
    });
    for (const [i, session] of [this.local, this.remote].entries()) {
      void session.ended.then((reason) => this.ended[i] = { over: true, reason });
    }
    this.local.start();
    this.remote.start();
  }

  #transports(messages: boolean): [MemoryTransport, MemoryTransport] {
    const random = this.#random;
    const pair = memoryTransports({ messages, capacity: random.pick([1, 4_000, 1_000_000]) });
    const splits = random.chance(0.5);
    for (const one of pair) {
      if (splits) {
        one.split(() =>
          random.chance(0.3) ? random.between(1, 20) : random.chance(0.5) ? random.between(1, 2000) : 100_000
        );
      }
      this.transports.push(one);
    }
    return pair;
  }

  /** How far a sender may go over its credit: by one frame. */
  get overdraft(): number {
    return this.#links ? OVERDRAFT_BYTES : MAX_PAYLOAD_BYTES + FRAME_COST_BYTES;
  }

  /** Gives an execution a link of its own, which comes at once or later. */
  #bypass(end: ChannelEnd): void {
    const number = this.#nextLink++;
    const [near, far] = this.#transports(false);
    this.remote.openBypass(end, far as Transport, number);
    const add = (): void => this.local.addLink(near, number);
    if (this.#healed || this.#random.chance(0.5)) add();
    else this.#late.push(add);
  }

  /** What is late comes, if anything is. */
  arrive(): void {
    this.#late.shift()?.();
  }

  /** No fault is left: all that is under way can arrive. */
  heal(): void {
    this.#healed = true;
    while (this.#late.length > 0) this.arrive();
    this.#held.clear();
    for (const transport of this.transports) {
      transport.resume();
      transport.delay(0);
    }
  }

  /** Does something to a transport that delays and loses nothing. */
  fault(): void {
    const random = this.#random;
    const transport = random.pick(this.transports);
    switch (random.below(5)) {
      case 0:
        this.#held.add(transport);
        return transport.stall();
      case 1:
        this.#held.add(transport);
        return transport.admit(random.below(2_000));
      case 2:
        return transport.delay(random.below(6));
      case 3:
        return this.arrive();
      default:
        this.#held.delete(transport);
        return transport.resume();
    }
  }

  /** Whether something may be under way that does not arrive. */
  get stalled(): boolean {
    return this.#held.size > 0 || this.#late.length > 0;
  }

  /** Ends the session in one of many ways. Says which. */
  cut(): string {
    const random = this.#random;
    const session = random.pick([this.local, this.remote]);
    const transport = random.pick(this.transports);
    switch (random.below(5)) {
      case 0:
        session.fail(new Error("of a walk"));
        return "failed";
      case 1:
        void session.close();
        return "closed";
      case 2:
        transport.drop();
        return "dropped";
      case 3:
        transport.drop(new Error("broken"));
        return "broken";
      default:
        this.transports[random.below(2)]!.endInput();
        return "ended";
    }
  }

  /** Resolves when nothing moves any more: all that can arrive has arrived. */
  async settled(): Promise<void> {
    let before = "";
    for (let same = 0; same < RESTING_TURNS;) {
      await turn();
      const now = this.transports.map(({ writes, incomingBytes }) => `${writes.length} ${incomingBytes}`)
        .join();
      same = now === before ? same + 1 : 0;
      before = now;
    }
  }

  /** Ends both at once. */
  end(): void {
    this.local.fail(undefined);
    this.remote.fail(undefined);
  }
}
