/** What is done on a gateway besides its lanes: calls, streams, and executions that end in every way there is. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { DumpError, EOFError, type Gateway, RemoteError } from "../../mod.ts";
import type { Random } from "../helpers/seeded.ts";
import { bodyOf, checksum } from "./items.ts";
import { expectError } from "./lane.ts";

/** Something that is done on a gateway. It throws where the outcome is not what it has to be. */
export type Deed = (gateway: Gateway, random: Random) => Promise<void>;

const WAITING = "await channel.receive();";

async function expectEnd(promise: Promise<unknown>, remoteName: string): Promise<RemoteError> {
  const error = await expectError(promise, RemoteError);
  assertEquals(error.remoteName, remoteName);
  return error;
}

/** An iteration ends without a word with a gateway that was asked to end. */
function expectAll(got: number, count: number): void {
  if (got !== count) throw new EOFError(`A stream ended after ${got} of ${count} items`);
}

/** By name. Each execution that a deed starts is over when the deed is. */
export const DEEDS: Readonly<Record<string, Deed>> = {
  call: async (gateway, random) => {
    const number = random.below(1e6);
    assertEquals(await gateway.call((n: number) => n + 1, number), number + 1);
  },
  "call with bulk": async (gateway, random) => {
    const bytes = bodyOf(random.below(1e6), random.between(1_000, 200_000)) as Uint8Array;
    const back = await gateway.call((bytes: Uint8Array) => bytes, bytes);
    assertEquals(checksum(back), checksum(bytes));
  },
  "call that fails": async (gateway, random) => {
    const text = `no ${random.below(1e6)}`;
    const call = gateway.call((text: string) => {
      throw new RangeError(text);
    }, text);
    const error = await expectEnd(call, "RangeError");
    assertEquals(error.remoteMessage, text);
  },
  stream: async (gateway, random) => {
    const count = random.between(1, 300);
    const items = gateway.stream(function* (count: number): Generator<number> {
      for (let i = 0; i < count; i++) yield i;
    }, count);
    let next = 0;
    for await (const item of items) assertEquals(item, next++);
    expectAll(next, count);
  },
  "stream that is left": async (gateway, random) => {
    const count = random.between(1, 50);
    const items = gateway.stream(function* (): Generator<number> {
      for (let i = 0;; i++) yield i;
    });
    let next = 0;
    for await (const item of items) {
      assertEquals(item, next++);
      if (next === count) break;
    }
    expectAll(next, count);
  },
  "execution that throws": async (gateway, random) => {
    const code = random.below(1e6);
    const channel = gateway.remoteExec(`throw Object.assign(new TypeError("why"), { code: ${code} });`);
    const error = await expectEnd(channel.receive(), "TypeError");
    assertEquals(error.fields, { code });
  },
  "execution that does not parse": async (gateway) => {
    await expectEnd(gateway.remoteExec("const = 3;").receive(), "SyntaxError");
  },
  "item that cannot be sent": async (gateway, random) => {
    const channel = gateway.remoteExec("await channel.send(await channel.receive());");
    await expectError(channel.send({ bad: () => {} } as never), DumpError);
    const body = bodyOf(random.below(1e6), 0);
    await channel.send(body as never);
    assertEquals(checksum(await channel.receive()), checksum(body));
    await channel.waitClose();
  },
  "execution that takes too long": async (gateway, random) => {
    const channel = gateway.remoteExec(WAITING, { timeout: random.below(30) });
    await expectEnd(channel.receive(), "TimeoutError");
  },
  "execution that is aborted": async (gateway) => {
    const abort = new AbortController();
    const channel = gateway.remoteExec(WAITING, { signal: abort.signal });
    abort.abort();
    await expectEnd(channel.receive(), "AbortError");
  },
  "execution that is killed": async (gateway, random) => {
    const channel = gateway.remoteExec(`channel.send("up"); ${WAITING}`);
    if (random.chance(0.5)) assertEquals(await channel.receive(), "up");
    channel.kill();
    // What came before the end stays.
    const end = await channel.receive().catch((error) => error);
    await expectEnd(end === "up" ? channel.receive() : Promise.reject(end), "Killed");
  },
};
