/** Where executions run: one isolate and its session. The same in a worker, in a process and in the agent itself. */

import { Channel } from "../../channel/channel.ts";
import type { ChannelEnd } from "../../channel/channel_end.ts";
import { ChannelClosedError, EOFError } from "../../channel/errors.ts";
import { Encoder } from "../../channel/encode.ts";
import { EMPTY, FrameType, ID_BLOCK, makeFrame } from "../../channel/frame.ts";
import { Session } from "../../channel/session.ts";
import type { SessionHandlers } from "../../channel/session_options.ts";
import { turn } from "../../channel/turn.ts";
import type { Transport } from "../../channel/transport.ts";
import type { ExecFrameOptions, Job, TextJob } from "../process/job.ts";
import { runJob } from "./jobs.ts";
import { reportUncaught } from "./uncaught.ts";
import { EXEC_NAME, mapStack } from "./run.ts";
import { spanned } from "./spans.ts";

/** How a host is made. */
export interface HostOptions {
  /** The gateway's id. */
  name: string;
  /** The first id for channels that are made here. */
  firstId: number;
  /** Several executions run in this isolate; otherwise it is for one, and belongs to it. */
  shared: boolean;
  /** What arrived behind the handshake. */
  first?: Uint8Array;
  /** A link of the execution's own, for an isolate that is for one; its number is `firstId`. */
  link?: Transport | undefined;
  /** Milliseconds after which a silent caller is asked for a sign of life. */
  keepalive?: number;
  /** Further handlers of the session. */
  handlers?: SessionHandlers;
}

/** A DONE frame with this flag: the execution has ended, but channels that it made are still open. */
export const LINGERS = 1;

/** A place for executions. */
export class Host {
  /** The session with whoever wants things executed. */
  readonly session: Session;
  readonly #shared: boolean;
  readonly #running = new Map<number, (reason: unknown) => void>();
  #executing = 0;
  readonly #services = new Set<ChannelEnd>();
  #execution: { id: number; failed: (error: unknown) => void } | undefined;

  /** Starts a host on a transport. */
  constructor(transport: Transport, options: HostOptions) {
    const { name, firstId, shared, handlers = {} } = options;
    this.#shared = shared;
    this.session = new Session(transport, {
      name,
      firstId,
      ...(shared ? {} : { lastId: firstId + ID_BLOCK - 1 }),
      sharedFarSide: true,
      keepalive: options.keepalive ?? 0,
      mapStack,
      handlers: {
        ...handlers,
        exec: (end, execOptions) => {
          if (options.link !== undefined && !this.used) this.session.openBypass(end, options.link, firstId);
          void this.#execute(end, (execOptions as ExecFrameOptions | null)?.service === true);
        },
        idle: () => this.#checkDone(),
      },
    });
    this.session.start(options.first ?? EMPTY);
  }

  /** How many executions run, without those that serve calls: whoever calls counts the calls. */
  get executing(): number {
    return this.#executing - this.#services.size;
  }

  /** How many channels are open, without those of calls. */
  get channels(): number {
    let count = this.session.channelCount;
    for (const end of this.#services) if (end.state !== "closed") count--;
    return count;
  }

  /** Whether anything has been executed. */
  get used(): boolean {
    return this.#executing > 0 || this.#execution !== undefined;
  }

  /**
   * Ends the execution that this isolate belongs to with an error that nobody caught. One that serves calls goes on:
   * nobody knows whose error it was.
   */
  failExecution(error: unknown): boolean {
    if (this.#execution === undefined) return false;
    if (this.#services.size > 0) reportUncaught(error);
    else this.#execution.failed(error);
    return true;
  }

  /** Ends an execution in a shared isolate as far as that is possible: its channels end, its code cannot be stopped. */
  abandon(channel: number, reason: unknown): void {
    this.#running.get(channel)?.(reason);
  }

  async #execute(end: ChannelEnd, service: boolean): Promise<void> {
    const channel = this.session.facade(end);
    let ended = false;
    Channel.guardClose(channel, () => {
      if (!ended) {
        throw new TypeError(
          `Cannot close ${end.describe()}: it closes when the execution ends; an explicit close is not allowed`,
        );
      }
    });
    const { promise: failure, reject } = Promise.withResolvers<never>();
    this.#running.set(end.id, (reason) => {
      end.closedByPeer(reason);
      reject(reason);
    });
    if (!this.#shared) {
      this.#execution = { id: end.id, failed: reject };
      Object.assign(globalThis, { channel, __name__: EXEC_NAME });
    }
    this.#executing++;
    if (service) this.#services.add(end);
    const quiet = (error: unknown): boolean => {
      try {
        return end.state === "closed" && (error instanceof EOFError || error instanceof ChannelClosedError);
      } catch {
        // What was thrown is a trap for whoever only asks for its class.
        return false;
      }
    };
    try {
      await this.#run(channel, failure, quiet);
      // What the code has not awaited may have failed: the engine tells of that before the next turn. Where executions
      // share an isolate nobody knows whose failure it is, and a turn would cost each of them as much as all the rest.
      if (!service && !this.#shared) await Promise.race([turn(), failure]);
      end.close();
    } catch (error) {
      if (quiet(error)) end.close();
      else end.close(this.session.errorPayload(error));
    }
    ended = true;
    this.#running.delete(end.id);
    this.#executing--;
    this.#services.delete(end);
    this.#checkDone();
    if (this.#execution !== undefined && this.session.channelCount > 0) {
      this.session.control(makeFrame(FrameType.DONE, end.id, EMPTY, LINGERS));
    }
  }

  async #run(
    channel: Channel,
    failure: Promise<never>,
    quiet: (error: unknown) => boolean,
  ): Promise<void> {
    const job = await Promise.race([channel.receive() as Promise<unknown>, failure]);
    const work = (): Promise<void> => Promise.race([runJob(job, { channel, shared: this.#shared }), failure]);
    await spanned((job as Partial<TextJob> | null)?.traceContext, channel.gateway.id, work, quiet);
  }

  /** Tells the router when neither an execution nor a channel is left, so that this isolate can go. */
  #checkDone(): void {
    const execution = this.#execution;
    if (execution === undefined || this.#executing > 0 || this.session.channelCount > 0) return;
    this.#execution = undefined;
    const tell = async (): Promise<void> => {
      await this.session.flushed();
      this.session.control(makeFrame(FrameType.DONE, execution.id));
    };
    void tell();
  }
}

/** What a rehearsal runs; a real execution does the same. */
const REHEARSED: Job = { kind: "text", source: "await channel.send(1)", name: "" };

/**
 * Lets a spare isolate execute something once, with nobody to see it, so that the first real execution finds all code
 * compiled: that takes an isolate 5 to 8 ms, which a spare has and a caller has not.
 */
export async function rehearse(): Promise<void> {
  let push: ((bytes: Uint8Array) => void) | undefined;
  const host = new Host({
    read: () => Promise.resolve(null),
    write: () => Promise.resolve(),
    close: () => {},
    abort: () => {},
    receiveMessages: (take) => push = take,
    writeBudget: Infinity,
  }, { name: "rehearsal", firstId: 2, shared: true });
  const encoder = new Encoder();
  push!(makeFrame(FrameType.EXEC, 1, encoder.encode({})));
  push!(makeFrame(FrameType.DATA, 1, encoder.encode(REHEARSED)));
  while (host.executing > 0) await turn();
  host.session.fail(undefined);
}
