/** Queues: their order, and what is moved for it. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Queue } from "../../channel/queue.ts";
import { test } from "../helpers/bounded.ts";
import { Random } from "../helpers/seeded.ts";

test("Queue gives what was put in, in order, as an array would", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = new Random(seed);
  const queue = new Queue<number>();
  const plain: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    // It grows for a while, then shrinks to nothing, and again.
    if (random.chance(i % 4_000 < 2_000 ? 0.6 : 0.3)) {
      queue.push(i);
      plain.push(i);
    } else if (random.chance(0.01)) {
      const wanted = (item: number): boolean => item % 3 === 0;
      assertEquals(queue.withdraw(wanted), plain.filter(wanted), `seed ${seed}`);
      plain.splice(0, plain.length, ...plain.filter((item) => !wanted(item)));
    } else assertEquals(queue.shift(), plain.shift(), `seed ${seed}`);
    assertEquals([queue.length, queue.first], [plain.length, plain[0]], `seed ${seed}`);
  }
});

test("Queue moves no more than was put in, however long it is", () => {
  const COUNT = 50_000;
  const { shift, slice } = Array.prototype;
  let moved = 0;
  // Nothing else runs in this isolate meanwhile.
  Array.prototype.shift = () => {
    throw new Error("An array is shifted");
  };
  Array.prototype.slice = function (start?: number): unknown[] {
    const rest = slice.call(this, start);
    moved += rest.length;
    return rest;
  };
  try {
    const queue = new Queue<number>();
    for (let i = 0; i < COUNT; i++) queue.push(i);
    for (let i = 0; i < COUNT; i++) {
      // The first in line goes to its end again, as channels do that have more to send.
      queue.push(queue.shift()!);
    }
    while (queue.shift() !== undefined);
  } finally {
    Object.assign(Array.prototype, { shift, slice });
  }
  assert(moved > 0, "the count is none of the queue's");
  assert(moved <= 2 * COUNT, `${moved} moves`);
});
