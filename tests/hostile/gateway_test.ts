/**
 * Gateways with a far side that plays scripts, by a Unix socket and by TCP. What the protocol forbids ends that gateway,
 * with a ProtocolError that says what was wrong, and all that waits on it; what it allows does not; and another gateway
 * of the same program answers all the time.
 */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, GatewayClosedError, Group, ProtocolError } from "../../mod.ts";
import type { Gateway, RemoteStatus } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { limited } from "../helpers/wait.ts";
import { STATUS } from "./far.ts";
import { FarSideProcess } from "./far_side_process.ts";
import type { WayName } from "./far_side_process.ts";
import { GREETINGS } from "./greetings.ts";
import type { Greeting } from "./greetings.ts";
import { SCRIPTS } from "./scripts.ts";
import type { Outcome, Script } from "./scripts.ts";
import { Honest, Meter } from "./watch.ts";

const WAYS: readonly WayName[] = ["unix", "server"];

/** What is sent to a far side that does not read: more than its window, so that the rest waits. */
const BULK = new Uint8Array(2 * 1024 * 1024);

/** So many short scripts are played at the same time. */
const AT_ONCE = 6;

/** Mebibytes by which this isolate may grow where a script says nothing else: buffers, and the bulk of some gateways. */
const USUAL_GROWTH = 40;

/** Of the short scripts that may be played by both ways, one of so many is played by a local process, too. */
const LOCAL_SHARE = 3;

const END_LIMIT_MS = 20_000;

/** How something has ended: with an error, or with a value. */
interface Settled {
  readonly error?: Error;
  readonly value?: unknown;
}

function settled(promise: Promise<unknown>): Promise<Settled> {
  return promise.then((value) => ({ value }), (error) => ({ error }));
}

/** All that may wait for a far side. */
function waitsOn(
  gateway: Gateway,
): Record<"receive" | "call" | "status" | "send" | "close", Promise<Settled>> {
  const channel = gateway.remoteExec(() => {});
  return {
    receive: settled(channel.receive()),
    call: settled(gateway.call(() => 1)),
    status: settled(gateway.remoteStatus()),
    send: settled(channel.send(BULK)),
    close: settled(channel.waitClose()),
  };
}

function assertOutcome(what: string, { error, value }: Settled, wanted: Outcome): void {
  if ("value" in wanted) {
    assertEquals(error, undefined, `${what}: ${error}`);
    return assertEquals(value, wanted.value, what);
  }
  const [name, message] = wanted;
  assertEquals(error?.name, name, `${what}: ${error}`);
  assertMatch(error!.message, message, what);
}

/** A wait that the end of the gateway has ended; that of a sender is told as the channel's. */
function assertClosed(what: string, { error }: Settled, check: (error: GatewayClosedError) => void): void {
  const closed = error?.name === "ChannelClosedError" ? error.cause : error;
  assertInstanceOf(closed, GatewayClosedError, `${what}: ${error}`);
  check(closed as GatewayClosedError);
}

/** The gateway is given up, and all that waits on it. */
async function assertEnds(gateway: Gateway, script: Script): Promise<void> {
  const { call, status, receive, ...others } = waitsOn(gateway);
  const { says, ends = /ProtocolError/ } = script;
  const check = (error: GatewayClosedError): void => {
    assertMatch(error.message, ends);
    if (says === undefined) return;
    assertInstanceOf(error.cause, ProtocolError, String(error.cause));
    assertMatch((error.cause as ProtocolError).message, says);
  };
  const exit = await limited("the end of the gateway", gateway.closed, END_LIMIT_MS);
  for (const [what, wait] of Object.entries({ call, status })) assertClosed(what, await wait, check);
  if (script.send === undefined) assertClosed("send", await others.send, check);
  else assertOutcome("send", await others.send, script.send);
  if (script.receive === undefined) assertClosed("receive", await receive, check);
  else assertOutcome("receive", await receive, script.receive);
  await others.close;
  assertMatch(exit.reason, says === undefined ? ends : /^ProtocolError: /);
  assertMatch(exit.reason, says ?? ends);
  assert(!gateway.hasReceiver());
}

