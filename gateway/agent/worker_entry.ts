/** What runs in a Worker of the agent: one execution, behind a port. */

import { encodeHello } from "../../channel/handshake.ts";
import { EMPTY } from "../../channel/frame.ts";
import type { Transport } from "../../channel/transport.ts";
import type { AgentConfig } from "../process/config.ts";
import type { BypassPlace } from "../process/link.ts";
import { after } from "./after.ts";
import { openLink } from "./bypass.ts";
import { describe } from "./facts.ts";
import { Host, rehearse } from "./host.ts";
import { boundedPrint, redirectPrinting } from "./printing.ts";
import { serveShared } from "./shared.ts";
import { cutSpans } from "./spans.ts";
import { withoutStorage } from "./storage.ts";
import { catchUncaught } from "./uncaught.ts";

/** What a Worker is told first. */
export interface WorkerStart {
  /** The gateway's id. */
  name: string;
  /** The first id for channels that are made in it. */
  firstId: number;
  /**
   * It is a Worker inside of the caller's own process: what it prints goes to its owner, as text. The numbers in it
   * say how much of that is on its way there.
   */
  inside?: Int32Array;
  /** Where the caller takes links of executions. */
  bypass?: BypassPlace | undefined;
  /** It is a whole gateway of `execmodel=main`. */
  gateway?: AgentConfig;
}

/** An execution that waits already must not wait for a rehearsal. */
export const REHEARSE_AFTER_MS = 2;

/** What a Worker says of itself; everything else from it is frames. */
export const WorkerSays = {
  /** It has ended by itself: `Deno.exit` or `close`. */
  GONE: 1,
  /** It ends because it was told to. */
  DYING: 2,
  /** It is there: the first words of a Worker inside of the caller's process. */
  READY: 4,
} as const;

/** The last words of a whole gateway that ends itself: the code of its `Deno.exit`. */
export interface ExitWords {
  exitCode: number;
}

/** What a Worker is told besides frames: to end. */
export const DIE = 3;

/** The part of a Worker's global scope that the port needs. */
interface WorkerScope {
  addEventListener(type: string, listener: (event: never) => void): void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
  close(): void;
}

/** Starts the Worker's side, with what its owner sent first. */
export async function startWorker(start: WorkerStart): Promise<void> {
  withoutStorage();
  const scope = globalThis as unknown as WorkerScope;
  const post = scope.postMessage.bind(scope);
  const close = scope.close.bind(scope);
  const early: Uint8Array[] = [];
  let receive = (bytes: Uint8Array): void => void early.push(bytes);
  scope.addEventListener("message", (event: MessageEvent) => {
    // The port is the agent's: code that listens for messages of its own gets none of these.
    event.stopImmediatePropagation();
    const { data } = event;
    if (data instanceof Uint8Array) return receive(data);
    if (data === DIE) die();
  });
  const die = (): void => {
    cutSpans();
    post(WorkerSays.DYING);
    close();
  };
  scope.addEventListener("unload", () => post(WorkerSays.GONE));
  const { name, firstId, inside, bypass: place, gateway } = start;
  if (inside !== undefined) {
    redirectPrinting(boundedPrint(post, inside));
    post(WorkerSays.READY);
  }
  const transport = portTransport((push) => {
    receive = push;
    for (const bytes of early.splice(0)) push(bytes);
  }, post);
  Object.assign(scope, {
    close: () => {
      post(WorkerSays.GONE);
      close();
    },
    // Frames are the only messages; the sandbox of an execution has no use for others.
    postMessage: undefined,
  });
  if (gateway !== undefined) {
    const { exit } = Deno;
    Deno.exit = (code): never => {
      post({ exitCode: Number(code ?? 0) } satisfies ExitWords);
      return exit(code);
    };
    void transport.write(encodeHello(describe(gateway)), true);
    serveShared(transport, gateway, EMPTY, die);
    return;
  }
  const link = place === undefined ? undefined : await openLink(place, firstId);
  const host = new Host(transport, { name, firstId, shared: false, link });
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
