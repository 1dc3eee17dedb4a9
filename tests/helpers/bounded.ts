/** Tests that end: each has a limit, and waits for events, never for time. */

import { setImmediate } from "node:timers";

/** How long a test may take unless it says otherwise. It is generous: the machine may be slow. */
const LIMIT_MS = 20_000;

/** Registers a test that fails when it has not ended after `limitMs`. */
export function test(name: string, body: () => void | Promise<void>, limitMs: number = LIMIT_MS): void {
  Deno.test(name, async () => {
    await within(limitMs, name, body());
  });
}

/** Waits for a value; rejects when it has not come after `limitMs`. */
export async function within<T>(limitMs: number, what: string, value: T | PromiseLike<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done after ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([value, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Turns that are enough for everything that depends on one another in these tests. */
const SETTLING_TURNS = 8;

/**
 * Lets everything happen that can happen without the outside world. Memory transports work in microtasks only, and a
 * writer takes a turn of the event loop here and there, so after a few turns nothing is under way any more.
 */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** What has become of a promise, looked at after {@linkcode settle}. */
export interface Watched<T> {
  state: "pending" | "resolved" | "rejected";
  value?: T;
  reason?: unknown;
}

/** Watches a promise, which thereby is handled. */
export function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = { state: "pending" };
  promise.then((value) => {
    watched.state = "resolved";
    watched.value = value;
  }, (reason) => {
    watched.state = "rejected";
    watched.reason = reason;
  });
  return watched;
}
