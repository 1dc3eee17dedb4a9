/** How fast the way to a process is: round trips of small items, and what passes in each direction. */

import type { Limit } from "../../gateway/probe/mod.ts";
import type { Channel, Gateway } from "../../mod.ts";

/** Milliseconds of round trips. */
export interface RoundTrips {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
}

/** Bytes a second. */
export interface Throughput {
  readonly up: number;
  readonly down: number;
}

/** As many as give a median, unless they take too long. */
const ROUND_TRIPS = 100;
const FIRST_ROUND_TRIPS = 10;
const ROUND_TRIPS_MS = 1_000;
const LEAST_ROUND_TRIPS = 3;

/** How long each direction is measured. */
const DIRECTION_MS = 300;
const MOST_DIRECTION_MS = 1_000;
const FIRST_BYTES = 16 * 1024;
const MOST_BYTES = 4 * 1024 * 1024;

/** Sends back what it gets. */
async function echo(channel: Channel<number, number>): Promise<void> {
  for await (const item of channel) await channel.send(item);
}

/** Answers a number by so many bytes, and bytes by how many they are. */
async function answer(channel: Channel<number | Uint8Array, number | Uint8Array>): Promise<void> {
  for await (const item of channel) {
    await channel.send(typeof item === "number" ? new Uint8Array(item) : item.length);
  }
}

/** Measures round trips, one at a time. */
export async function roundTrips(gateway: Gateway, { signal, timeout }: Limit): Promise<RoundTrips> {
  const channel = gateway.remoteExec(echo);
  const times: number[] = [];
  const started = performance.now();
  try {
    for (let trip = -FIRST_ROUND_TRIPS; trip < ROUND_TRIPS; trip++) {
      const sent = performance.now();
      await Promise.all([channel.send(trip, { signal }), channel.receive({ signal, timeout })]);
      const now = performance.now();
      // The first ones are slower: the code over there is not warm.
      if (trip === 0) times.length = 0;
      times.push(now - sent);
      if (now - started > ROUND_TRIPS_MS && times.length >= LEAST_ROUND_TRIPS) break;
    }
  } finally {
    // On a way that is dead this would take as long as the gateway's end, which is waited for elsewhere.
    channel.close().catch(() => {});
  }
  return summary(times);
}

/** The numbers that tell of times. */
export function summary(times: readonly number[]): RoundTrips {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
  return { count: sorted.length, min: at(0), median: at(0.5), p95: at(0.95) };
}

/** Measures each direction with ever larger items, each of which is waited for, so that nothing piles up on a slow way. */
export async function throughput(gateway: Gateway, limit: Limit): Promise<Throughput> {
  const channel = gateway.remoteExec(answer);
  try {
    const up = await direction(channel, limit, (bytes) => new Uint8Array(bytes));
    const down = await direction(channel, limit, (bytes) => bytes);
    return { up, down };
  } finally {
    // On a way that is dead this would take as long as the gateway's end, which is waited for elsewhere.
    channel.close().catch(() => {});
  }
}

async function direction(
  channel: Channel<number | Uint8Array, number | Uint8Array>,
  { signal, timeout }: Limit,
  item: (bytes: number) => number | Uint8Array,
): Promise<number> {
  const pass = async (bytes: number): Promise<number> => {
    const sending = item(bytes);
    const sent = performance.now();
    await Promise.all([channel.send(sending, { signal }), channel.receive({ signal, timeout })]);
    return performance.now() - sent;
  };
  // The first one is slower: the code is not warm.
  await pass(FIRST_BYTES);
  let [best, total] = [0, 0];
  for (let bytes = FIRST_BYTES;; bytes = Math.min(2 * bytes, MOST_BYTES)) {
    const ms = await pass(bytes);
    best = Math.max(best, bytes / ms * 1000);
    total += ms;
    // Twice as much takes twice as long: what would not fit is not begun.
    if (total > DIRECTION_MS || total + 2 * ms > MOST_DIRECTION_MS) return best;
  }
}
