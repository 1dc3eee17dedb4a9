/** Joins a process and the connection of its client until one of them ends. */

import { Encoder } from "../../channel/encode.ts";
import type { Transport } from "../../channel/transport.ts";
import { ifThere } from "../process/process.ts";
import type { ProcessEnd, SpawnedProcess } from "../process/process.ts";
import {
  creditOf,
  creditPayload,
  DATA_WINDOW_BYTES,
  FrameError,
  HEADER_BYTES,
  Kind,
  MAX_DATA_BYTES,
  MAX_OUTPUT_BYTES,
  OUTPUT_WINDOW_BYTES,
} from "../socket/frames.ts";
import { Sifter } from "../socket/sifter.ts";
import type { FrameWriter } from "../socket/wire.ts";
import { within } from "../../channel/wait.ts";
import type { Connection } from "./listen.ts";
import { Upstream } from "./upstream.ts";

/** What has been passed on is told to the client in pieces of this size. */
const CREDIT_STEP_BYTES = DATA_WINDOW_BYTES / 4;

/** How long what a process has left in its pipe and its link is read after its end. */
const REST_TIMEOUT_MS = 500;

/** How long a client may take to read the last of it. */
const DELIVERY_TIMEOUT_MS = 5_000;

/** How long a client that has been told of the end may take to go. */
const LEAVING_TIMEOUT_MS = 1_000;

/** How long a process may take to end by itself when its connection is ended by the server. */
const ENDING_TIMEOUT_MS = 1_000;

/** How many silent intervals mean that a client is gone. */
const SILENT_INTERVALS = 3;

/** A process whose client is here. */
export class Relay {
  readonly #connection: Connection;
  readonly #process: SpawnedProcess;
  readonly #writer: FrameWriter;
  readonly #passed: CreditCounter;
  /** How much output may be sent. */
  #outputCredit = OUTPUT_WINDOW_BYTES;
  #outputWake: (() => void) | undefined;
  #exited = false;
  /** Whether it is the server that ends the process, because it ends itself. */
  #stopped = false;
  #reason: string | undefined;
  #silent = 0;
  #watch: ReturnType<typeof setInterval> | undefined;

  /** Joins the two. Frames that have not been written yet may be on their way in `writer`. */
  constructor(connection: Connection, process: SpawnedProcess, writer: FrameWriter) {
    this.#connection = connection;
    this.#process = process;
    this.#writer = writer;
    this.#passed = new CreditCounter(writer);
  }

  /** Resolves with how it ended, in words, when the process is gone and the connection closed. */
  async run(keepalive: number): Promise<string> {
    const process = this.#process;
    const sifter = new Sifter((kind, payload) => this.#frame(kind, payload));
    const upstream = new Upstream(
      this.#connection,
      sifter,
      process.connected,
      (count) => this.#passed.add(count),
    );
    const received = upstream.run(() => this.#silent = 0).then(
      () => this.#end("its client has gone"),
      (error) =>
        this.#end(error instanceof FrameError ? error.message : `the connection broke: ${error.message}`),
    );
    const sent = Promise.all([this.#sendData(keepalive), this.#sendOutput()]).catch(() => {});
    const end = await process.ended;
    clearInterval(this.#watch);
    this.#exited = true;
    this.#outputWake?.();
    await within(sent, REST_TIMEOUT_MS);
    await within(this.#sendExit(end).catch(() => {}), DELIVERY_TIMEOUT_MS);
    // Closing while something of the client is unread could cost it the last frame, so the client closes first.
    await within(received, LEAVING_TIMEOUT_MS);
    ifThere(() => this.#connection.close());
    await received;
    process.connected.then((transport) => transport.close(), () => {});
    const how = end.signal === null ? `code=${end.code}` : `signal=${end.signal}`;
    return this.#reason === undefined ? how : `${how} (${this.#reason})`;
  }

  /** Ends the process because the server ends. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#reason ??= "the server ends";
    this.#process.connected.then((transport) => transport.close(), () => {});
    if (await within(this.#process.ended, ENDING_TIMEOUT_MS) === undefined) this.#process.kill();
    await this.#process.ended;
  }

  /** The connection is no more, or must not go on. */
  #end(reason: string): void {
    if (!this.#exited) this.#reason ??= reason;
    this.#process.kill();
    ifThere(() => this.#connection.close());
  }

  #look(keepalive: number): void {
    if (this.#silent++ < SILENT_INTERVALS) return;
    this.#end(`its client gave no sign of life for ${SILENT_INTERVALS * keepalive} ms`);
  }

  #frame(kind: number, payload: Uint8Array): void {
    switch (kind) {
      case Kind.CREDIT:
        this.#outputCredit = Math.min(OUTPUT_WINDOW_BYTES, this.#outputCredit + creditOf(payload));
        this.#outputWake?.();
        return;
      case Kind.END:
        return;
      case Kind.TERMINATE:
        this.#process.terminate();
        return;
      case Kind.KILL:
        this.#process.kill();
        return;
      default:
        throw new FrameError(`Cannot take a frame of kind ${kind} from a client`);
    }
  }

  async #sendData(keepalive: number): Promise<void> {
    try {
      const transport: Transport = await this.#process.connected;
      const frame = new Uint8Array(HEADER_BYTES + MAX_DATA_BYTES);
      const room = frame.subarray(HEADER_BYTES);
      while (true) {
        const count = await transport.read(room).catch(() => null);
        if (count === null) break;
        // A client gives signs of life from its process's greeting on.
        if (keepalive > 0 && !this.#exited) {
          this.#watch ??= setInterval(() => this.#look(keepalive), keepalive);
        }
        await this.#writer.sendFilled(Kind.DATA, frame.subarray(0, HEADER_BYTES + count));
      }
      await this.#writer.send(Kind.END);
    } catch {
      // The process has not connected, or the connection is gone: both are noticed where they happen.
    }
  }

  async #sendOutput(): Promise<void> {
    try {
      for await (const chunk of this.#process.output!) {
        for (let from = 0; from < chunk.length;) {
          while (this.#outputCredit === 0 && !this.#exited) {
            await new Promise<void>((resolve) => this.#outputWake = resolve);
          }
          // What is left in the pipe when the process has ended is little, and would be lost.
          const room = this.#exited ? MAX_OUTPUT_BYTES : this.#outputCredit;
          const part = chunk.subarray(from, from + Math.min(room, MAX_OUTPUT_BYTES));
          this.#outputCredit = Math.max(0, this.#outputCredit - part.length);
          from += part.length;
          await this.#writer.send(Kind.OUTPUT, part);
        }
      }
    } catch {
      // The connection is gone, and with it the process soon.
    }
  }

  async #sendExit({ code, signal }: ProcessEnd): Promise<void> {
    const payload = new Encoder().encode({ code, signal, ...(this.#stopped ? { stopped: true } : {}) });
    await this.#writer.send(Kind.EXIT, payload).catch(() => {});
  }
}

/** Tells the client what has been passed on, not each time but in pieces. */
class CreditCounter {
  readonly #writer: FrameWriter;
  #count = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  add(count: number): void {
    this.#count += count;
    if (this.#count < CREDIT_STEP_BYTES) return;
    this.#writer.send(Kind.CREDIT, creditPayload(this.#count)).catch(() => {});
    this.#count = 0;
  }
}
