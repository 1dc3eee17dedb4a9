/** The public face of a channel: send and receive, iteration, callbacks, files, web streams. */

import type { ChannelEnd } from "./channel_end.ts";
import { ChannelReadFile, ChannelWriteFile } from "./channel_file.ts";
import type { ChannelFile, FileChannel, FileOptions } from "./channel_file.ts";
import { checkCoercion } from "./coerce.ts";
import type { CoercionOptions } from "./coerce.ts";
import { isPlainEnd, toError } from "./errors.ts";
import type { Item } from "./item.ts";
import type { SendOptions, WaitOptions } from "./wait.ts";
import { steps, waitFor } from "./wait.ts";

/** What a channel knows of its gateway, on both sides. */
export interface ChannelGateway {
  /** The gateway's id. */
  readonly id: string;
  /** Makes a further channel, to be sent over one that the other side has. */
  newChannel(): Channel;
}

/** What a channel needs of its session. */
interface ChannelSession {
  readonly gateway: ChannelGateway;
  kill(end: ChannelEnd, reason: unknown): void;
  errorPayload(error: unknown): Uint8Array;
  waiting(change: number): void;
}

/** How {@linkcode Channel.setCallback} ends. */
export interface CallbackOptions {
  /** Given to the callback last, exactly once, whatever ended the channel. */
  endMarker?: unknown;
}

/** The error of an execution that `kill` ended. */
class Killed extends Error {
  static {
    this.prototype.name = "Killed";
  }
}

/**
 * A two-way, ordered flow of items between two programs.
 *
 * - Items arrive in order, each exactly once, whole. Both sides may send at any time.
 * - A slow reader slows its writer: neither side holds more than a bounded number of unread bytes.
 * - Nothing depends on garbage collection: a channel lives until it is closed.
 *
 * @typeParam Recv what is received here
 * @typeParam Send what is sent from here
 * @typeParam Owner what `gateway` is
 *
 * @example
 * ```ts
 * import { makeGateway } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * const channel = gateway.remoteExec<number, string>(`for await (const n of channel) await channel.send("ab".repeat(n));`);
 * await channel.send(1);
 * await channel.send(2);
 * await channel.closeWrite();
 * assertEquals(await Array.fromAsync(channel), ["ab", "abab"]);
 * ```
 */
