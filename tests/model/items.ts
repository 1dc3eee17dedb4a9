/** The items of a walk: each has a number, and content that can be told from it. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import type { Random } from "../helpers/seeded.ts";

/** Sizes: mostly small, now and then large enough to be cut into parts or to fill the window. */
function sizeOf(random: Random): number {
  return random.chance(0.93)
    ? 5 + random.below(50)
    : 5 + random.below(random.chance(0.95) ? 40_000 : 700_000);
}

/** An item with that number, and with a channel in it where there is one. */
export function makeItem(random: Random, n: number, inner?: Channel, size?: number): unknown {
  if (inner !== undefined) return random.chance(0.5) ? { n, inner } : [n, { deep: [inner] }];
  const kind = size === undefined ? random.below(4) : 3;
  if (kind === 0) return n;
  if (kind === 1) return [n, `text ${n}`];
  if (kind === 2) return { n, more: { text: "y".repeat(n % 100) } };
  const item = new Uint8Array(size ?? sizeOf(random));
  new DataView(item.buffer).setUint32(0, n);
  item[item.length - 1] = item.length % 251;
  return item;
}

/** The number of what came. */
export function numberOf(item: unknown): number {
  if (typeof item === "number") return item;
  if (item instanceof Uint8Array) return new DataView(item.buffer, item.byteOffset).getUint32(0);
  return Array.isArray(item) ? item[0] : (item as { n: number }).n;
}

/** Looks whether an item is as it was made. Gives the channel in it. */
export function checkItem(n: number, item: unknown): Channel | undefined {
  if (typeof item === "number") return undefined;
  if (item instanceof Uint8Array) {
    assertEquals(item[item.length - 1], item.length % 251, "the end of an item");
    return undefined;
  }
  if (Array.isArray(item)) {
    if (item[1] === `text ${n}`) return undefined;
    const [inner] = (item[1] as { deep: unknown[] }).deep;
    return channelOf(inner);
  }
  const { inner, more } = item as { inner?: unknown; more?: { text: string } };
  if (more !== undefined) {
    assertEquals(more.text.length, n % 100);
    return undefined;
  }
  return channelOf(inner);
}

function channelOf(value: unknown): Channel {
  assert(value instanceof Channel, "no channel in an item");
  return value as Channel;
}
