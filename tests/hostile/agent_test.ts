/**
 * Real agents with a caller that sends what no gateway sends. An agent ends in a moment and says why, or refuses what it
 * was sent and goes on; its memory stays bounded, and nothing of it is left.
 */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { existsSync } from "node:fs";
import { Encoder } from "../../channel/encode.ts";
import { DataFlag, FrameType, makeFrame, MAX_PAYLOAD_BYTES, writeHeader } from "../../channel/frame.ts";
import { encodeHello } from "../../channel/handshake.ts";
import type { Facts } from "../../channel/handshake.ts";
import { test } from "../helpers/bounded.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { concat, creditFrame, dataFrame, uint48 } from "../helpers/sessions.ts";
import { item, RawAgent, valueOf } from "./raw_agent.ts";

const MODELS = ["main", "worker", "process"] as const;
type Model = typeof MODELS[number];

const ONE = new Uint8Array([1]);
const NO_ITEM = new Uint8Array([0xc1]);
const FULL = new Uint8Array(MAX_PAYLOAD_BYTES);

/** The memory of an agent in mebibytes that has done nothing yet is some 70. */
const USUAL_PEAK = 150;

/** Runs a test for a model, and sees to it that nothing is left. */
function forModels(
  name: string,
  models: readonly Model[],
  body: (spec: string, model: Model) => Promise<void>,
): void {
  for (const model of models) {
    test(`${name} (execmodel=${model})`, async () => {
      const leaks = new LeakCheck();
      await body(`popen//execmodel=${model}`, model);
      await leaks.done();
    }, 60_000);
  }
}

function header(type: number, channel: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  writeHeader(bytes, 0, type as FrameType, 0, channel, length);
  return bytes;
}

function repeated(count: number, frame: Uint8Array): Uint8Array {
  return concat(...Array.from({ length: count }, () => frame));
}

/** An execution that does nothing with its channel, and never ends. */
const IDLE = [
  makeFrame(FrameType.EXEC, 1, item({})),
  dataFrame(1, item({ kind: "text", name: "", source: "await new Promise(() => {})" })),
];

/** What ends an agent, and what that says. A router has other words than a session; both look at the same. */
const BREACHES: readonly (readonly [frames: Uint8Array[], says: RegExp])[] = [
  [[new Uint8Array(12).fill(99)], /99 is no frame type/],
  [[header(FrameType.DATA, 1, 0xffffffff)], /4294967295 bytes is over the limit/],
  [[header(FrameType.PING, 1, 0)], /type 1 with channel id 1/],
  [[makeFrame(FrameType.DONE, 1)], /does not take|type 23 here/],
  [[makeFrame(FrameType.REQUEST, 0, NO_ITEM)], /malformed request|content of a frame/],
  [[makeFrame(FrameType.REQUEST, 0, item(["status", 1]))], /malformed request|request on this side/],
  [[makeFrame(FrameType.EXEC, 2, item({}))], /not the (caller's|far side's)/],
  [[...IDLE, makeFrame(FrameType.EXEC, 1, item({}))], /open/],
  [[...IDLE, makeFrame(FrameType.OPEN, 2, uint48(1))], /not the (caller's|far side's)/],
  [[makeFrame(FrameType.OPEN, 3, ONE)], /malformed frame|1 bytes of payload/],
  [[...IDLE, repeated(9, dataFrame(1, FULL))], /window is exhausted/],
];

forModels("an agent ends with a word for each breach", ["main", "worker"], async (spec, model) => {
  // What a session makes of them is seen where it is cheaper.
  const breaches = model === "main" ? BREACHES.filter((_, i) => i % 3 === 0) : BREACHES;
  await Promise.all(breaches.map(async ([frames, says]) => {
    await using agent = await RawAgent.start(spec);
    await agent.facts;
    await agent.send(...frames);
    await agent.end();
    assertMatch(agent.printed, says);
    assertMatch(agent.printed, /^execnet: [^\n]+\n$/);
  }));
});

