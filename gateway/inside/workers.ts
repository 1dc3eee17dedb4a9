/** The Workers of a gateway inside of its caller's process. */

import { inTimersTurn } from "../../channel/turn.ts";
import { Shared } from "../agent/printing.ts";
import { WorkerSays } from "../agent/worker_entry.ts";
import type { ExitWords, WorkerStart } from "../agent/worker_entry.ts";
import type { WorkerMaker } from "../agent/backend_worker.ts";
import { WORKER_URL } from "../process/link.ts";
import type { Ref } from "../process/process.ts";
import { workerPermissions } from "../../xspec/mod.ts";
import type { Permissions } from "../../xspec/mod.ts";

/**
 * Keeps a Worker from keeping the program alive, or takes that back. Deno has a method for it under a symbol without a
 * name, for `node:worker_threads`; where a later version has not, a Worker keeps the program alive until it ends.
 */
const REF: symbol | undefined = Object.getOwnPropertySymbols(Worker.prototype)
  .find((symbol) =>
    !symbol.description &&
    typeof (Worker.prototype as unknown as Record<symbol, unknown>)[symbol] === "function"
  );

function setRef(worker: Worker, held: boolean): void {
  if (REF !== undefined) (worker as unknown as Record<symbol, (held: boolean) => void>)[REF]!(held);
}

function isExitWords(data: unknown): data is ExitWords {
  return typeof (data as ExitWords | null)?.exitCode === "number";
}

/** So much is taken before who prints is told. */
const TAKEN_STEP = 256 * 1024;

/** What a Worker has printed and nobody has taken. */
class Untaken {
  /** Shared with the Worker, which adds to the characters, and waits while there are too many. See {@linkcode Shared}. */
  readonly shared: Int32Array = new Int32Array(new SharedArrayBuffer(8));
  #taken = 0;
  #telling = false;
  #over = false;

  /**
   * So many were taken. The Worker is told in a turn of the event loop that is a timer's, so that one which prints without
   * end lets everybody else have theirs.
   */
  take(length: number): void {
    this.#taken += length;
    if (this.#taken < TAKEN_STEP || this.#telling || this.#over) return;
    this.#telling = true;
    inTimersTurn(() => this.#tell());
  }

  /** The Worker has ended, or is about to: it waits no more. What it has said before may still come. */
  end(): void {
    this.#over = true;
    Atomics.store(this.shared, Shared.OVER, 1);
    Atomics.store(this.shared, Shared.UNTAKEN, 0);
    Atomics.notify(this.shared, Shared.UNTAKEN);
  }

  #tell(): void {
    this.#telling = false;
    if (this.#over) return;
    Atomics.sub(this.shared, Shared.UNTAKEN, this.#taken);
    this.#taken = 0;
    Atomics.notify(this.shared, Shared.UNTAKEN);
  }
}

/** Makes Workers and keeps count of those that live. */
export class InsideWorkers implements WorkerMaker, Ref {
  /** The exit code of a whole gateway that has ended itself. */
  exitCode = 0;
  readonly #script: string;
  readonly #permissions: Permissions;
  readonly #print: (text: string) => void;
  /** Those that live, with what each has printed and was not taken yet. */
  readonly #living = new Map<Worker, Untaken>();
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #held = true;
  #emptied: (() => void) | undefined;

  /** Makes none yet. `print` takes what they print. */
  constructor(script: Uint8Array, permissions: Permissions, print: (text: string) => void) {
    this.#script = new TextDecoder().decode(script);
    this.#permissions = permissions;
    this.#print = print;
  }

  /** Resolves when one of them has said that it is there; rejects when it fails before. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** How many live. */
  get living(): number {
    return this.#living.size;
  }

  /** Makes a Worker. Throws what Deno says when it may not hold these permissions. */
  make(narrower: Permissions = this.#permissions): Worker {
    const permissions = workerPermissions(narrower);
    // Asking for what it has anyway would take a flag of the whole program.
    const deno = permissions === "inherit" ? {} : { deno: { permissions } };
    const worker = new Worker(WORKER_URL, { type: "module", ...deno } as WorkerOptions);
    const untaken = new Untaken();
    this.#living.set(worker, untaken);
    if (!this.#held) setRef(worker, false);
    worker.addEventListener("message", ({ data }: MessageEvent) => {
      if (typeof data === "string") {
        this.#print(data);
        untaken.take(data.length);
      } else if (data === WorkerSays.READY) this.#ready.resolve();
      else if (isExitWords(data)) this.exitCode = data.exitCode;
      else if (data === WorkerSays.GONE || data === WorkerSays.DYING) this.gone(worker);
    });
    worker.addEventListener("error", (event) => {
      // The owner hears of it, too; here it must not become an error of the whole program.
      event.preventDefault();
      this.#ready.reject(new Error(event.message));
      this.gone(worker);
    });
    worker.postMessage(this.#script);
    return worker;
  }

  /** What a Worker is told first, besides what any is. */
  start(worker: Worker): Pick<WorkerStart, "inside"> {
    return { inside: this.#living.get(worker)!.shared };
  }

  /** Forgets a Worker that has ended. */
  gone(worker: Worker): void {
    this.#living.get(worker)?.end();
    if (this.#living.delete(worker) && this.#living.size === 0) this.#emptied?.();
  }

  /** Takes a word of the gateway itself. */
  report(text: string): void {
    this.#print(text);
  }

  /** Resolves when none lives. */
  empty(): Promise<void> {
    return this.#living.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#emptied = resolve);
  }

  /** Ends all that live. One that never yields goes on all the same, but no longer keeps the program alive. */
  terminate(): void {
    this.unref();
    for (const [worker, untaken] of this.#living) {
      worker.terminate();
      untaken.end();
    }
  }

  /** They keep the program alive. */
  ref(): void {
    this.#setHeld(true);
  }

  /** They do not keep the program alive. */
  unref(): void {
    this.#setHeld(false);
  }

  #setHeld(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    for (const worker of this.#living.keys()) setRef(worker, held);
  }
}
