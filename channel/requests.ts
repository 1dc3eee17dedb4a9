/** Questions to the far side that are not about one channel, and who waits for their answers. */

import { ProtocolError } from "./errors.ts";
import { Waiter } from "./wait.ts";
import type { WaitOptions } from "./wait.ts";

/** What the two sides may ask each other for. */
export type RequestKind = "status" | "info";

/** What requests need of their session. */
export interface RequestHost {
  /** Names the gateway, for messages. */
  readonly name: string;
  /** Sends a question: its number and what is asked for. */
  ask(id: number, kind: RequestKind): void;
  /** Counts those who wait for the far side: +1 or -1. */
  waiting(change: number): void;
}

/** The questions of one session. */
export class Requests {
  readonly #host: RequestHost;
  readonly #open = new Map<number, Waiter<unknown>>();
  #nextId = 1;

  /** Starts with none. */
  constructor(host: RequestHost) {
    this.#host = host;
  }

  /** Asks, and waits for the answer. */
  ask(kind: RequestKind, options?: WaitOptions): Promise<unknown> {
    const id = this.#nextId++;
    try {
      const waiter = new Waiter<unknown>(
        options,
        () => `No answer of gateway "${this.#host.name}" to a request for its ${kind}`,
        () => this.#open.delete(id),
      );
      if (!waiter.settled) {
        this.#open.set(id, waiter);
        this.#host.waiting(1);
        waiter.promise.then(() => this.#host.waiting(-1), () => this.#host.waiting(-1));
        this.#host.ask(id, kind);
      }
      return waiter.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Takes what claims to be an answer. One that nobody waits for any more is dropped; throws ProtocolError for none. */
  answered(value: unknown): void {
    const [id, answer] = Array.isArray(value) ? value : [];
    const waiter = this.#open.get(id as number);
    if (waiter === undefined) return;
    if (typeof answer !== "object" || answer === null) {
      throw new ProtocolError("Cannot take an answer: it is not what it was asked for");
    }
    this.#open.delete(id as number);
    waiter.resolve(answer);
  }

  /** Rejects all that wait. */
  fail(error: Error): void {
    for (const waiter of this.#open.values()) waiter.reject(error);
    this.#open.clear();
  }
}
