/** Nodes that Slurm has given to a group, held on a lifeline: they are given back however this program ends. */

import { within } from "../../channel/wait.ts";
import { explainSlurm, explainState, explainWaiting, SlurmError } from "./explain.ts";
import { thisMachine } from "./host.ts";
import type { Held, SlurmHost } from "./host.ts";
import { HOLD_SCRIPT, STEP_SHELL } from "./scripts.ts";
import { allocationWords, fitsOuterJob, stepWords } from "./words.ts";
import type { SlurmKeys } from "./words.ts";

/** How an allocation is asked for. */
export interface AllocationOptions {
  /** Ends the attempt: it is taken out of the queue, and rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds until the attempt fails, waiting in the queue included; for ever by default. */
  timeout?: number | undefined;
  /** Where Slurm's commands are; by default here. */
  host?: SlurmHost | undefined;
}

/** Why there is no allocation any more. */
export interface AllocationEnd {
  /** Whether it was given back with {@linkcode Allocation.release}. */
  released: boolean;
  /** `released`, or what happened. */
  reason: string;
  /** The last lines that Slurm wrote. */
  stderrTail: string;
}

/** Longer than the holding script needs, unless the controller is down. */
const RELEASE_TIMEOUT_MS = 15_000;

/** What waits in the queue is taken out of it at once, unless the controller is down. */
const ABORT_TIMEOUT_MS = 5_000;

/** For a question to the controller that can go unanswered, or has to be asked again after a while. */
const STATE_TIMEOUT_MS = 5_000;
const STATE_PAUSE_MS = 100;

/** What is kept of Slurm's messages, and of the line that tells the nodes. */
const MAX_TAIL_CHARS = 4_096;
const MAX_LINE_CHARS = 1 << 20;

/** For the last words of a command that has ended, while another process may still hold its stderr. */
const LAST_WORDS_MS = 500;

/**
 * Nodes of a cluster, held until {@linkcode Allocation.release}.
 *
 * - A shell holds them, and lets go when the other end of its stdin is gone: released, this program ended, or killed.
 *   Then every step is killed at once, and Slurm has the nodes back.
 * - It never keeps the program alive by itself.
 * - Within a job of Slurm's, keys that name no partition, account or time are served by that job's own nodes, as
 *   `srun` does: asking for more would wait for what the job itself holds. Such nodes are not given back, but the
 *   steps end all the same.
 */
export class Allocation implements AsyncDisposable {
  /** The job's id. */
  readonly job: string;
  /** The names of its nodes. */
  readonly nodes: readonly string[];
  /** Whether these are nodes of the job that the program itself runs in. */
  readonly own: boolean;
  /** Resolves as soon as the allocation has ended; never rejects. */
  readonly over: Promise<unknown>;
  /** Resolves when it has ended and it is known why; never rejects. */
  readonly ended: Promise<AllocationEnd>;
  readonly #holder: Holder;
  #release: Promise<void> | undefined;

  private constructor(holder: Holder, grant: Grant, host: SlurmHost) {
    this.job = grant.job;
    this.nodes = grant.nodes;
    this.own = grant.own;
    this.#holder = holder;
    this.over = holder.ended;
    this.ended = holder.ended.then(async ({ code, reason }): Promise<AllocationEnd> => {
      const released = this.#release !== undefined;
      const stderrTail = holder.tail;
      if (released) return { released, reason: "released", stderrTail };
      if (reason !== undefined) return { released, reason, stderrTail };
      // salloc does not always tell why an allocation was revoked.
      const state = explainState(await stateOf(host, grant.job)) ?? explainSlurm(code, stderrTail).state;
      return { released, reason: state, stderrTail };
    });
  }

