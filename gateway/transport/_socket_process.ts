/** The client's side of a connection to a server: a process that runs there, as its gateway sees it. */

import { ProtocolError } from "../../channel/errors.ts";
import type { Transport } from "../../channel/transport.ts";
import { inTurns } from "../../channel/turn.ts";
import { ifThere, keepAlive, KILLED } from "../process/process.ts";
import type { ProcessEnd, Ref, SpawnedProcess } from "../process/process.ts";
import { connectToServer } from "./_socket_connect.ts";
import type { ServerConnectOptions } from "./_socket_connect.ts";
import { OutputQueue } from "./_output_queue.ts";
import type { ServerLink } from "./_socket_dial.ts";
import {
  creditOf,
  creditPayload,
  DATA_WINDOW_BYTES,
  FrameError,
  HEADER_BYTES,
  Kind,
  MAX_DATA_BYTES,
  OUTPUT_WINDOW_BYTES,
} from "../socket/frames.ts";
import { Sifter } from "../socket/sifter.ts";
import { FrameWriter, readFields } from "../socket/wire.ts";

/** What to connect to, and what to start there. */
export interface SocketProcessOptions extends ServerConnectOptions {
  /** The agent and the greeting, given the working folder; for a server that does not send its own. */
  agent: (cwd: string) => Uint8Array;
}

/** How long a server that was told to kill the process may take to say that it has. */
const KILL_TIMEOUT_MS = 1_000;

/** How much output must have been taken before the server is told. */
const CREDIT_STEP_BYTES = OUTPUT_WINDOW_BYTES / 4;

/** A server sends little beyond the window, when the process has ended; more is a breach of the protocol. */
const MAX_OUTPUT_WAITING_BYTES = 1024 * 1024;

const READ_BYTES = 64 * 1024;

/** The exit of a process that nobody is left to tell about. */
const LOST: ProcessEnd = { code: -1, signal: null, reason: "the connection to the server was lost" };

/** Why a process has ended that was ended by its server. */
const STOPPED = "the server was ended";

/** A process on a server. */
export class SocketProcess implements SpawnedProcess {
  /** Its id there; 0 as long as it has not started. */
  pid = 0;
  forced = false;
  readonly remoteAddress: string;
  readonly ended: Promise<ProcessEnd>;
  readonly output: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly connected: Promise<Transport>;
  readonly keepAlive: (keep: boolean) => void;
  readonly #abort = new AbortController();
  readonly #resolveEnded: (end: ProcessEnd | Promise<ProcessEnd>) => void;
  readonly #sifter: Sifter = new Sifter((kind, payload) => this.#frame(kind, payload));
  #connection: ServerLink | undefined;
  readonly #receive = inTurns((into) => this.#connection!.read(into));
  #writer: FrameWriter | undefined;
  #over = false;
  /** Data that is read for the gateway; what is read when that wants none is looked at for other frames. */
  #reading: Promise<unknown> | undefined;
  #draining = false;
  /** How much data may be sent. */
  #credit = DATA_WINDOW_BYTES;
  #creditWake: (() => void) | undefined;
  readonly #output: OutputQueue = new OutputQueue((count) => this.#outputTaken(count));
  /** What has been taken and the server has not been told. */
  #outputUntold = 0;
  #killTimer: ReturnType<typeof setTimeout> | undefined;

