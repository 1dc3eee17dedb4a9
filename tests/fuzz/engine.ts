/**
 * The fuzzing engine. It is seeded and mutational: it begins with a target's good inputs and changes them at a few
 * places. And it is guided, cheaply: not by the lines that were reached, which would take an instrumented engine, but by
 * what can be seen from outside. A target says of each input by which way it went (which error, which kinds of frames
 * came out, …), and an input that went a new way joins those that are changed further.
 *
 * What it does depends on the seed alone, so that a find comes again; and it names the input itself.
 */

import { setImmediate } from "node:timers";
import { Random } from "../helpers/seeded.ts";
import { changed } from "./bytes.ts";
import { minimised } from "./minimise.ts";
import { blurred } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

/** Inputs between two looks at memory and rejections. */
const BLOCK = 64;

/** Inputs that are kept to be changed further, at most, besides the good ones. */
const MAX_CORPUS = 4096;

/** Ways that are told apart, at most. */
const MAX_FEATURES = 50_000;

/** An input that shows that something is wrong. */
export interface Find {
  readonly target: string;
  readonly message: string;
  readonly stack: string;
  readonly seed: number;
  /** Which one it was. */
  readonly index: number;
  /** The input, as short as it was made. */
  readonly input: Uint8Array;
}

/** What a run has shown. */
export interface FuzzReport {
  readonly target: string;
  readonly inputs: number;
  readonly steps: number;
  readonly ms: number;
  /** How often each kind of outcome came. */
  readonly kinds: ReadonlyMap<string, number>;
  /** How many ways were seen, and how many inputs were kept for them. */
  readonly features: number;
  readonly kept: number;
  /** The input that took longest, in milliseconds. */
  readonly slowest: number;
  readonly find: Find | undefined;
}

/** Takes one input, as a run does; throws what is wrong with it. */
export async function runAlone(target: Target, input: Uint8Array): Promise<Outcome> {
  const rejections = new Rejections();
  const close = target.open?.();
  try {
    const error = await verdict(target, input, rejections);
    if (error !== undefined) throw error;
    return await target.run(input);
  } finally {
    close?.();
    rejections.stop();
  }
}

/** An input took too much memory. */
class MemoryError extends Error {}

