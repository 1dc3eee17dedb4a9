/** The `process` model: each execution has a Deno process of its own, and the next one is kept warm. */

import { encodeHello, HelloReader } from "../../channel/handshake.ts";
import { FrameType, makeFrame } from "../../channel/frame.ts";
import type { Transport } from "../../channel/transport.ts";
import { narrow } from "../../xspec/mod.ts";
import type { Permissions, PermissionsInit } from "../../xspec/mod.ts";
import { connectGrant } from "../process/link.ts";
import type { BypassPlace } from "../process/link.ts";
import { registered } from "../process/otel.ts";
import { spawnDeno } from "../process/spawn.ts";
import type { ProcessEnd, SpawnedProcess, SpawnOptions } from "../process/process.ts";
import { after } from "./after.ts";
import { idBlocks } from "./backend_worker.ts";
import type { Backend, Execution, ExecutionEvents } from "./router.ts";

/** What the backend needs to know. */
export interface ProcessBackendOptions {
  name: string;
  /** How a process is started, but for the greeting. */
  spawn: Omit<SpawnOptions, "hello">;
  /** Where the caller takes links of executions. */
  bypass?: BypassPlace | undefined;
}

/** A process that waits for, or holds, an execution. */
interface Child {
  readonly firstId: number;
  readonly process: Promise<SpawnedProcess>;
  readonly transport: Promise<Transport>;
  /** Asks it to end by itself, while it holds an execution. */
  ask: (() => void) | undefined;
  killed: boolean;
}

/** Starting a process takes time of the router: not while a short execution's answer is on the way. */
const WARM_AFTER_MS = 50;

/** How long a process may take to send its telemetry before it is killed. */
const FLUSH_TIMEOUT_MS = 3_000;

/**
 * How many have that time. Where more are at it, most likely their receiver does not answer, and further ones get less,
 * so that they do not pile up; it is enough for many that end at the same time.
 */
const MAX_FLUSHING = 8;
const CROWDED_FLUSH_TIMEOUT_MS = 500;

/** The end of a process says more than its broken connection does: it is waited for so long. */
const END_GRACE_MS = 2_000;

const READ_BYTES = 64 * 1024;

/** Executions in processes. */
export class ProcessBackend implements Backend {
  /** A process can always be stopped. */
  readonly runaway = 0;
  readonly #options: ProcessBackendOptions;
  readonly #nextId: () => number = idBlocks();
  readonly #children = new Set<Child>();
  /** How many send their telemetry. */
  #flushing = 0;
  /** The processes have the environment of this one, and so OpenTelemetry is on in them if it is here. */
  readonly #telemetry: boolean = registered() !== undefined;
  #spare: Child | undefined;
  #closed = false;

  /** Makes a backend without a spare. */
  constructor(options: ProcessBackendOptions) {
    this.#options = options;
  }