/** Frames about what never was, and what is no matter of a caller's. */
const FORGED: readonly Uint8Array[] = [
  dataFrame(99, ONE),
  dataFrame(99, uint48(2 ** 31 - 1), DataFlag.FRAGMENT | DataFlag.FIRST),
  creditFrame(99, 0xffffffff),
  makeFrame(FrameType.CLOSE_WRITE, 99),
  makeFrame(FrameType.CLOSE, 99),
  makeFrame(FrameType.KILL, 99, item({ name: "E", message: "m" })),
  makeFrame(FrameType.KILL, 1, item(5)),
  makeFrame(FrameType.OPEN, 101, uint48(99)),
  makeFrame(FrameType.PONG, 0),
  dataFrame(2 ** 48 - 1, ONE),
];

/** Jobs that are none. */
const BAD_JOBS: readonly unknown[] = [
  null,
  5,
  [],
  {},
  { kind: "x" },
  { kind: "text" },
  { kind: "text", source: 5, name: {} },
  { kind: "text", source: "(", name: "x" },
  { kind: "module", source: "text", kwargs: 1 },
  { kind: "function", source: "5", name: "x" },
  { kind: "function", source: null, name: null },
  { kind: "stream", source: "() => 5", name: "x", args: [] },
  { kind: "stream", source: "() => []", name: "x" },
  { kind: "program", command: ["sh"] },
  { kind: "program" },
  { kind: "link", id: "x" },
  new Map([["kind", "text"]]),
  { kind: "constructor" },
  { kind: "__proto__" },
];

/** What comes on a channel of calls. */
const BAD_CALLS: readonly unknown[] = [null, 5, {}];

/** Calls that are answered with an error. */
const FAILING_CALLS: readonly unknown[] = [
  [1, 99, []],
  [1, null, []],
  [1, "x", []],
  [1, { id: 1, source: "(", name: "x" }, []],
  [1, { id: 1, of: 99, name: "x", module: {} }, []],
  [1, { id: 1, source: "() => 1", name: "x", forget: 5 }, []],
  [1, { id: 1, source: "() => 1", name: "x" }, 5],
];

forModels("an agent refuses what cannot be executed, and goes on", MODELS, async (spec) => {
  await using agent = await RawAgent.start(spec);
  await agent.facts;
  await agent.send(...FORGED);
  let id = 1;
  // In the model of processes each execution is one.
  const jobs = spec.endsWith("process") ? BAD_JOBS.filter((_, i) => i % 6 === 0) : BAD_JOBS;
  for (const job of jobs) {
    await agent.execute(id, job);
    assertMatch((await agent.failure(id)).name, /Error$/, JSON.stringify(job));
    id += 2;
  }
  await agent.execute(id);
  await agent.send(dataFrame(id, new Uint8Array(1_000).fill(0x91)));
  assertEquals((await agent.failure(id)).name, "LoadError");
  id += 2;
  for (const call of spec.endsWith("process") ? [] : BAD_CALLS) {
    await agent.execute(id, { kind: "calls" });
    await agent.send(dataFrame(id, item(call)));
    await agent.failure(id);
    id += 2;
  }
  await agent.execute(id, { kind: "calls" });
  for (const call of FAILING_CALLS) {
    await agent.send(dataFrame(id, item(call)));
    assertEquals((await reply(agent, id))[1], true, JSON.stringify(call));
  }
  await agent.send(dataFrame(id, item([7, { id: 2, source: "(n) => n + 1", name: "x" }, [41]])));
  assertEquals(await reply(agent, id), [7, false, 42]);
  assertEquals((await agent.ask("status") as { execmodel: string }).execmodel, spec.split("=")[1]);
  for (const kind of ["statu", "", "__proto__"]) assertEquals(await agent.ask(kind), null);
  assert(agent.peak < USUAL_PEAK, `${agent.peak} MiB`);
  assertEquals(agent.printed, "");
  assertEquals(await agent.leave(), 0);
});

