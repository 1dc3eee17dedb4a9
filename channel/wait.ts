/** Waiting with a deadline and a signal, the same way everywhere. */

import { TimeoutError } from "./errors.ts";

/** How long a wait may last. Without both it lasts until what is waited for happens. */
export interface WaitOptions {
  /** Milliseconds after which the wait rejects with a {@linkcode TimeoutError}; 0 only looks. */
  timeout?: number | undefined;
  /** Ends the wait: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** How {@linkcode Channel.send} may be ended. */
export interface SendOptions {
  /** Ends the wait: `send` rejects with the signal's reason. An item of which parts have left arrives all the same. */
  signal?: AbortSignal;
}

/** The longest delay a timer can have; a longer one would fire at once. */
export const MAX_TIMER_MS = 0x7fff_ffff;

/**
 * Checks what a caller gave.
 *
 * @throws {TypeError} when a timeout is no number
 * @throws {RangeError} when a timeout is negative or not a number
 */
export function checkTimeout(timeout: number | undefined): void {
  if (timeout === undefined) return;
  if (typeof timeout !== "number") {
    throw new TypeError(`Cannot wait: timeout must be a number of milliseconds, got ${typeof timeout}`);
  }
  if (!(timeout >= 0)) {
    throw new RangeError(`Cannot wait: timeout must be 0 or more milliseconds, got ${timeout}`);
  }
}

/** The options of one step of a wait. */
export interface StepOptions extends WaitOptions {
  /** The timeout of the whole wait, for messages. */
  readonly whole?: number;
}

/**
 * One deadline for a wait of several steps: each call gives the options of the next step.
 *
 * @throws {TypeError} when the timeout is no number
 * @throws {RangeError} when the timeout is negative
 */
export function steps(options: WaitOptions | undefined): () => StepOptions | undefined {
  const timeout = options?.timeout;
  if (timeout === undefined) return () => options;
  checkTimeout(timeout);
  const started = performance.now();
  return () => ({
    signal: options?.signal,
    timeout: Math.max(0, timeout - (performance.now() - started)),
    whole: timeout,
  });
}

/** Someone who waits for a value, at most until a deadline or a signal. Settled once; later calls do nothing. */
export class Waiter<T> {
  /** Settles with what was waited for. */
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (reason: unknown) => void;
  #cleanup: (() => void) | undefined;
  #settled = false;

  /**
   * Starts waiting.
   *
   * @param what completes "… after 20 ms", for the message of the {@linkcode TimeoutError}
   * @param onGiveUp is called when the deadline or the signal has ended the wait
   * @throws {TypeError} when the timeout is no number
   * @throws {RangeError} when the timeout is negative
   */
  constructor(options: StepOptions | undefined, what: () => string, onGiveUp?: (waiter: Waiter<T>) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    if (options === undefined) return;
    const { timeout, signal, whole = timeout } = options;
    checkTimeout(timeout);
    const giveUp = (reason: unknown) => {
      if (this.#settled) return;
      this.reject(reason);
      onGiveUp?.(this);
    };
    if (signal?.aborted) {
      giveUp(signal.reason);
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort: (() => void) | undefined;
    if (timeout !== undefined && timeout <= MAX_TIMER_MS) {
      const expire = () => giveUp(new TimeoutError(`${what()} after ${whole} ms`));
      if (timeout === 0) {
        expire();
        return;
      }
      timer = setTimeout(expire, timeout);
    }
    if (signal !== undefined) {
      onAbort = () => giveUp(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
    }
    this.#cleanup = () => {
      if (timer !== undefined) clearTimeout(timer);
      if (onAbort !== undefined) signal!.removeEventListener("abort", onAbort);
    };
  }

  /** Whether it has ended one way or the other. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Ends the wait with a value. */
  resolve(value: T): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#cleanup?.();
    this.#resolve(value);
  }

  /** Ends the wait with a reason. */
  reject(reason: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#cleanup?.();
    this.#reject(reason);
  }
}

/** Waits for a promise with a deadline and a signal; the promise itself goes on. */
export function waitFor<T>(
  promise: Promise<T>,
  options: StepOptions | undefined,
  what: () => string,
): Promise<T> {
  if (options?.timeout === undefined && options?.signal === undefined) return promise;
  let waiter: Waiter<T>;
  try {
    // A promise that has settled already wins over a timeout of 0.
    const { timeout, signal } = options;
    waiter = new Waiter<T>(timeout === 0 ? { signal } : options, what);
  } catch (error) {
    return Promise.reject(error);
  }
  promise.then((value) => waiter.resolve(value), (reason) => waiter.reject(reason));
  if (options.timeout === 0) {
    const late = (): TimeoutError => new TimeoutError(`${what()} after ${options.whole ?? 0} ms`);
    queueMicrotask(() => queueMicrotask(() => waiter.reject(late())));
  }
  return waiter.promise;
}

/** The value of a promise, or undefined after a while. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<undefined>((resolve) =>
    timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS), undefined)
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer!);
  }
}
