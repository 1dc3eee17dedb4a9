/** Channels as files: text or bytes are written as items, and read without regard to where items begin and end. */

import { BytesBuffer, TextBuffer } from "./_file_buffer.ts";
import type { FileBuffer } from "./_file_buffer.ts";
import { ChannelClosedError, isPlainEnd, TimeoutError, toError } from "./errors.ts";
import { steps, Waiter } from "./wait.ts";
import type { SendOptions, WaitOptions } from "./wait.ts";

/** How {@linkcode Channel.makeFile} makes a file. */
export interface FileOptions {
  /** Whether closing the file closes the channel; by default not. */
  proxyClose?: boolean;
}

/** What a file needs of its channel. */
export interface FileChannel {
  /** Sends an item. */
  send(item: string | Uint8Array, options?: SendOptions): Promise<void>;
  /** Receives an item. */
  receive(options?: WaitOptions): Promise<unknown>;
  /** Closes the channel. */
  close(error?: Error): Promise<void>;
}

/** What {@linkcode Channel.makeFile} gives. */
export type ChannelFile = ChannelReadFile | ChannelWriteFile;

/**
 * A file that writes to a channel. Made by {@linkcode Channel.makeFile}.
 *
 * - What is written is sent as it is, one item for each write.
 * - An error of a write that nobody awaits is not lost: `flush` rejects with it.
 *
 * @example
 * ```ts
 * import { makeGateway } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * const channel = gateway.remoteExec(`
 *   let text = "";
 *   for await (const part of channel) text += part;
 *   await channel.send(text.length);
 * `);
 * const file = channel.makeFile("w");
 * await file.write("a line\n");
 * await file.close();
 * await channel.closeWrite();
 * assertEquals(await channel.receive(), 7);
 * ```
 */
export class ChannelWriteFile implements AsyncDisposable {
  /** A channel is no terminal. */
  readonly isTTY = false;
  readonly #channel: FileChannel;
  readonly #name: string;
  readonly #proxyClose: boolean;
  readonly #flushing: Waiter<void>[] = [];
  #writable: WritableStream<string | Uint8Array> | undefined;
  #closed = false;
  /** Writes that are not within the window yet. */
  #underway = 0;
  #failure: ChannelClosedError | undefined;

  /** Made by a channel, never by its users. */
  constructor(channel: FileChannel, name: string, proxyClose: boolean) {
    this.#channel = channel;
    this.#name = name;
    this.#proxyClose = proxyClose;
  }

