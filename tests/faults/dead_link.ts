/** All that can wait on a gateway, and how it ends when the link is dead. */

import { assert } from "jsr:@std/assert@^1.0.19";
import { ChannelClosedError, GatewayClosedError, MultiChannel, RSync } from "../../mod.ts";
import type { Gateway } from "../../mod.ts";
import { limited } from "../helpers/wait.ts";

/** All that waits ends in one turn, on a machine that has nothing else to do. */
const SPREAD_MS = 2_000;

/** What leads to the process gets some time to end by itself, and the system some to end it. */
const ENDING_MS = 8_000;

const FOR_EVER = "await new Promise(() => {})";

/** Starts everything that can wait, on a gateway that still answers; resolves when all of it waits. */
export async function waitForAll(gateway: Gateway): Promise<Record<string, Promise<unknown>>> {
  const silent = (): ReturnType<Gateway["remoteExec"]> => gateway.remoteExec(FOR_EVER);
  const full = silent();
  const filling = (async (): Promise<void> => {
    while (true) await full.send(new Uint8Array(1 << 20));
  })();
  const marked = silent();
  const marker = new Promise((resolve) => marked.setCallback(() => {}, { endMarker: resolve }));
  void marker;
  const stream = gateway.stream(async function* (): AsyncGenerator<number> {
    yield 1;
    await new Promise(() => {});
  })[Symbol.asyncIterator]();
  await stream.next();
  const waits: Record<string, Promise<unknown>> = {
    receive: silent().receive(),
    waitClose: silent().waitClose(),
    send: filling,
    call: gateway.call(() => new Promise(() => {})),
    stream: stream.next(),
    "new channel": gateway.newChannel().receive(),
    readLine: silent().makeFile("r").readLine(),
    iteration: Array.fromAsync(silent()),
    receiveEach: new MultiChannel([silent(), silent()]).receiveEach(),
  };
  for (const one of Object.values(waits)) one.catch(() => {});
  return waits;
}

/** What is asked for when the link is dead already. */
export function askAll(gateway: Gateway, folder: string): Record<string, Promise<unknown>> {
  const copied = async (): Promise<void> => {
    const rsync = new RSync(new URL("../helpers", import.meta.url));
    rsync.addTarget(gateway, `${folder}/copy`);
    const [result] = await rsync.send();
    throw result!.errors[0] ?? new Error("it was copied");
  };
  return {
    copied: copied(),
    status: gateway.remoteStatus(),
    info: gateway.remoteInfo({ update: true }),
    "late call": gateway.call(() => 1),
    "late execution": gateway.remoteExec("channel.send(1)").receive(),
    "late source": gateway.remoteExec(`/* ${"x".repeat(8 << 20)} */ channel.send(1)`).receive(),
  };
}

/**
 * Fails unless all of these end in the time that is promised, at the same time, in the end of their gateway; and that a
 * little later, with its process.
 */
export async function allEnd(
  gateway: Gateway,
  waits: Readonly<Record<string, Promise<unknown>>>,
  ms: number,
): Promise<void> {
  const times = await Promise.all(
    Object.entries(waits).map(async ([what, one]) => {
      const error = await limited(what, one.then(() => "a value", (error) => error), ms);
      const cause = error instanceof ChannelClosedError ? error.cause : error;
      const known = cause instanceof GatewayClosedError || /^Cannot copy to .* is closed/.test(error.message);
      assert(known, `${what}: ${error}`);
      return performance.now();
    }),
  );
  const spread = Math.max(...times) - Math.min(...times);
  assert(spread < SPREAD_MS, `the last one waited ${spread} ms longer than the first`);
  const exit = await limited("the end of the gateway", gateway.closed, ENDING_MS);
  assert(/no sign of life|connection/.test(exit.reason), exit.reason);
}
