/** The router of an agent and a caller that wants too much of it, with executions that are none. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { FrameType, makeFrame } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import { Router } from "../../gateway/agent/router.ts";
import type { ExecutionEvents } from "../../gateway/agent/router.ts";
import { settle, test } from "../helpers/bounded.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import type { MemoryTransport } from "../helpers/memory_transport.ts";
import { concat, uint48 } from "../helpers/sessions.ts";
import { item, valueOf } from "./raw_agent.ts";

/** A router whose executions do nothing but count. */
class Scene {
  readonly caller: MemoryTransport;
  /** Executions that run. */
  running = 0;
  /** Those that have ended and could not be stopped. */
  runaway = 0;
  /** Errors that executions have ended with, by their ids. */
  readonly failures = new Map<number, string>();
  readonly events: ExecutionEvents[] = [];
  ended = false;

  /** `capacity`: bytes that may be on their way to a caller that does not read. */
  constructor(capacity = Infinity) {
    const [near, far] = memoryTransports({ capacity });
    this.caller = near;
    const reader = new FrameReader({
      frame: ({ type, channel }, bytes, start, end) => {
        if (type !== FrameType.CLOSE || end === start) return;
        this.failures.set(channel, (valueOf(bytes.slice(start, end)) as { message: string }).message);
      },
      place: () => undefined,
      placed: () => {},
    });
    far.onWrite = (bytes) => reader.push(bytes);
    const runaway = (): number => this.runaway;
    new Router({
      transport: far,
      first: new Uint8Array(0),
      backend: {
        get runaway(): number {
          return runaway();
        },
        warm: () => {},
        close: () => undefined,
        start: (events) => {
          this.events.push(events);
          this.running++;
          const gone = (): void => void this.running--;
          return { firstId: 2, send: () => {}, kill: gone, release: gone };
        },
      },
      keepalive: 0,
      answer: () => new Uint8Array(100_000),
      ended: () => this.ended = true,
    });
  }

  async execute(count: number, first: number, options: unknown): Promise<void> {
    const payload = item(options);
    const frames = Array.from({ length: count }, (_, i) => makeFrame(FrameType.EXEC, first + 2 * i, payload));
    await this.caller.write(concat(...frames), false);
    await settle();
  }
}

test("a router starts so many executions, and so many programs, and further ones when some have ended", async () => {
  const scene = new Scene();
  await scene.execute(5_000, 1, {});
  assertEquals([scene.running, scene.failures.size], [4_096, 904]);
  assertMatch(scene.failures.get(2 * 4_096 + 1)!, /executes 4096 things already/);
  await scene.execute(17_000, 100_001, { program: true });
  assertEquals([scene.running, scene.failures.size], [4_096 + 16_384, 904 + 616]);
  // One ends by itself, one is killed, one is lost.
  scene.events[0]!.bytes(makeFrame(FrameType.DONE, 1));
  await scene.caller.write(makeFrame(FrameType.KILL, 3, item({ name: "E", message: "m" })), false);
  scene.events[2]!.lost(new Error("lost"));
  await settle();
  assertEquals(scene.running, 4_093 + 16_384);
  await scene.execute(10, 200_001, {});
  assertEquals(scene.running, 4_096 + 16_384);
  assert(!scene.failures.has(200_005) && scene.failures.has(200_007), "three of the ten");
  // What cannot be stopped still counts, and each kind is counted for itself.
  scene.runaway = 2;
  for (const id of [7, 9, 11]) {
    await scene.caller.write(makeFrame(FrameType.KILL, id, item({ name: "E", message: "m" })), false);
  }
  scene.events[4_096]!.bytes(makeFrame(FrameType.DONE, 100_001));
  await settle();
  assertEquals(scene.running, 4_093 + 16_383);
  await scene.execute(10, 300_001, {});
  assertEquals(scene.running, 4_094 + 16_383);
  await scene.execute(10, 400_001, { program: true });
  assertEquals(scene.running, 4_094 + 16_384);
  scene.caller.close();
  await settle();
  assertEquals(scene.running, 0);
});

/** What is printed while something is done. */
async function printedBy(work: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const { error } = console;
  console.error = (line: string) => lines.push(line);
  try {
    await work();
  } finally {
    console.error = error;
  }
  return lines;
}

test("a router has so many channels, and ends with a word for one more", async () => {
  const scene = new Scene();
  const lines = await printedBy(async () => {
    await scene.execute(1, 1, {});
    const open = makeFrame(FrameType.OPEN, 0, uint48(1));
    for (let from = 0; from < 262_144 && !scene.ended; from += 16_384) {
      const all = concat(...Array.from({ length: 16_384 }, () => open));
      const view = new DataView(all.buffer);
      for (let i = 0; i < 16_384; i++) view.setUint32(i * open.length + 4, 3 + 2 * (from + i));
      await scene.caller.write(all, false);
      await settle();
    }
  });
  assertEquals(lines, ["execnet: Too many channels"]);
  assert(scene.ended);
  assertEquals(scene.running, 0);
});

test("a router whose answers are not read ends with a word before they are many", async () => {
  const scene = new Scene(1);
  const lines = await printedBy(async () => {
    for (let i = 0; i < 200 && !scene.ended; i++) {
      await scene.caller.write(makeFrame(FrameType.REQUEST, 0, item([i, "status"])), false);
      await settle();
    }
  });
  assertEquals(lines, ["execnet: The far side asks for answers and does not read them"]);
  assert(scene.ended);
});