/** Rejections that nobody has handled. */
class Rejections {
  #seen: unknown[] = [];
  readonly #listener = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    this.#seen.push(event.reason);
  };

  constructor() {
    globalThis.addEventListener("unhandledrejection", this.#listener);
  }

  /** Those since the last call. */
  take(): unknown[] {
    return this.#seen.splice(0);
  }

  stop(): void {
    globalThis.removeEventListener("unhandledrejection", this.#listener);
  }
}

/** How many places an error tells of, from now on. Gives what it was before. */
function setStackTraceLimit(limit: number | undefined): number | undefined {
  const { stackTraceLimit } = Error as { stackTraceLimit?: number };
  (Error as { stackTraceLimit?: number | undefined }).stackTraceLimit = limit;
  return stackTraceLimit;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Bytes of the heap and of buffers that are in use, garbage included. */
function used(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Runs an input by itself. The error says what is wrong, if anything is. */
async function verdict(
  target: Target,
  input: Uint8Array,
  rejections: Rejections,
): Promise<Error | undefined> {
  const before = used();
  try {
    await target.run(input);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
  if (target.isAsync) await turn();
  const [reason] = rejections.take();
  if (reason !== undefined) return new Error(`A rejection that nobody handles: ${reason}`, { cause: reason });
  const taken = used() - before;
  const { base, factor } = target.memory ?? { base: Infinity, factor: 0 };
  if (taken <= base + factor * input.length) return undefined;
  return new MemoryError(`Memory out of proportion: ${taken} bytes for an input of ${input.length}`);
}

/** Fuzzes one target, as long as it is told to. */
export class Fuzzer implements Disposable {
  readonly #target: Target;
  readonly #seed: number;
  readonly #close: (() => void) | undefined;
  readonly #random: Random;
  readonly #good: Uint8Array[];
  readonly #kept: Uint8Array[] = [];
  readonly #features = new Set<string>();
  readonly #kinds = new Map<string, number>();
  #count = 0;
  #steps = 0;
  #slowest = 0;
  #ms = 0;
  #find: Find | undefined;

  /** Begins with the target's good inputs. */
  constructor(target: Target, seed: number) {
    this.#target = target;
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#good = target.seeds(new Random(1));
    this.#close = target.open?.();
  }

  /** Lets go of what the target has made. */
  [Symbol.dispose](): void {
    this.#close?.();
  }

  /** Whether something was found; then nothing more is looked for. */
  get find(): Find | undefined {
    return this.#find;
  }

  /** Gives so many inputs more; ends at the time `until`, and when something is found. */
  async run(inputs: number, until: number = Infinity): Promise<void> {
    const started = performance.now();
    const rejections = new Rejections();
    // Most inputs end in an error, and taking its stack is most of what that costs.
    const limit = setStackTraceLimit(0);
    try {
      for (let left = inputs; left > 0; left -= BLOCK) {
        if (this.#find !== undefined || performance.now() >= until) break;
        await this.#block(Math.min(BLOCK, left), rejections);
      }
    } finally {
      setStackTraceLimit(limit);
      rejections.stop();
    }
    this.#ms += performance.now() - started;
  }

  /** What all runs until now have shown. */
  get report(): FuzzReport {
    return {
      target: this.#target.name,
      inputs: this.#count,
      steps: this.#steps,
      ms: this.#ms,
      kinds: this.#kinds,
      features: this.#features.size,
      kept: this.#kept.length,
      slowest: this.#slowest,
      find: this.#find,
    };
  }

  async #block(size: number, rejections: Rejections): Promise<void> {
    const block: Uint8Array[] = [];
    let bytes = 0;
    const first = this.#count;
    const before = this.#target.memory === undefined ? 0 : used();
    for (let i = 0; i < size; i++) {
      const index = this.#count++;
      const input = this.#next(index);
      block.push(input);
      bytes += input.length;
      const started = performance.now();
      try {
        const result = this.#target.run(input);
        const { kind, feature, steps = 0 } = result instanceof Promise ? await result : result;
        this.#steps += steps;
        this.#note(input, kind, feature ?? kind, index);
      } catch (error) {
        return await this.#found(input, index, error, rejections);
      }
      this.#slowest = Math.max(this.#slowest, performance.now() - started);
    }
    // The loop of events gets its turn, and tells of rejections.
    if (this.#target.isAsync || first % 4096 === 0) await turn();
    const { memory } = this.#target;
    const much = memory !== undefined && used() - before > memory.base + memory.factor * bytes;
    const unhandled = rejections.take();
    if (much || unhandled.length > 0) await this.#search(block, first, rejections, unhandled[0]);
  }

  /** Something is wrong with one of these: which one it is shows when each is run by itself. */
  async #search(
    block: readonly Uint8Array[],
    first: number,
    rejections: Rejections,
    rejection: unknown,
  ): Promise<void> {
    for (const [i, input] of block.entries()) {
      const error = await verdict(this.#target, input, rejections);
      if (error !== undefined) return await this.#found(input, first + i, error, rejections);
    }
    if (rejection === undefined) return;
    const error = new Error(
      `A rejection that nobody handles, of one of ${block.length} inputs: ${rejection}`,
    );
    this.#find = this.#makeFind(block.at(-1)!, first, error);
  }

  #next(index: number): Uint8Array {
    const random = this.#random;
    if (this.#target.opaque) return random.bytes(4);
    if (index < this.#good.length) return this.#good[index]!;
    const { tokens, maxBytes } = this.#target;
    const other = (): Uint8Array => this.#pick();
    let input = other();
    for (let changes = random.pick([1, 1, 1, 2, 2, 3, 5]); changes > 0; changes--) {
      const own = this.#target.mutate !== undefined && random.chance(0.6);
      const next = own ? this.#target.mutate!(input, random, other) : changed(input, random, other, tokens);
      if (next.length <= maxBytes) input = next;
    }
    return input;
  }

  /** What to change: what is new more often than the rest. */
  #pick(): Uint8Array {
    const random = this.#random;
    const kept = this.#kept;
    if (kept.length === 0 || random.chance(0.3)) return random.pick(this.#good);
    return random.chance(0.5)
      ? random.pick(kept)
      : kept[kept.length - 1 - random.below(Math.min(32, kept.length))]!;
  }

  #note(input: Uint8Array, kind: string, feature: string, index: number): void {
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    if (this.#features.has(feature) || this.#features.size >= MAX_FEATURES) return;
    this.#features.add(feature);
    if (index < this.#good.length || this.#target.opaque) return;
    if (this.#kept.length < MAX_CORPUS) this.#kept.push(input);
    else this.#kept[this.#random.below(MAX_CORPUS)] = input;
  }

  async #found(
    input: Uint8Array,
    index: number,
    thrown: unknown,
    rejections: Rejections,
  ): Promise<void> {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (this.#target.opaque) {
      setStackTraceLimit(20);
      this.#find = this.#makeFind(input, index, await verdict(this.#target, input, rejections) ?? error);
      return;
    }
    const same = blurred(error.message);
    const shows = async (shorter: Uint8Array): Promise<boolean> => {
      const found = await verdict(this.#target, shorter, rejections);
      return found !== undefined && blurred(found.message) === same;
    };
    // What the last one has left behind is let go of by the next, so that memory cannot be compared so closely.
    const least = error instanceof MemoryError ? input : await minimised(input, shows);
    setStackTraceLimit(20);
    this.#find = this.#makeFind(least, index, await verdict(this.#target, least, rejections) ?? error);
  }

  #makeFind(input: Uint8Array, index: number, error: Error): Find {
    const { name } = this.#target;
    const stack = error.stack ?? error.message;
    return { target: name, message: error.message, stack, seed: this.#seed, index, input };
  }
}