  /** Starts the spare process. */
  warm(): void {
    if (!this.#closed) this.#spare ??= this.#create(this.#options.spawn.permissions);
  }

  /** Takes the spare process, or a new one with narrower permissions. */
  start(events: ExecutionEvents, options: unknown): Execution {
    const wanted = (options as { permissions?: PermissionsInit } | null)?.permissions;
    const { permissions, cwd } = this.#options.spawn;
    let child: Child;
    if (wanted === undefined) {
      child = this.#spare ?? this.#create(permissions);
      this.#spare = undefined;
      after(WARM_AFTER_MS, () => this.warm());
    } else {
      child = this.#create(narrow(permissions, wanted, cwd));
    }
    return this.#run(child, events);
  }

  /** Kills every process, at once or when it has sent its telemetry. */
  close(): Promise<unknown> | undefined {
    this.#closed = true;
    const children = [...this.#children];
    if (this.#telemetry) return Promise.all(children.map((child) => this.#end(child)));
    for (const child of children) this.#kill(child);
    return undefined;
  }

  #create(permissions: Permissions): Child {
    const { name, spawn, bypass } = this.#options;
    const firstId = this.#nextId();
    const grant = bypass && connectGrant(permissions, bypass.path, spawn.cwd);
    const hello = encodeHello({
      role: "execution",
      name,
      firstId,
      ...(spawn.trace === undefined ? {} : { trace: spawn.trace }),
      ...(grant === undefined ? {} : { bypass: { ...bypass, revoke: grant.revoke } }),
    });
    const process = spawnDeno({ ...spawn, permissions: grant?.permissions ?? permissions, hello });
    const transport = process.then((one) => one.connected);
    const child: Child = { firstId, process, transport, ask: undefined, killed: false };
    child.transport.catch(() => {});
    this.#children.add(child);
    process.then(async (one) => {
      if (child.killed) one.kill();
      await one.ended;
      this.#children.delete(child);
      if (this.#spare === child) this.#spare = undefined;
    }, () => this.#children.delete(child));
    return child;
  }

  #run(child: Child, events: ExecutionEvents): Execution {
    let live = true;
    const lose = (reason: Error): void => {
      if (!live) return;
      live = false;
      events.lost(reason);
      this.#kill(child);
    };
    const queue = new FrameQueue(child.transport, lose);
    void this.#read(child, events, lose, () => live);
    child.ask = () => {
      live = false;
      queue.push(makeFrame(FrameType.TERMINATE, 0));
    };
    const kill = (): void => {
      live = false;
      this.#kill(child);
      after(0, () => this.warm());
    };
    const release = (): void => {
      void this.#end(child);
      after(0, () => this.warm());
    };
    const { firstId } = child;
    return { firstId, send: (frames) => queue.push(frames), kill, release: this.#telemetry ? release : kill };
  }

  /** Ends a process. One that was used may have telemetry to send, which it does when it ends by itself. */
  async #end(child: Child): Promise<void> {
    if (child.ask !== undefined) {
      child.ask();
      const crowded = this.#flushing >= MAX_FLUSHING && !this.#closed;
      const ms = crowded ? CROWDED_FLUSH_TIMEOUT_MS : FLUSH_TIMEOUT_MS;
      this.#flushing++;
      const late = new Promise<void>((resolve) => after(ms, resolve));
      await Promise.race([child.process.then((one) => one.ended, () => {}), late]);
      this.#flushing--;
    }
    this.#kill(child);
  }

  async #read(
    child: Child,
    events: ExecutionEvents,
    lose: (reason: Error) => void,
    live: () => boolean,
  ): Promise<void> {
    try {
      const process = await child.process;
      void process.ended.then((end) => lose(describeEnd(end)));
      const transport = await child.transport;
      const greeting = new HelloReader();
      let greeted = false;
      let buffer = new Uint8Array(READ_BYTES);
      while (live()) {
        const count = await transport.read(buffer);
        if (count === null) break;
        // The router keeps what it gets: a little is copied, so that it keeps no large buffer, and much is handed over.
        const little = count < READ_BYTES / 2;
        const chunk = little ? buffer.slice(0, count) : buffer.subarray(0, count);
        if (!little) buffer = new Uint8Array(READ_BYTES);
        if (greeted) {
          events.bytes(chunk);
          continue;
        }
        const hello = greeting.push(chunk);
        greeted = hello !== undefined;
        if (hello !== undefined && hello.rest.length > 0) events.bytes(hello.rest);
      }
    } catch (error) {
      after(END_GRACE_MS, () => lose(error as Error));
    }
  }

  #kill(child: Child): void {
    child.killed = true;
    child.process.then((one) => one.kill(), () => {});
    child.transport.then((transport) => transport.abort(), () => {});
  }
}

/** Says how a process ended without its execution having ended. */
function describeEnd({ code, signal }: ProcessEnd): Error {
  const how = signal === null ? `with code ${code}` : `by ${signal}`;
  const hint = signal === "SIGTRAP" || signal === "SIGABRT" || code === 133 || code === 134
    ? "; a signal like this is how V8 ends when it is out of memory"
    : "";
  return Object.assign(new Error(`The process of the execution ended ${how}${hint}`), { code, signal });
}

/** Writes one buffer after the other. */
class FrameQueue {
  readonly #transport: Promise<Transport>;
  readonly #failed: (reason: Error) => void;
  #waiting: Uint8Array[] = [];
  #running = false;

  constructor(transport: Promise<Transport>, failed: (reason: Error) => void) {
    this.#transport = transport;
    this.#failed = failed;
  }

  push(frames: Uint8Array): void {
    this.#waiting.push(frames);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      const transport = await this.#transport;
      while (this.#waiting.length > 0) {
        const frames = this.#waiting;
        this.#waiting = [];
        for (const bytes of frames) await transport.write(bytes, true);
      }
    } catch (error) {
      after(END_GRACE_MS, () => this.#failed(error as Error));
    }
    this.#running = false;
  }
}
