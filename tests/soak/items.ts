/**
 * Items that account for themselves: numbered, with what has been seen of the other direction and a checksum. What is here
 * runs on both sides: it goes to the far side as text, so that nothing in it may need anything of another file.
 */

import type { Channel } from "../../mod.ts";

/** What travels on a lane: its number, how many came from the other side before it, the checksum of what it holds, that, and perhaps a channel. */
export type Parcel = [number: number, seen: number, sum: number, body: unknown, passed?: Channel];

/** What the far side is asked to do. */
export type Order =
  /** Send so many items on the lane, of that size. */
  | { do: "send"; count: number; seed: number; size: number }
  /** Send so many items on the channel that comes with this, and close it. */
  | { do: "fill"; count: number; seed: number }
  /** Make a channel, hand it over, and say how many items came on it. */
  | { do: "make" }
  /** Close the lane. */
  | { do: "close" }
  /** Close the lane with an error. */
  | { do: "fail"; text: string };

/** The checksum of what an item holds (FNV-1a over words). */
export function checksum(body: unknown): number {
  let hash = 0x811c9dc5;
  const add = (word: number): void => {
    hash = Math.imul(hash ^ word, 0x01000193);
  };
  if (body instanceof Uint8Array) {
    const copy = body.byteOffset % 4 === 0 ? body : body.slice();
    const words = new Uint32Array(copy.buffer, copy.byteOffset, copy.length >> 2);
    for (const word of words) add(word);
    for (let i = words.length * 4; i < copy.length; i++) add(copy[i]!);
    add(copy.length);
  } else {
    const text = JSON.stringify(body) ?? "undefined";
    for (let i = 0; i < text.length; i++) add(text.charCodeAt(i));
  }
  return hash >>> 0;
}

/** What an item holds, the same for the same seed: so many bytes, or something small. */
export function bodyOf(seed: number, size: number): unknown {
  if (size > 0) {
    const bytes = new Uint8Array(size);
    const words = new Uint32Array(bytes.buffer, 0, size >> 2);
    let state = seed * 2654435761 + 1 >>> 0;
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    return bytes;
  }
  const kinds = [seed, `text ${seed}`, { id: seed, list: [seed, "é", null], nested: { yes: true } }, [seed, [
    seed,
  ]], null];
  return kinds[seed % kinds.length];
}

/** What one side has sent and received on a channel. */
export class Tally {
  /** Items handed to `send`. */
  sent = 0;
  /** Items received, each the next one and whole. */
  got = 0;
  /** How many of those that were sent the other side has said it has received. */
  confirmed = 0;

  /** The next item. */
  wrap(body: unknown, passed?: Channel): Parcel {
    const parcel: Parcel = [this.sent++, this.got, checksum(body), body];
    if (passed !== undefined) parcel.push(passed);
    return parcel;
  }

  /** What an item holds. Throws where it is not the next one, or not what was sent. */
  open(item: unknown): unknown {
    const [number, seen, sum, body] = item as Parcel;
    if (number !== this.got) throw new Error(`Item ${number} came in place of ${this.got}`);
    if (checksum(body) !== sum) throw new Error(`Item ${number} is not what was sent`);
    if (seen < this.confirmed || seen > this.sent) {
      throw new Error(
        `${seen} of ${this.sent} items are said to have come, ${this.confirmed} had come before`,
      );
    }
    this.got++;
    this.confirmed = seen;
    return body;
  }
}