/** What has been answered to a call. */
async function reply(agent: RawAgent, id: number): Promise<unknown[]> {
  return valueOf(await agent.next(FrameType.DATA, id)) as unknown[];
}

/** What an execution is to be allowed, though its gateway may nothing but read a folder. */
const BAD_PERMISSIONS: readonly unknown[] = [
  5,
  "all",
  [],
  null,
  { read: true },
  { read: ["/"] },
  { read: ["/usr/../etc"] },
  { read: ["/usr,/etc"] },
  { read: ["/usr", 5] },
  { read: ["/usr\0"] },
  { run: ["sh"] },
  { write: "inherit", read: "all" },
  { net: ["unix:/tmp/x"] },
  { all: true },
  { allow: { read: ["/"] } },
];

forModels("an agent allows no execution more than its spec", ["worker", "process"], async (spec) => {
  await using agent = await RawAgent.start(`${spec}//allow-read=/usr`);
  await agent.facts;
  let id = 1;
  for (const permissions of BAD_PERMISSIONS) {
    await agent.execute(id, undefined, { permissions });
    assertMatch((await agent.failure(id)).name, /^(Type|Range)Error$/, JSON.stringify(permissions));
    id += 2;
  }
  for (const options of [NO_ITEM, new Uint8Array(0), new Uint8Array(1_000).fill(0x91)]) {
    await agent.send(makeFrame(FrameType.EXEC, id, options));
    assertEquals((await agent.failure(id)).name, "LoadError");
    id += 2;
  }
  await agent.execute(id + 2, { kind: "link", id: "x" }, { program: true });
  await agent.next(FrameType.CLOSE, id + 2);
  assertEquals((await agent.ask("status") as { numExecuting: number }).numExecuting, 0);
  assertEquals(agent.printed, "");
  assertEquals(await agent.leave(), 0);
});

/** A channel of the caller's, in a job. */
class Mentioned {
  constructor(readonly id: number) {}
}

const mentioning = new Encoder({
  channel: (value) => value instanceof Mentioned ? value.id : undefined,
});

/** Keys of specs that do not allow `touch`. */
const NO_TOUCH = ["allow-read=/usr", "allow-run=sh", "allow-run//deny-run=touch", "allow-all//deny-run"];

// What an agent itself may start to serve executions is none of its caller's.
forModels("an agent starts no program that its spec does not allow", ["worker", "process"], async (spec) => {
  const file = `${Deno.cwd()}/touched-${crypto.randomUUID()}`;
  for (const keys of NO_TOUCH) {
    await using agent = await RawAgent.start(`${spec}//${keys}`);
    await agent.facts;
    const [output, control] = [new Mentioned(101), new Mentioned(103)];
    const job = mentioning.encode({ kind: "program", command: ["touch", file], output, control }).slice();
    await agent.execute(1, undefined, { program: true });
    for (const { id } of [output, control]) await agent.send(makeFrame(FrameType.OPEN, id, uint48(1)));
    await agent.send(dataFrame(1, job));
    assertEquals((await agent.failure(1)).name, "NotCapable", keys);
    assertEquals(await agent.leave(), 0);
    assert(!existsSync(file), keys);
  }
});

forModels("an agent bounds what it is flooded with", ["worker"], async (spec) => {
  await using agent = await RawAgent.start(spec);
  await agent.facts;
  const pings = repeated(10_000, makeFrame(FrameType.PING, 0));
  for (let i = 0; i < 5; i++) await agent.send(pings);
  // Programs are run by the agent itself, so that nothing is started for those that never say which.
  await agent.send(many(2_000, 20_001, makeFrame(FrameType.EXEC, 0, item({ program: true }))));
  assertEquals((await agent.ask("status") as { numExecuting: number }).numExecuting, 2_000);
  assert(agent.peak < USUAL_PEAK, `${agent.peak} MiB`);
  assertEquals(await agent.leave(), 0);
});