/** The gateway goes on: it answers, and ends when it is asked to. */
async function assertGoesOn(gateway: Gateway, script: Script): Promise<void> {
  const { receive, status, call, send, close } = waitsOn(gateway);
  const answered = await status;
  assertEquals(answered.error, undefined, `status: ${answered.error}`);
  const { channels: _, numExecuting, ...told } = answered.value as RemoteStatus;
  const { numExecuting: least, ...others } = STATUS;
  assertEquals(told as unknown, others);
  // A call that waits is counted here.
  assert(numExecuting >= least);
  assertOutcome("receive", await receive, script.receive ?? { value: "next" });
  if (script.call !== undefined) assertOutcome("call", await call, script.call);
  assert(gateway.hasReceiver());
  const exit = await limited("the end of the gateway", gateway.terminate(), END_LIMIT_MS);
  assertEquals(exit.reason, "requested");
  for (const wait of [call, send, close]) await limited("what still waits", wait);
}

async function play(group: Group, farSide: FarSideProcess, way: WayName, script: Script): Promise<void> {
  const spec = farSide.spec(way, script.name, script.keys);
  const gateway = await group.makeGateway(spec, { stderr: "null" });
  const ends = script.says !== undefined || script.ends !== undefined;
  await (ends ? assertEnds : assertGoesOn)(gateway, script);
}

async function greet(group: Group, farSide: FarSideProcess, way: WayName, greeting: Greeting): Promise<void> {
  const { kind, says, timeout } = greeting;
  const making = group.makeGateway(farSide.spec(way, greeting.name), {
    stderr: "null",
    ...(timeout === undefined ? {} : { connectTimeout: timeout }),
  });
  if (kind === undefined) {
    const gateway = await making;
    await gateway.remoteInfo();
    const called = settled(gateway.call(() => 1));
    assertEquals((await gateway.terminate()).reason, "requested");
    assertClosed("call", await called, () => {});
    return;
  }
  const error = await assertRejects(() => limited("a refusal", making), ConnectError) as ConnectError;
  assertEquals(error.kind, kind, error.message);
  assertMatch(error.message, says!);
}

/** Does all of it, and says what has failed. */
async function all<T extends { readonly name: string }>(
  things: readonly T[],
  atOnce: number,
  work: (thing: T) => Promise<void>,
): Promise<void> {
  const failures: string[] = [];
  const left = [...things];
  const worker = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const { name } = one;
      await work(one).catch((error) => failures.push(`${name}: ${error.message}`));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  assertEquals(failures, []);
}

for (const way of WAYS) {
  test(`a far side by ${way} that breaks the protocol ends its gateway, and no other`, async () => {
    const leaks = new LeakCheck();
    {
      await using farSide = await FarSideProcess.start();
      await using group = new Group();
      using meter = new Meter();
      await using honest = new Honest(await group.makeGateway("popen//execmodel=main//id=honest"));
      await all(GREETINGS, AT_ONCE, (greeting) => greet(group, farSide, way, greeting));
      const scripts = SCRIPTS.filter((script) => (script.way ?? way) === way);
      const heavy = scripts.filter(({ long, grows }) => long || grows !== undefined);
      // The processes of a local gateway take most of the time of a short script.
      const short = scripts.filter((script, i) =>
        !heavy.includes(script) && (way === "server" || script.way === "unix" || i % LOCAL_SHARE === 0)
      );
      await meter.during(
        USUAL_GROWTH,
        () =>
          honest.during(
            "short scripts",
            () => all(short, AT_ONCE, (script) => play(group, farSide, way, script)),
          ),
      );
      await all(
        heavy,
        1,
        (script) =>
          meter.during(
            script.grows ?? USUAL_GROWTH,
            () => honest.during(script.name, () => play(group, farSide, way, script), script.long),
          ),
      );
      assertEquals(group.size, 1);
    }
    await leaks.done();
  }, 120_000);
}