  /**
   * Writes text or bytes. Resolves when it is within the channel's window, which the reader opens by reading.
   *
   * @throws {ChannelClosedError} when the file or the channel is closed
   * @throws {TypeError} when it is neither text nor bytes
   */
  write(data: string | Uint8Array, options?: SendOptions): Promise<void> {
    if (this.#closed) {
      return Promise.reject(
        new ChannelClosedError(`Cannot write to the file of ${this.#name}: the file is closed`),
      );
    }
    if (typeof data !== "string" && !(data instanceof Uint8Array)) {
      const got = data === null ? "null" : typeof data;
      return Promise.reject(
        new TypeError(`Cannot write to the file of ${this.#name}: got ${got}, not a string or a Uint8Array`),
      );
    }
    const sent = this.#channel.send(plain(data), options);
    this.#underway++;
    sent.then(() => this.#done(), (error) => {
      if (error instanceof ChannelClosedError) this.#failure ??= error;
      this.#done();
    });
    return sent;
  }

  #done(): void {
    if (--this.#underway > 0) return;
    for (const waiter of this.#flushing.splice(0)) {
      if (this.#failure === undefined) waiter.resolve();
      else waiter.reject(this.#failure);
    }
  }

  /**
   * Waits until everything that was written is within the channel's window.
   *
   * @throws {ChannelClosedError} when something could not be written because the channel is closed
   * @throws {TimeoutError} when it takes longer than `timeout`
   */
  flush(options?: WaitOptions): Promise<void> {
    if (this.#underway === 0) {
      return this.#failure === undefined ? Promise.resolve() : Promise.reject(this.#failure);
    }
    try {
      const what = (): string => `What was written to the file of ${this.#name} is not all sent`;
      const waiter = new Waiter<void>(options, what, (gaveUp) => remove(this.#flushing, gaveUp));
      if (!waiter.settled) this.#flushing.push(waiter);
      return waiter.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Closes the file, and with `proxyClose` the channel. What was written still arrives; it waits for nothing.
   *
   * @throws {TypeError} in remote code, when that would close the channel of the execution
   */
  close(): Promise<void> {
    this.#closed = true;
    return this.#proxyClose ? this.#channel.close() : Promise.resolve();
  }

  /** A stream that writes; closing or aborting it closes the file. Always the same stream. */
  get writable(): WritableStream<string | Uint8Array> {
    return this.#writable ??= new WritableStream<string | Uint8Array>({
      write: (data, controller) => this.write(data, { signal: controller.signal }),
      close: () => this.close(),
      abort: (reason) => {
        this.#closed = true;
        return this.#proxyClose ? this.#channel.close(toError(reason)) : undefined;
      },
    });
  }

  /** Whether this is a terminal: it never is. */
  isatty(): boolean {
    return false;
  }

  /** Closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * A file that reads from a channel. Made by {@linkcode Channel.makeFile}.
 *
 * - Items are all strings or all Uint8Arrays; anything else ends the file with a TypeError.
 * - An error that ends the channel is thrown after what came before it.
 * - A wait that is ended by its timeout or signal loses nothing: the next read goes on where it was.
 * - Calls that overlap are served one after the other.
 * - Nothing is received before it is asked for, so that a slow reader slows its writer.
 *
 * @example
 * ```ts
 * import { makeGateway } from "@execnet/execnet";
 * import { assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * await using gateway = await makeGateway();
 * const channel = gateway.remoteExec(`await channel.send("one\\ntw"); await channel.send("o\\n");`);
 * const lines = await Array.fromAsync(channel.makeFile("r"));
 * assertEquals(lines, ["one\n", "two\n"]);
 * ```
 */
export class ChannelReadFile implements AsyncIterable<string>, AsyncDisposable {
  /** A channel is no terminal. */
  readonly isTTY = false;
  readonly #channel: FileChannel;
  readonly #name: string;
  readonly #proxyClose: boolean;
  /** Those who wait for their turn. */
  readonly #line: Waiter<void>[] = [];
  #busy = false;
  #closed = false;
  #buffer: FileBuffer | undefined;
  /** Thrown when everything before it has been read: `once`, or every time. */
  #failure: { error: unknown; once: boolean } | undefined;
  #readable: ReadableStream<string | Uint8Array> | undefined;

  /** Made by a channel, never by its users. */
  constructor(channel: FileChannel, name: string, proxyClose: boolean) {
    this.#channel = channel;
    this.#name = name;
    this.#proxyClose = proxyClose;
  }

  /**
   * Reads exactly `count` characters, or bytes where the items are bytes; fewer only at the end, and then nothing: the
   * empty string or no bytes, every time. A character is a code point, so that no surrogate pair is ever cut.
   * `Infinity` reads all there will be.
   *
   * @throws {RemoteError} once, when the far side ended the channel with an error
   * @throws {TypeError} when an item is neither text nor bytes, or not what the ones before it were
   * @throws {TimeoutError} when it takes longer than `timeout`
   * @throws {ChannelClosedError} when the file is closed
   */
  read(count: number, options?: WaitOptions): Promise<string | Uint8Array> {
    if (typeof count !== "number") {
      return Promise.reject(
        new TypeError(
          `Cannot read from the file of ${this.#name}: the count must be a number, got ${typeof count}`,
        ),
      );
    }
    if (!(count >= 0) || !Number.isInteger(count) && count !== Infinity) {
      return Promise.reject(
        new RangeError(
          `Cannot read from the file of ${this.#name}: the count must be whole and 0 or more, got ${count}`,
        ),
      );
    }
    return this.#inTurn(options, async (more) => {
      while ((this.#buffer?.available ?? 0) < count && await more());
      if (count > 0) this.#checkFailure();
      return this.#buffer?.take(Math.min(count, this.#buffer.available)) ?? "";
    });
  }

  /**
   * Reads to the next line break, which is given too. The last line may have none; after it comes the empty string, every
   * time. Where the items are bytes, they are read as UTF-8. A line is held whole in memory.
   *
   * @throws {RemoteError} once, when the far side ended the channel with an error
   * @throws {TypeError} when an item is neither text nor bytes, or not what the ones before it were
   * @throws {TimeoutError} when it takes longer than `timeout`
   * @throws {ChannelClosedError} when the file is closed
   */
  readLine(options?: WaitOptions): Promise<string> {
    return this.#inTurn(options, async (more) => {
      while (true) {
        const line = this.#buffer?.takeLine();
        if (line !== undefined) return line;
        if (await more()) continue;
        this.#checkFailure();
        return this.#buffer?.takeRest() ?? "";
      }
    });
  }

  /** Iterates over the lines, each with its line break. Leaving the loop early leaves the file open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for (let line = await this.readLine(); line !== ""; line = await this.readLine()) yield line;
  }

  /** The text or bytes as a stream, in pieces as they come; cancelling it closes the file. Always the same stream. */
  get readable(): ReadableStream<string | Uint8Array> {
    return this.#readable ??= new ReadableStream<string | Uint8Array>({
      pull: async (controller) => {
        const piece = await this.#inTurn(undefined, async (more) => {
          while (!this.#buffer?.available && await more());
          this.#checkFailure();
          return this.#buffer?.available ? this.#buffer.takePiece() : undefined;
        });
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
  }

  /**
   * Closes the file, and with `proxyClose` the channel. Without it, what was not received can still be received.
   *
   * @throws {TypeError} in remote code, when that would close the channel of the execution
   */
  close(): Promise<void> {
    this.#closed = true;
    return this.#proxyClose ? this.#channel.close() : Promise.resolve();
  }

  /** Whether this is a terminal: it never is. */
  isatty(): boolean {
    return false;
  }

  /** Closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Does `work` when those before it are done; it gets a way of receiving more within one deadline for all. */
  async #inTurn<T>(
    options: WaitOptions | undefined,
    work: (more: () => Promise<boolean>) => Promise<T>,
  ): Promise<T> {
    const left = steps(options);
    const late = (): string => `Not enough came on the file of ${this.#name}`;
    if (options?.signal?.aborted) throw options.signal.reason;
    if (this.#busy) {
      const waiter = new Waiter<void>(left(), late, (gaveUp) => remove(this.#line, gaveUp));
      if (!waiter.settled) this.#line.push(waiter);
      await waiter.promise;
    }
    this.#busy = true;
    try {
      if (this.#closed) {
        throw new ChannelClosedError(`Cannot read from the file of ${this.#name}: the file is closed`);
      }
      return await work(() => this.#receive(left(), options));
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#busy = false;
      else next.resolve();
    }
  }

  /** Adds the next item; false when nothing comes any more. Throws only when the wait was ended. */
  async #receive(left: WaitOptions | undefined, options: WaitOptions | undefined): Promise<boolean> {
    if (this.#failure !== undefined) return false;
    let item: unknown;
    try {
      item = await this.#channel.receive(left);
    } catch (error) {
      if (error instanceof TimeoutError) {
        const message = `Not enough came on the file of ${this.#name} after ${options?.timeout} ms`;
        throw new TimeoutError(message, { cause: error });
      }
      if (options?.signal?.aborted && error === options.signal.reason) throw error;
      this.#buffer?.finish();
      if (!isPlainEnd(error)) this.#failure = { error, once: true };
      return false;
    }
    this.#buffer ??= typeof item === "string" ? new TextBuffer() : new BytesBuffer();
    if (this.#buffer.push(item)) return true;
    this.#buffer.finish();
    this.#failure = { error: this.#refusal(item), once: false };
    return false;
  }

  #refusal(item: unknown): TypeError {
    const where = `Cannot read from the file of ${this.#name}`;
    const isBytes = item instanceof Uint8Array;
    if (typeof item !== "string" && !isBytes) {
      const got = item === null ? "null" : typeof item;
      return new TypeError(`${where}: an item is neither text nor bytes, but ${got}`);
    }
    return new TypeError(
      `${where}: text and bytes are mixed, ${isBytes ? "bytes after text" : "text after bytes"}`,
    );
  }

  /** Throws what ended the file if nothing before it is left. */
  #checkFailure(): void {
    const failure = this.#failure;
    if (failure === undefined || this.#buffer?.available) return;
    if (failure.once) this.#failure = undefined;
    throw failure.error;
  }
}

/** A subclass, as Node's Buffer, is no item. */
function plain(data: string | Uint8Array): string | Uint8Array {
  if (typeof data === "string" || Object.getPrototypeOf(data) === Uint8Array.prototype) return data;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function remove<T>(line: Waiter<T>[], waiter: Waiter<T>): void {
  const at = line.indexOf(waiter);
  if (at >= 0) line.splice(at, 1);
}
