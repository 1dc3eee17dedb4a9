/** The end of a gateway: that of its connection and that of its process are one event, seen in either order. */

import { GatewayClosedError, ProtocolError } from "../channel/errors.ts";
import type { Session } from "../channel/session.ts";
import type { Transport } from "../channel/transport.ts";
import { within } from "../channel/wait.ts";
import { OUTPUT_GRACE_MS } from "./connect.ts";
import type { Connection } from "./connect.ts";
import type { ProcessEnd } from "./process/process.ts";
import type { GatewayExit } from "./stop.ts";

/** A process whose connection has broken gets this long to end by itself. */
const ORPHAN_GRACE_MS = 1_000;

/** How long what a process had written before it ended is read. Something else may hold its connection open. */
const REST_MS = 500;

/** Sees a gateway's end coming, sees to it that all of it comes, and says how it was. */
export class Ending {
  /** The connection's transport, but for its end: that is passed on together with the end of the process, which says why. */
  readonly transport: Transport;
  /** Whether the gateway was asked to end. */
  requested = false;
  /** Whether somebody has said how long the end may take, and kills after that. */
  terminating = false;
  readonly #id: string;
  readonly #connection: Connection;
  readonly #connectionEnded: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  /** Nothing more comes by the connection. */
  readonly #inputEnded: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #processEnd: Promise<ProcessEnd>;
  #ended: (ProcessEnd & { stderrTail: string }) | undefined;
  #closed: Promise<GatewayExit> | undefined;

  /** Begins to look at the process. */
  constructor(id: string, connection: Connection) {
    this.#id = id;
    this.#connection = connection;
    const { process, output } = connection;
    this.#processEnd = process.ended.then(async (end) => {
      // A moment for the last lines; a reader that does not read them must not hold up the end.
      await within(output.ended, OUTPUT_GRACE_MS);
      output.finish();
      this.#ended = { ...end, stderrTail: output.tail };
      return end;
    });
    this.transport = this.#watched(connection.transport);
  }

  /** Resolves with how the gateway has ended. `ended` is called in the turn in which its session hears of that. */
  watch(session: Session, ended: (exit: GatewayExit) => void): Promise<GatewayExit> {
    return this.#closed ??= this.#watch(session, ended);
  }

  async #watch(session: Session, ended: (exit: GatewayExit) => void): Promise<GatewayExit> {
    const { process, output } = this.#connection;
    let reason: unknown;
    const connectionEnded = session.ended.then((first) => reason = first);
    await Promise.race([this.#connectionEnded.promise, connectionEnded, process.ended]);
    // A connection that has ended or failed leaves the process no reason to live; it gets a moment to end by itself.
    this.killAfter(ORPHAN_GRACE_MS);
    const end = await this.#processEnd;
    // What it had written before is still to be received, unless it was not to go on.
    if (!process.forced) {
      const drained = this.#inputEnded.promise.then(() => session.drained());
      await within(Promise.race([drained, connectionEnded]), REST_MS);
    }
    session.fail(reason);
    const { code, signal } = end;
    const exit: GatewayExit = {
      id: this.#id,
      code,
      signal: signal ?? undefined,
      forced: process.forced,
      reason: this.requested ? "requested" : describeReason(reason, end),
      stderrTail: output.tail,
    };
    ended(exit);
    return exit;
  }

  /** Kills the process if it is still there after a while, unless whoever terminates it has said how long it may take. */
  killAfter(ms: number): void {
    const { process } = this.#connection;
    const timer = setTimeout(() => {
      if (!this.terminating) process.kill();
    }, ms);
    Deno.unrefTimer(timer);
    void process.ended.then(() => clearTimeout(timer));
  }

  #watched(transport: Transport): Transport {
    const explained = async (): Promise<void> => {
      this.#connectionEnded.resolve();
      await within(this.#closed!, ORPHAN_GRACE_MS * 2);
    };
    return {
      read: async (into) => {
        try {
          const count = await transport.read(into);
          if (count !== null) return count;
          this.#inputEnded.resolve();
          await explained();
          return null;
        } catch (error) {
          this.#inputEnded.resolve();
          // What breaks the protocol below this one says more than the end of the process.
          if (error instanceof ProtocolError) throw error;
          await explained();
          if (this.#ended !== undefined) return null;
          throw error;
        }
      },
      write: async (bytes, whole) => {
        try {
          await transport.write(bytes, whole);
        } catch (error) {
          await explained();
          throw error;
        }
      },
      close: () => transport.close(),
      abort: () => transport.abort(),
      writeBudget: transport.writeBudget,
    };
  }

  /** The error of whatever waits, or comes later. */
  explain(reason: unknown): Error {
    const requested = this.requested && reason === undefined;
    const details = this.#ended;
    const how = requested
      ? "it was asked to exit"
      : reason instanceof Error
      ? `${reason.name}: ${reason.message}`
      : details === undefined
      ? "the connection ended"
      : details.reason !== undefined
      ? details.reason
      : details.signal === null
      ? `its process ended with code ${details.code}`
      : `its process was ended by ${details.signal}`;
    const tail = details?.stderrTail ?? "";
    return new GatewayClosedError(
      `Gateway "${this.#id}" is closed: ${how}${
        requested || tail === "" ? "" : `; its last output: ${tail}`
      }`,
      { code: details?.code, signal: details?.signal ?? undefined, stderrTail: tail, requested },
      reason === undefined ? undefined : { cause: reason },
    );
  }
}

function describeReason(first: unknown, { code, signal, reason }: ProcessEnd): string {
  if (first instanceof Error) return `${first.name}: ${first.message}`;
  if (reason !== undefined) return reason;
  return signal === null ? `the process ended with code ${code}` : `the process was ended by ${signal}`;
}
