/** What runs in a Worker of the agent: one execution, behind a port. */

import type { Transport } from "../../channel/transport.ts";
import { after } from "./after.ts";
import { Host, rehearse } from "./host.ts";

/** What a Worker is told first. */
export interface WorkerStart {
  /** The gateway's id. */
  name: string;
  /** The first id for channels that are made in it. */
  firstId: number;
}

/** An execution that waits already must not wait for a rehearsal. */
export const REHEARSE_AFTER_MS = 2;

/** What a Worker says of itself; everything else from it is frames. */
export const WorkerSays = {
  /** It has ended by itself: `Deno.exit` or `close`. */
  GONE: 1,
  /** It ends because it was told to. */
  DYING: 2,
} as const;

/** What a Worker is told besides frames: to end. */
export const DIE = 3;

/** The part of a Worker's global scope that the port needs. */
interface WorkerScope {
  addEventListener(type: string, listener: (event: never) => void): void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
  close(): void;
}

/** Starts the Worker's side, with what its owner sent first. */
export function startWorker(start: WorkerStart): void {
  const scope = globalThis as unknown as WorkerScope;
  const post = scope.postMessage.bind(scope);
  const close = scope.close.bind(scope);
  let receive: ((bytes: Uint8Array) => void) | undefined;
  scope.addEventListener("message", (event: MessageEvent) => {
    // The port is the agent's: code that listens for messages of its own gets none of these.
    event.stopImmediatePropagation();
    const { data } = event;
    if (receive !== undefined && data instanceof Uint8Array) return receive(data);
    if (data === DIE) {
      post(WorkerSays.DYING);
      close();
      return;
    }
  });
  const { name, firstId } = start;
  const host = new Host(portTransport((push) => receive = push, post), { name, firstId, shared: false });
  scope.addEventListener("unload", () => post(WorkerSays.GONE));
  Object.assign(scope, {
    close: () => {
      post(WorkerSays.GONE);
      close();
    },
    // Frames are the only messages; the sandbox of an execution has no use for others.
    postMessage: undefined,
  });
  void host.session.ended.then(() => scope.close());
  after(REHEARSE_AFTER_MS, () => {
    if (host.used) return;
    void rehearse();
    // An empty chunk means nothing, but the first message of a Worker takes 2 ms.
    const nothing = new Uint8Array(0);
    post(nothing, [nothing.buffer]);
  });
  catchUncaught((error) => host.failExecution(error));
}

/** Gives errors that nobody catches to `take`; where that has no use for them they end the isolate as usual. */
export function catchUncaught(take: (error: unknown) => boolean): void {
  addEventListener("error", (event) => {
    if (take(event.error)) event.preventDefault();
  });
  addEventListener("unhandledrejection", (event) => {
    if (take(event.reason)) event.preventDefault();
  });
}

/** The same for callbacks of `queueMicrotask`, whose errors end a process without an event. */
export function catchInMicrotasks(take: (error: unknown) => boolean): void {
  const queue = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (callback) =>
    queue(() => {
      try {
        callback();
      } catch (error) {
        if (!take(error)) throw error;
      }
    });
}

/** A transport of messages; buffers are given away, not copied, where that is possible. */
function portTransport(
  listen: (push: (bytes: Uint8Array) => void) => void,
  post: (message: unknown, transfer?: Transferable[]) => void,
): Transport {
  return {
    read: () => Promise.resolve(null),
    write(bytes, whole): Promise<void> {
      const message = whole ? bytes : bytes.slice();
      post(message, [message.buffer as ArrayBuffer]);
      return Promise.resolve();
    },
    close: () => {},
    abort: () => {},
    receiveMessages: (push) => listen(push),
    writeBudget: Infinity,
  };
}
