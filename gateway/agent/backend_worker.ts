/** The `worker` model: each execution has a Worker of its own, and where they follow one another the next one is warm. */

import { narrow, workerPermissions } from "../../xspec/mod.ts";
import type { Permissions, PermissionsInit } from "../../xspec/mod.ts";
import { ID_BLOCK, MAX_CHANNEL_ID } from "../../channel/frame.ts";
import { after } from "./after.ts";
import type { Backend, Execution, ExecutionEvents } from "./router.ts";
import { WORKER_URL } from "../process/link.ts";
import type { BypassPlace } from "../process/link.ts";
import { DIE, WorkerSays } from "./worker_entry.ts";
import type { WorkerStart } from "./worker_entry.ts";

/** Makes the first channel ids of executions, so that no two executions ever use the same. Throws when there is none left. */
export function idBlocks(): () => number {
  let next = 2;
  return () => {
    const first = next;
    next += ID_BLOCK;
    if (next > MAX_CHANNEL_ID) {
      throw new RangeError("Cannot execute: this gateway has executed as much as it can");
    }
    return first;
  };
}

/** A Worker that runs the agent, and knows its ids. */
interface ReadyWorker {
  readonly worker: Worker;
  readonly firstId: number;
}

/**
 * Making a Worker blocks the router for about 15 ms. So the next one is made when an execution has ended, or has run for
 * a while, and not while its first answer is on the way. It takes 45 ms of processor time and 11 MiB besides, so that it
 * is made only where there has been a second execution: many gateways execute one thing, or serve calls in one.
 */
const WARM_AFTER_MS = 50;

/** A Worker that yields answers within this time; one that does not is a runaway. */
const DYING_TIMEOUT_MS = 1_000;

/** What the backend needs to know. */
export interface WorkerBackendOptions {
  name: string;
  permissions: Permissions;
  cwd: string;
  /** Makes the Workers. */
  workers: WorkerMaker;
  /** Where the caller takes links of executions. */
  bypass?: BypassPlace | undefined;
}

/** Where Workers come from. */
export interface WorkerMaker {
  /** Makes a Worker that runs the agent's text, with the gateway's permissions or with narrower ones. */
  make(narrower?: Permissions): Worker;
  /** Is told of each Worker that has ended, or was ended. */
  gone?(worker: Worker): void;
  /** What a Worker is told first, besides its name and its ids. */
  start?(worker: Worker): Partial<WorkerStart>;
  /** Takes a word to whoever reads what the gateway prints. */
  report(text: string): void;
}

/** Makes the Workers of an agent in a process of its own: they hold what it holds. */
export function agentWorkers(script: Uint8Array, held: Permissions): WorkerMaker {
  const text = new TextDecoder().decode(script);
  return {
    make(narrower): Worker {
      // Without a word about permissions all Workers would share one set, and what one gives back, all would lose.
      const permissions = narrower === undefined ? "inherit" : workerPermissions(narrower, [], held);
      const worker = new Worker(WORKER_URL, { type: "module", deno: { permissions } } as WorkerOptions);
      worker.postMessage(text);
      return worker;
    },
    report: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
  };
}

/** Executions in Workers. */
export class WorkerBackend implements Backend {
  readonly #options: WorkerBackendOptions;
  readonly #nextId: () => number = idBlocks();
  #spare: ReadyWorker | undefined;
  #executions = 0;
  #runaway = 0;
  #closed = false;
  #reported = false;

  /** Makes a backend; `spare` is a Worker that runs the agent's text already. */
  constructor(options: WorkerBackendOptions, spare?: Worker) {
    this.#options = options;
    if (spare !== undefined) this.#spare = this.#greet(spare, options.bypass);
  }

  /** How many Workers could not be stopped. */
  get runaway(): number {
    return this.#runaway;
  }

  /** Starts the spare Worker. */
  warm(): void {
    if (!this.#closed) this.#spare ??= this.#create();
  }

  /** Takes the spare Worker, or a new one with narrower permissions. */
  start(events: ExecutionEvents, options: unknown): Execution {
    const wanted = (options as { permissions?: PermissionsInit } | null)?.permissions;
    let ready: ReadyWorker;
    if (wanted === undefined) {
      ready = this.#spare ?? this.#create();
      this.#spare = undefined;
      this.#executions++;
      this.#warmAfter(WARM_AFTER_MS);
    } else {
      ready = this.#create(narrow(this.#options.permissions, wanted, this.#options.cwd));
    }
    return this.#run(ready, events);
  }

  #warmAfter(ms: number): void {
    if (this.#executions > 1) after(ms, () => this.warm());
  }

  /** Ends the spare Worker. */
  close(): undefined {
    this.#closed = true;
    if (this.#spare !== undefined) this.#end(this.#spare.worker);
  }

  #create(narrower?: Permissions): ReadyWorker {
    const { workers, bypass } = this.#options;
    // With narrower permissions it could not connect.
    return this.#greet(workers.make(narrower), narrower === undefined ? bypass : undefined);
  }

  #greet(worker: Worker, bypass: BypassPlace | undefined): ReadyWorker {
    const { name, workers } = this.#options;
    const firstId = this.#nextId();
    worker.postMessage({ name, firstId, bypass, ...workers.start?.(worker) } satisfies WorkerStart);
    return { worker, firstId };
  }

  #end(worker: Worker): void {
    worker.terminate();
    this.#options.workers.gone?.(worker);
  }

  #run({ worker, firstId }: ReadyWorker, events: ExecutionEvents): Execution {
    let state: "running" | "dying" | "runaway" | "gone" = "running";
    const gone = (): void => {
      if (state === "runaway") this.#runaway--;
      state = "gone";
      this.#end(worker);
    };
    worker.onmessage = ({ data }: MessageEvent) => {
      if (data instanceof Uint8Array) {
        if (state === "running") events.bytes(data);
        return;
      }
      if (data !== WorkerSays.GONE && data !== WorkerSays.DYING) return;
      const before = state;
      gone();
      if (data === WorkerSays.GONE && before === "running") {
        events.lost(new Error("The execution ended its own Worker, e.g. by Deno.exit"));
      }
    };
    worker.onerror = (event: ErrorEvent) => {
      event.preventDefault();
      const before = state;
      gone();
      if (before === "running") events.lost(new Error(event.message, { cause: event.error }));
    };
    return {
      firstId,
      send: (frames) => worker.postMessage(frames, [frames.buffer as ArrayBuffer]),
      release: () => {
        gone();
        this.#warmAfter(0);
      },
      kill: () => {
        if (state !== "running") return;
        state = "dying";
        worker.postMessage(DIE);
        after(DYING_TIMEOUT_MS, () => {
          if (state !== "dying" || this.#closed) return;
          state = "runaway";
          this.#runaway++;
          this.#report();
        });
      },
    };
  }

  #report(): void {
    if (this.#reported) return;
    this.#reported = true;
    const text =
      `execnet: an execution on gateway "${this.#options.name}" never yields and cannot be stopped; ` +
      "it burns a core until the gateway ends (execmodel=process has no such executions)\n";
    this.#options.workers.report(text);
  }
}