  /**
   * Asks for nodes and waits until they are there. Whatever fails, nothing is left in the queue.
   *
   * @throws {SlurmError} with the step that failed
   */
  static async request(keys: SlurmKeys, options: AllocationOptions = {}): Promise<Allocation> {
    const { signal, timeout, host = thisMachine() } = options;
    signal?.throwIfAborted();
    const count = keys.nodes ?? 1;
    const holder = await Holder.start(host, keys, count);
    let stop: (reason: "aborted" | "late") => void;
    const stopped = new Promise<"aborted" | "late">((resolve) => stop = resolve);
    const abort = (): void => stop("aborted");
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    const timer = timeout === undefined ? undefined : setTimeout(() => stop("late"), timeout);
    try {
      const result = await Promise.race([holder.granted, holder.ended, stopped]);
      if (typeof result === "object" && "job" in result && result.nodes.length >= count) {
        holder.keepAlive(false);
        return new Allocation(holder, result, host);
      }
      const waiting = explainWaiting(holder.tail);
      await holder.letGo(ABORT_TIMEOUT_MS).catch(() => {}); // it goes on trying by itself
      if (result === "aborted") throw signal!.reason;
      if (result === "late") {
        throw failure(
          keys,
          waiting.kind,
          `not granted after ${timeout} ms: ${waiting.state}`,
          undefined,
          holder.tail,
        );
      }
      if ("job" in result) {
        throw failure(
          keys,
          "refused",
          `job ${result.job} has ${result.nodes.length} nodes`,
          undefined,
          holder.tail,
        );
      }
      const { code, reason } = result;
      if (reason !== undefined) throw failure(keys, "exit", reason, code, holder.tail);
      const { kind, state } = explainSlurm(code, holder.tail);
      throw failure(keys, kind, state, code, holder.tail);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * The words that start one task on the `index`-th node; those of the command to run are put behind them.
   *
   * - Its stdin is a pipe and its stdout a pseudo terminal in raw mode: every byte passes, both ways. Its stderr is a
   *   pipe. It leads a process group, but no session.
   * - SIGTERM to the process kills the task at once. SIGKILL to it alone does too; SIGKILL to its whole process group
   *   leaves the task running, without an end of its stdin, until the allocation ends.
   */
  prefix(index: number): string[] {
    if (!Number.isInteger(index) || index < 0 || index >= this.nodes.length) {
      throw new RangeError(`Cannot use node ${index} of job ${this.job}: it has ${this.nodes.length}`);
    }
    return [...STEP_SHELL, ...stepWords(this.job, index, this.#holder.name)];
  }

  /**
   * Ends every step and gives the nodes back. Idempotent.
   *
   * @throws {SlurmError} when Slurm has not confirmed that after 15 s; it is tried further, also without this program
   */
  release(): Promise<void> {
    return this.#release ??= this.#holder.letGo(RELEASE_TIMEOUT_MS);
  }

  /** Releases it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

interface Grant {
  own: boolean;
  job: string;
  nodes: string[];
}

/** The shell that holds an allocation. */
class Holder {
  /** Unique, so that what is in the queue can be found by it. */
  readonly name: string;
  /** Resolves with what was given; never, when nothing is. */
  readonly granted: Promise<Grant>;
  /** Resolves when it has ended. */
  readonly ended: Held["ended"];
  /** The last lines of Slurm's messages. */
  tail = "";
  readonly #held: Held;
  #letGo = false;

  static async start(host: SlurmHost, keys: SlurmKeys, count: number): Promise<Holder> {
    const name = `execnet-${Deno.pid}-${crypto.getRandomValues(new Uint8Array(6)).toHex()}`;
    const words = [name, String(count), fitsOuterJob(keys) ? "any" : "new", ...allocationWords(keys, name)];
    return new Holder(name, await host.hold(["/bin/sh", "-c", HOLD_SCRIPT, "execnet", ...words]));
  }

  private constructor(name: string, held: Held) {
    this.name = name;
    this.#held = held;
    this.granted = new Promise((resolve) => this.#readGrant(resolve).catch(() => {}));
    const lastWords = this.#readTail().catch(() => {});
    this.ended = held.ended.then(async (end) => {
      this.#closeLifeline(); // where it was killed, what it has started gives the nodes back
      await within(lastWords, LAST_WORDS_MS);
      return end;
    });
  }

  async #readGrant(resolve: (grant: Grant) => void): Promise<void> {
    const decoder = new TextDecoder();
    let line = "";
    let found = false;
    for await (const chunk of this.#held.stdout) {
      if (found || line.length > MAX_LINE_CHARS) continue;
      line += decoder.decode(chunk, { stream: true });
      const end = line.indexOf("\n");
      if (end < 0) continue;
      found = true;
      const [kind, job, ...nodes] = line.slice(0, end).trim().split(/\s+/);
      if (job !== undefined && /^\d+$/.test(job)) resolve({ own: kind === "own", job, nodes });
    }
  }

  async #readTail(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#held.stderr) {
      this.tail = (this.tail + decoder.decode(chunk, { stream: true })).slice(-MAX_TAIL_CHARS);
    }
  }

  #closeLifeline(): void {
    if (this.#letGo) return;
    this.#letGo = true;
    this.#held.letGo();
  }

  /** Whether the program has to stay because of it; at first it has. */
  keepAlive(keep: boolean): void {
    this.#held.keepAlive(keep);
  }

  /** Lets go and waits for its end. */
  async letGo(timeout: number): Promise<void> {
    this.keepAlive(true);
    this.#closeLifeline();
    if (await within(this.ended, timeout) !== undefined) return;
    this.keepAlive(false);
    throw new SlurmError(
      "timeout",
      `Cannot give back the allocation "${this.name}": Slurm has not confirmed it after ${timeout} ms`,
      { stderrTail: this.tail },
    );
  }
}

function failure(
  keys: SlurmKeys,
  kind: SlurmError["kind"],
  state: string,
  exitCode: number | undefined,
  tail: string,
): SlurmError {
  const { nodes = 1, ...others } = keys;
  const rest = Object.entries(others).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}=${value}`]
  );
  const said = tail.trim().replaceAll("\n", "; ");
  return new SlurmError(
    kind,
    `Cannot get nodes=${nodes}${rest.join("")} from Slurm: ${state}${said === "" ? "" : ` (${said})`}`,
    { exitCode, stderrTail: tail },
  );
}

/**
 * The state and the reason of a job that has ended, as the queue shows them for a while; empty when they are not known.
 * As long as something of it still runs, the queue shows only that.
 */
async function stateOf(host: SlurmHost, job: string): Promise<string> {
  const command = ["/bin/sh", "-c", 'exec squeue --noheader --states=all --jobs="$0" --format="%T %r"', job];
  for (const until = performance.now() + STATE_TIMEOUT_MS;;) {
    const left = Math.max(1, until - performance.now());
    const state = await host.ask(command, left).catch(() => "");
    if (!/^COMPLETING None/.test(state) || left <= STATE_PAUSE_MS) return state;
    await new Promise<void>((resolve) => Deno.unrefTimer(setTimeout(resolve, STATE_PAUSE_MS)));
  }
}