  /** Starts to connect. */
  constructor(options: SocketProcessOptions) {
    this.remoteAddress = options.address.host;
    const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
    this.ended = ended;
    this.#resolveEnded = resolve;
    this.output = this.#output.stream;
    const refs: Ref[] = [];
    this.keepAlive = keepAlive(refs, ended);
    this.connected = this.#connect(options, refs);
    this.connected.catch(() => {
      // Whoever waits for the connection hears first why there is none.
      setTimeout(() => this.#finish(LOST), 0);
    });
  }

  async #connect(options: SocketProcessOptions, refs: Ref[]): Promise<Transport> {
    const { connection, started } = await connectToServer(options, this.#abort.signal);
    if (this.#abort.signal.aborted) {
      connection.close();
      throw this.#abort.signal.reason;
    }
    this.#connection = connection;
    this.pid = started.pid;
    refs.push(connection);
    this.#writer = new FrameWriter(connection);
    if (!started.agent) await this.#write(options.agent(started.cwd));
    return {
      read: (into) => this.#read(into),
      write: (bytes) => this.#write(bytes),
      close: () => this.#endData(),
      abort: () => this.#endData(),
      writeBudget: MAX_DATA_BYTES,
    };
  }

  /** Tells the process to end by SIGTERM. */
  terminate(): void {
    if (this.#over) return;
    this.forced = true;
    this.#tell(Kind.TERMINATE);
  }

  /** Has the process killed; a server that does not say that it has is left. */
  kill(): void {
    if (this.#over || this.#killTimer !== undefined) return;
    this.forced = true;
    if (this.#connection === undefined) {
      this.#abort.abort(new Error("It is not wanted any more"));
      return;
    }
    this.#killTimer = setTimeout(() => this.#finish(KILLED), KILL_TIMEOUT_MS);
    this.#tell(Kind.KILL);
    void this.#drain();
  }

  #tell(kind: number): void {
    this.#writer?.send(kind).catch(() => this.#finish(LOST));
  }

  /** The gateway wants no more data and sends none: the process sees the end of its connection. */
  #endData(): void {
    if (this.#over || this.#draining) return;
    this.#tell(Kind.END);
    void this.#drain();
  }

  // ---- what comes ----

  async #read(into: Uint8Array): Promise<number | null> {
    while (!this.#over && !this.#draining && !this.#sifter.ended) {
      const pending = this.#receive(into);
      this.#reading = pending;
      let count: number | null;
      try {
        count = await pending;
      } catch {
        count = null;
      }
      if (count === null) {
        await this.#lost();
        return null;
      }
      try {
        const kept = this.#sifter.sift(into.subarray(0, count));
        if (kept > 0) return kept;
      } catch (cause) {
        const breach = new ProtocolError(
          `The server does not keep to its protocol: ${(cause as Error).message}`,
          {
            cause,
          },
        );
        this.#finish({ ...LOST, reason: `${breach.name}: ${breach.message}` });
        throw breach;
      }
    }
    void this.#drain();
    return null;
  }

  /** Reads on for the frames that are not data, until the process has ended. */
  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const buffer = new Uint8Array(READ_BYTES);
    try {
      while (!this.#over) {
        await this.#reading;
        if (this.#over) return;
        const count = await this.#receive(buffer);
        if (count === null) break;
        this.#sifter.sift(buffer.subarray(0, count));
      }
    } catch {
      // The connection is no more.
    }
    await this.#lost();
  }

  /** The connection has ended before the process. */
  async #lost(): Promise<void> {
    const reason = await this.#connection!.lost?.();
    this.#finish(reason === undefined ? LOST : { ...LOST, reason });
  }

  #frame(kind: number, payload: Uint8Array): void {
    if (this.#over) return;
    switch (kind) {
      case Kind.CREDIT:
        this.#credit = Math.min(DATA_WINDOW_BYTES, this.#credit + creditOf(payload));
        this.#creditWake?.();
        return;
      case Kind.OUTPUT:
        if (this.#output.length + payload.length > MAX_OUTPUT_WAITING_BYTES) {
          throw new FrameError("Cannot keep so much output");
        }
        this.#output.push(payload);
        return;
      case Kind.END:
        return;
      case Kind.EXIT: {
        const { code, signal, stopped } = readFields(payload);
        const end: ProcessEnd = {
          code: typeof code === "number" ? code : -1,
          signal: typeof signal === "string" ? signal : null,
        };
        this.#finish(stopped === true ? this.#stopped(end) : end);
        return;
      }
      default:
        throw new FrameError(`Cannot take a frame of kind ${kind} from a server`);
    }
  }

  /** The server has ended the process because it ends: it may have to, because what it was started by has gone. */
  async #stopped(end: ProcessEnd): Promise<ProcessEnd> {
    return { ...end, reason: await this.#connection!.stopped?.() ?? STOPPED };
  }

  /** Somebody has read output, or wants none. */
  #outputTaken(count: number): void {
    this.#outputUntold += count;
    if (this.#outputUntold < CREDIT_STEP_BYTES) return;
    this.#writer?.send(Kind.CREDIT, creditPayload(this.#outputUntold)).catch(() => {});
    this.#outputUntold = 0;
  }

  // ---- what goes ----

  async #write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      while (this.#credit === 0 && !this.#over) {
        await new Promise<void>((resolve) => this.#creditWake = resolve);
      }
      if (this.#over) throw new Error(LOST.reason);
      const count = Math.min(bytes.length - from, this.#credit, MAX_DATA_BYTES);
      this.#credit -= count;
      const frame = this.#frameRoom(count);
      frame.set(bytes.subarray(from, from + count), HEADER_BYTES);
      from += count;
      await this.#writer!.sendFilled(Kind.DATA, frame);
    }
  }

  #frameBuffer: Uint8Array = new Uint8Array(READ_BYTES + HEADER_BYTES);

  /** Room for a frame, used again and again: one frame of data is written at a time. */
  #frameRoom(count: number): Uint8Array {
    const needed = count + HEADER_BYTES;
    if (this.#frameBuffer.length < needed) this.#frameBuffer = new Uint8Array(MAX_DATA_BYTES + HEADER_BYTES);
    return this.#frameBuffer.subarray(0, needed);
  }

  /** It is over, in this way if it was not before. */
  #finish(end: ProcessEnd | Promise<ProcessEnd>): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#killTimer);
    ifThere(() => this.#connection?.close());
    this.#creditWake?.();
    this.#output.end();
    this.#resolveEnded(end);
  }
}
