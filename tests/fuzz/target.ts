/** What the engine needs of something that is to be fuzzed. */

import type { Random } from "../helpers/seeded.ts";

/** What an input did, where nothing was wrong with that. */
export interface Outcome {
  /** For the table: one of a few. */
  readonly kind: string;
  /** For the guidance: tells one way through the code from another, as far as can be seen from outside. */
  readonly feature?: string;
  /** Steps that it took, where an input is a walk. */
  readonly steps?: number;
}

/** How much memory inputs may take, garbage included. */
export interface MemoryBound {
  /** Bytes for each input, */
  readonly base: number;
  /** and for each byte of it. */
  readonly factor: number;
}

/** Something that takes bytes which others have made. */
export interface Target {
  /** Its name on the command line. */
  readonly name: string;
  /** Its part of all inputs of a long run. */
  readonly share: number;
  /** Inputs of the short run, some half a second of them. */
  readonly short: number;
  /** No input is longer. */
  readonly maxBytes: number;
  /** Whether it works in promises, so that rejections that nobody handles are looked for. */
  readonly isAsync: boolean;
  /** How much memory it may take; not looked at without. */
  readonly memory?: MemoryBound;
  /** Pieces that mean something to it. */
  readonly tokens?: readonly Uint8Array[];
  /** An input is only a seed: bytes of it are neither changed nor left out. */
  readonly opaque?: boolean;
  /** Makes what it needs outside of this process; gives what removes that. */
  open?(): () => void;
  /** Good inputs to begin with. */
  seeds(random: Random): Uint8Array[];
  /** Changes an input as only who knows its form can. `other` gives further inputs. */
  mutate?(input: Uint8Array, random: Random, other: () => Uint8Array): Uint8Array;
  /** Takes an input. Throws when something is wrong with what that does. */
  run(input: Uint8Array): Outcome | Promise<Outcome>;
}

/** A text in which numbers and quoted parts are all alike, so that what differs only in them is the same. */
export function blurred(text: string): string {
  return text.replace(/"[^"]*"/g, '"…"').replace(/\d+/g, "#").slice(0, 160);
}

/** Throws unless something holds. */
export function hold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
