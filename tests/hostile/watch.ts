/** What a hostile far side must not take from its caller: memory without bound, and the answers of other gateways. */

import { assert } from "jsr:@std/assert@^1.0.19";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Gateway } from "../../mod.ts";

const MIB = 1024 * 1024;
const SAMPLE_MS = 20;

/** Looks at the memory of this isolate again and again. Garbage is collected where there seems to be too much. */
export class Meter implements Disposable {
  readonly #collect: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #least: number;
  #limit = Infinity;
  #most = 0;

  /** Starts to look. */
  constructor() {
    setFlagsFromString("--expose-gc");
    this.#collect = runInNewContext("gc");
    this.#collect();
    this.#least = used();
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
  }

  /** Fails when more mebibytes are added to what there was at first while something is done. */
  async during(limit: number, work: () => Promise<void>): Promise<void> {
    this.#limit = limit;
    this.#most = 0;
    await work();
    this.#look();
    assert(this.#most <= limit, `it took ${this.#most.toFixed()} MiB`);
  }

  #look(): void {
    if (used() - this.#least > this.#limit) this.#collect();
    this.#most = Math.max(this.#most, used() - this.#least);
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Mebibytes that this isolate uses, garbage included. */
function used(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return (heapUsed + external) / MIB;
}

/** How long it rests between two calls, so that it takes little of the processor. */
const PAUSE_MS = 2;

/** What a flood must not keep others from, as often. */
const LEAST_ANSWERS = 3;

/** A flood is worked off in turns, between which others are answered: no turn takes more than this share of its processor time. */
const MOST_OF_IT = 0.6;

/** What takes less processor time than this, in milliseconds, is hardly more than the start of a gateway. */
const FLOOD_MS = 200;

/**
 * The most processor time of this thread in which something has to be done, in milliseconds: several times of what it takes, and
 * far less than what takes the square of what came.
 */
const MOST_MS = 8_000;

/** The clock ticks of /proc are these milliseconds, on every Linux that Deno runs on. */
const TICK_MS = 10;

/** Milliseconds of processor time that this thread has taken, in which this isolate runs. */
function threadTime(): number {
  const text = Deno.readTextFileSync("/proc/thread-self/stat");
  const [user, system] = text.slice(text.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return (user! + system!) * TICK_MS;
}

/** An honest gateway, which is called all the time. */
export class Honest implements AsyncDisposable {
  readonly #gateway: Gateway;
  readonly #calling: Promise<void>;
  #answers = 0;
  #over = false;

  /** Starts to call. */
  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#calling = this.#call();
  }

  /** Fails when something takes too long, or a flood is worked off in a single turn, or no answer comes behind it. */
  async during<T>(what: string, work: () => Promise<T>, isFlood = false): Promise<T> {
    const started = threadTime();
    let [before, longest] = [started, 0];
    const turn = (): void => {
      const now = threadTime();
      longest = Math.max(longest, now - before);
      before = now;
    };
    const timer = setInterval(turn, PAUSE_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      turn();
      const ms = before - started;
      await this.#ask();
      const inTurns = !isFlood || ms < FLOOD_MS || longest <= MOST_OF_IT * ms;
      assert(inTurns, `${what}: ${longest} of ${ms} ms in one turn`);
      assert(ms < MOST_MS, `${what}: ${ms} ms of processor time`);
    }
  }

  /** Does something that goes on until `isEnough` says that there were answers meanwhile. */
  async beside(flood: (isEnough: () => boolean) => Promise<void>): Promise<void> {
    const before = this.#answers;
    await flood(() => this.#answers - before >= LEAST_ANSWERS);
  }

  async #call(): Promise<void> {
    while (!this.#over) {
      await this.#ask();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #ask(): Promise<void> {
    const sum = await this.#gateway.call((n: number) => n + 1, this.#answers);
    assert(typeof sum === "number");
    this.#answers++;
  }

  /** Calls no more; fails when a call has failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#calling;
  }
}
