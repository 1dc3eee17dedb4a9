/**
 * A program that prints, as JSON, the bytes of heap that items take on their way from one session to another, both in
 * this program and over a link that allocates as little as possible.
 *
 * To be run with {@linkcode FLAGS}, so that nothing is collected while it counts.
 */

import { setImmediate } from "node:timers";
import type { Channel } from "../../../channel/channel.ts";
import { HEADER_BYTES } from "../../../channel/frame.ts";
import { Session } from "../../../channel/session.ts";
import type { Transport } from "../../../channel/transport.ts";

/** What is printed: bytes per item, sent and received. */
export interface Allocations {
  /** One at a time, there and back, without what the link takes: two items. */
  readonly trip: number;
  /** What the link takes. */
  readonly link: number;
  /** Sent one after the other without waiting, in bursts of a thousand. */
  readonly burst: number;
  /** Sent by a loop that awaits each. */
  readonly stream: number;
}

/** What Deno has to be started with: a young generation that holds all, and code that is compiled when it is called. */
export const FLAGS =
  "--v8-flags=--expose-gc,--single-threaded,--min-semi-space-size=64,--max-semi-space-size=128";

declare const gc: () => void;

const BURST = 1_000;
const TRIPS = 5_000;

/** One end of a link over memory. What is written arrives a turn of the event loop later, as it does over a socket. */
class LaterTransport implements Transport {
  readonly writeBudget = 256 * 1024;
  peer: LaterTransport | undefined;
  #into: Uint8Array | undefined;
  #resolve: ((count: number) => void) | undefined;
  /** What has come and was not read. */
  #waiting: Uint8Array[] = [];
  readonly #deliver = (): void => {
    const into = this.#into;
    const first = this.#waiting.shift();
    if (into === undefined || first === undefined) return void (first && this.#waiting.unshift(first));
    const part = first.subarray(0, into.length);
    into.set(part);
    if (part.length < first.length) this.#waiting.unshift(first.subarray(part.length));
    const resolve = this.#resolve!;
    this.#into = this.#resolve = undefined;
    resolve(part.length);
  };

  read(into: Uint8Array): Promise<number> {
    this.#into = into;
    if (this.#waiting.length > 0) setImmediate(this.#deliver);
    return new Promise((resolve) => this.#resolve = resolve);
  }

  write(bytes: Uint8Array): Promise<void> {
    const peer = this.peer!;
    peer.#waiting.push(bytes.slice());
    setImmediate(peer.#deliver);
    return Promise.resolve();
  }

  close(): void {}

  abort(): void {}
}

function link(): [LaterTransport, LaterTransport] {
  const here = new LaterTransport();
  const there = new LaterTransport();
  here.peer = there;
  there.peer = here;
  return [here, there];
}

async function open(): Promise<[near: Channel, far: Channel]> {
  const [here, there] = link();
  const opened = Promise.withResolvers<Channel>();
  const local = new Session(here, { name: "gw0", firstId: 1 });
  const remote: Session = new Session(there, {
    name: "remote",
    firstId: 2,
    handlers: { exec: (end) => opened.resolve(remote.facade(end)) },
  });
  local.start();
  remote.start();
  const near = local.facade(local.exec(null));
  return [near, await opened.promise];
}

/** What the link itself takes for as many bytes there and back as an item is. */
async function bareTrips(count: number): Promise<void> {
  const [here, there] = link();
  const bytes = new Uint8Array(HEADER_BYTES + 1);
  const room = [new Uint8Array(64), new Uint8Array(64)] as const;
  const answering = (async () => {
    for (let i = 0; i < count; i++) {
      await there.read(room[0]);
      await there.write(bytes);
    }
  })();
  for (let i = 0; i < count; i++) {
    await here.write(bytes);
    await here.read(room[1]);
  }
  await answering;
}

/** Bytes of heap per item that `work` takes for `count` of them, once its code has been compiled. */
async function perItem(count: number, work: (count: number) => Promise<void>): Promise<number> {
  for (let i = 0; i < 4; i++) await work(count);
  gc();
  const before = Deno.memoryUsage().heapUsed;
  await work(count);
  return Math.round((Deno.memoryUsage().heapUsed - before) / count);
}

if (import.meta.main) {
  const [near, far] = await open();
  const echo = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await far.send(await far.receive());
  };
  const take = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await far.receive();
  };
  const bare = await perItem(TRIPS, bareTrips);
  const found: Allocations = {
    link: bare,
    trip: await perItem(TRIPS, async (count) => {
      const answering = echo(count);
      for (let i = 0; i < count; i++) {
        await near.send(i & 127);
        await near.receive();
      }
      await answering;
    }) - bare,
    burst: await perItem(20_000, async (count) => {
      for (let sent = 0; sent < count; sent += BURST) {
        for (let i = 0; i < BURST; i++) void near.send(i & 127);
        await take(BURST);
      }
    }),
    stream: await perItem(20_000, async (count) => {
      const taking = take(count);
      for (let i = 0; i < count; i++) await near.send(i & 127);
      await taking;
    }),
  };
  // deno-lint-ignore no-console
  console.log(JSON.stringify(found));
}