export class Channel<Recv = Item, Send = Item, Owner extends ChannelGateway = ChannelGateway>
  implements AsyncIterable<Recv>, AsyncDisposable {
  readonly #end: ChannelEnd;
  readonly #session: ChannelSession;
  #callback: Promise<void> | undefined;
  #readable: ReadableStream<Recv> | undefined;
  #writable: WritableStream<Send> | undefined;
  #beforeClose: (() => void) | undefined;

  /** Made by a session, never by its users. */
  constructor(end: ChannelEnd, session: ChannelSession) {
    this.#end = end;
    this.#session = session;
  }

  /** The channel's id, the same on both sides. */
  get id(): number {
    return this.#end.id;
  }

  /** The gateway this channel belongs to. */
  get gateway(): Owner {
    return this.#session.gateway as Owner;
  }

  /**
   * Sends an item. Resolves when it is within the channel's window, which the reader opens by reading.
   *
   * @throws {DumpError} when the item cannot be sent; nothing has been sent then
   * @throws {ChannelClosedError} when the channel is closed
   */
  send(item: Send, options?: SendOptions): Promise<void> {
    return this.#end.send(item, options?.signal);
  }

  /**
   * Receives the next item. An aborted or timed-out call loses no item.
   *
   * @throws {RemoteError} once, after the last item, when the far side ended the channel with an error
   * @throws {EOFError} every time after that, and at once when it ended without one
   * @throws {TimeoutError} when nothing came in time
   * @throws {TypeError} when a callback is set
   */
  receive(options?: WaitOptions): Promise<Recv> {
    if (this.#callback !== undefined) {
      return Promise.reject(new TypeError(`Cannot receive on ${this.#end.describe()}: it has a callback`));
    }
    return this.#end.receive(options) as Promise<Recv>;
  }

  /**
   * Gives every item to a callback: first those that wait, then each as it comes, in order, never two at once; an
   * async callback is awaited. A callback that throws closes the channel with that error on both sides.
   *
   * @throws {TypeError} when there is a callback already
   */
  setCallback(callback: (item: Recv) => unknown, options: CallbackOptions = {}): void {
    if (typeof callback !== "function") {
      throw new TypeError(`Cannot set a callback on ${this.#end.describe()}: got ${typeof callback}`);
    }
    if (this.#callback !== undefined) {
      throw new TypeError(`Cannot set a callback on ${this.#end.describe()}: it has one`);
    }
    this.#callback = this.#deliver(callback as (item: unknown) => unknown, options);
  }

  async #deliver(callback: (item: unknown) => unknown, options: CallbackOptions): Promise<void> {
    const end = this.#end;
    await Promise.resolve();
    try {
      while (true) {
        while (end.hasItem) {
          const result = callback(end.take());
          if (isThenable(result)) await result;
        }
        if (end.receiveEnded) break;
        this.#session.waiting(1);
        await new Promise<void>((resolve) => end.onActivity = resolve);
        end.onActivity = undefined;
        this.#session.waiting(-1);
      }
    } catch (error) {
      end.close(this.#session.errorPayload(error), error);
    }
    if (!("endMarker" in options)) return;
    try {
      const result = callback(options.endMarker);
      if (isThenable(result)) await result;
    } catch (error) {
      end.close(this.#session.errorPayload(error), error);
    }
  }

  /**
   * A file that writes to the channel: each piece of text or bytes is an item.
   *
   * @throws {RangeError} when the mode is neither `"w"` nor `"r"`
   */
  makeFile(mode: "w", options?: FileOptions): ChannelWriteFile;
  /** A file that reads from the channel: its items are text or bytes, whose borders do not matter. */
  makeFile(mode: "r", options?: FileOptions): ChannelReadFile;
  /** A file that writes to the channel or reads from it. */
  makeFile(mode: "w" | "r", options?: FileOptions): ChannelFile;
  makeFile(mode: "w" | "r", options: FileOptions = {}): ChannelFile {
    const name = this.#end.describe();
    const { proxyClose = false } = options;
    if (typeof proxyClose !== "boolean") {
      throw new TypeError(
        `Cannot make a file of ${name}: proxyClose must be a boolean, got ${typeof proxyClose}`,
      );
    }
    const channel = this as unknown as FileChannel;
    if (mode === "w") return new ChannelWriteFile(channel, name, proxyClose);
    if (mode === "r") return new ChannelReadFile(channel, name, proxyClose);
    throw new RangeError(`Cannot make a file of ${name}: the mode must be "w" or "r", got "${String(mode)}"`);
  }

  /**
   * Turns kinds of values into others in every item that is received here from now on, items that wait unread included;
   * see {@linkcode CoercionOptions}. What is sent stays as it is, and so does the other side.
   *
   * A later call replaces all options of an earlier one; `{}` turns nothing.
   *
   * @throws {TypeError} when an option is unknown or no boolean
   */
  reconfigure(options: CoercionOptions): void {
    this.#end.coercion = checkCoercion(options, this.#end.describe());
  }

  /** The items as a stream; cancelling it closes the channel. Always the same stream. */
  get readable(): ReadableStream<Recv> {
    return this.#readable ??= new ReadableStream<Recv>({
      pull: async (controller) => {
        try {
          controller.enqueue(await this.receive());
        } catch (error) {
          if (isPlainEnd(error)) controller.close();
          else throw error;
        }
      },
      cancel: (reason) => this.close(reason === undefined ? undefined : toError(reason)),
    }, { highWaterMark: 0 });
  }

  /** A stream that sends; closing it ends this direction, aborting it closes the channel. Always the same stream. */
  get writable(): WritableStream<Send> {
    return this.#writable ??= new WritableStream<Send>({
      write: (item, controller) => this.send(item, { signal: controller.signal }),
      close: () => this.closeWrite(),
      abort: (reason) => this.close(toError(reason)),
    });
  }

  /** Ends sending. The other side's reads end after what was sent; what it sends still arrives. */
  closeWrite(): Promise<void> {
    this.#end.closeWrite();
    return Promise.resolve();
  }

  /**
   * Closes both directions. Idempotent. Items that had arrived stay readable here, and what was sent still arrives
   * there; with `error` the other side gets that as a {@linkcode RemoteError}. Remote code is not stopped by it.
   */
  close(error?: string | Error): Promise<void> {
    try {
      if (error !== undefined && typeof error !== "string" && !(error instanceof Error)) {
        throw new TypeError(`Cannot close ${this.#end.describe()}: the error must be a string or an Error`);
      }
      this.#beforeClose?.();
      this.#end.close(error === undefined ? undefined : this.#session.errorPayload(error));
      return Promise.resolve();
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  /**
   * Ends the remote execution behind this channel, without harming others. The channel ends here at once, with a
   * {@linkcode RemoteError} whose `remoteName` is the name of `reason`, `Killed` by default.
   *
   * @throws {TypeError} when it is the channel of the execution that calls it
   */
  kill(reason?: unknown): void {
    this.#beforeClose?.();
    const error = reason instanceof Error || reason instanceof DOMException
      ? reason
      : new Killed(reason === undefined ? "The execution was killed" : String(reason));
    this.#session.kill(this.#end, error);
  }

  /** Whether the channel is closed in both directions. Items may still be there to be received. */
  isClosed(): boolean {
    return this.#end.state === "closed";
  }

  /**
   * Waits until nothing more will come, and a callback has had everything.
   *
   * @throws {RemoteError} once, when the far side ended the channel with an error
   * @throws {GatewayClosedError} when the connection has ended
   * @throws {TimeoutError} when it is still open after `timeout`; it stays usable
   */
  async waitClose(options?: WaitOptions): Promise<void> {
    await Channel.waitEnd(this, options);
    const error = Channel.takeEndError(this);
    if (error !== undefined) throw error;
  }

  /** Iterates over the items. Ends where `receive` has an EOFError; leaving the loop early leaves the channel open. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Recv> {
    const next = async (): Promise<IteratorResult<Recv>> => {
      try {
        return { value: await this.receive(), done: false };
      } catch (error) {
        if (isPlainEnd(error)) return { value: undefined, done: true };
        throw error;
      }
    };
    return {
      next,
      return: () => Promise.resolve({ value: undefined, done: true }),
      [Symbol.asyncIterator](): AsyncIterableIterator<Recv> {
        return this;
      },
    };
  }

  /** Closes the channel. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** For sessions: the end behind a channel. */
  static endOf(channel: Channel): ChannelEnd {
    return channel.#end;
  }

  /** For sessions: the session of a channel. */
  static sessionOf(channel: Channel): unknown {
    return channel.#session;
  }

  /** For groups: waits like `waitClose`, and leaves the error. Without `callback` it waits for the end only. */
  static async waitEnd<R, S, O extends ChannelGateway>(
    channel: Channel<R, S, O>,
    options?: WaitOptions,
    callback = true,
  ): Promise<void> {
    const left = steps(options);
    const end = channel.#end;
    await end.waitEnd(left());
    if (!callback || channel.#callback === undefined) return;
    await waitFor(channel.#callback, left(), () => `No end of the callback of ${end.describe()}`);
  }

  /** For groups: what `waitClose` throws after the end, if anything. */
  static takeEndError<R, S, O extends ChannelGateway>(channel: Channel<R, S, O>): unknown {
    const { eof } = channel.#end;
    return channel.#end.takeEndError() ?? (eof === undefined || isPlainEnd(eof) ? undefined : eof);
  }

  /** For groups: whether the items go to a callback. */
  static hasCallback(channel: Channel): boolean {
    return channel.#callback !== undefined;
  }

  /** For executions: refuses to close or to kill the channel of an execution from inside. */
  static guardClose(channel: Channel, guard: () => void): void {
    channel.#beforeClose = guard;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