/** The same frame so often, with another id each time. */
function many(count: number, first: number, frame: Uint8Array): Uint8Array {
  const all = repeated(count, frame);
  const view = new DataView(all.buffer);
  for (let i = 0; i < count; i++) view.setUint32(i * frame.length + 4, first + 2 * i);
  return all;
}

forModels(
  "an agent does not queue for an execution that never reads",
  ["worker", "process"],
  async (spec) => {
    await using agent = await RawAgent.start(spec);
    await agent.facts;
    await agent.execute(1, {
      kind: "text",
      name: "",
      source: "await channel.send(1); while (true);",
    });
    await agent.next(FrameType.DATA, 1);
    const flood = repeated(16, dataFrame(1, FULL));
    // 256 MiB, of which some 2 are within what a channel may have under way.
    for (let i = 0; i < 64; i++) if (!await agent.send(flood)) break;
    await agent.end();
    assertMatch(agent.printed, /window is exhausted/);
  },
);

/** What comes in place of a caller's greeting, and how the agent ends. */
const GREETINGS: readonly (readonly [make: (config: Facts) => Uint8Array, code: number, says: RegExp])[] = [
  // It says its own version, which is all that there is to say.
  [(config) => encodeHello(config).with(VERSION_AT, 2), 0, /^$/],
  [() => concat(encodeHello({}).slice(0, LENGTH_AT), new Uint8Array(4).fill(255)), 1, /4294967295 bytes/],
  [() => concat(encodeHello({}).slice(0, LENGTH_AT), new Uint8Array([0, 0, 0, 1, 5])), 1, /without facts/],
  [() => new Uint8Array(100_000).fill(0x41), 1, /No greeting in \d+ bytes/],
  [() => encodeHello({ role: 5, execmodel: [], permissions: "all", name: null, cwd: 5 }), 1, /TypeError/],
];

/** Where the version and the length of the facts are in a greeting. */
const VERSION_AT = 10;
const LENGTH_AT = 12;

test("an agent ends when it is not greeted as it should be", async () => {
  const leaks = new LeakCheck();
  await Promise.all(GREETINGS.map(async ([greeting, code, says], i) => {
    await using agent = await RawAgent.start("popen//execmodel=main", greeting);
    assertEquals(await agent.end(), code, `greeting ${i}: ${agent.printed}`);
    assertMatch(agent.printed, says);
  }));
  await leaks.done();
});

test("an agent whose greeting comes in drips, and never, waits for it as long as its connection lasts", async () => {
  const leaks = new LeakCheck();
  let hello = new Uint8Array(0);
  await using agent = await RawAgent.start("popen//execmodel=main", (config) => {
    hello = encodeHello(config);
    return hello.subarray(0, 5);
  });
  for (const byte of hello.subarray(5, -1)) await agent.send(new Uint8Array([byte]));
  await agent.send(hello.slice(-1));
  assertEquals((await agent.facts).cwd, Deno.cwd());
  await using silent = await RawAgent.start("popen//execmodel=main", () => new Uint8Array(3));
  assertEquals(await silent.leave(), 0);
  assertEquals(await agent.leave(), 0);
  await agent[Symbol.asyncDispose]();
  await silent[Symbol.asyncDispose]();
  await leaks.done();
});

test("an agent whose starter goes before it is answered says nothing of that", async () => {
  const leaks = new LeakCheck();
  for (const role of ["agent", "execution"]) {
    let hello = new Uint8Array(0);
    await using agent = await RawAgent.start("popen//execmodel=main", (config) => {
      hello = encodeHello({ ...config, role, firstId: 2 });
      return hello.subarray(0, -1);
    });
    await agent.send(hello.slice(-1));
    assertEquals(await agent.leave(), 0);
    assertEquals(agent.printed, "");
  }
  await leaks.done();
});
