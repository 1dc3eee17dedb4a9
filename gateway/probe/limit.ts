/** Waiting that ends: when it takes too long, or when nobody wants to know any more. */

/** How long a step may take. */
export interface Limit {
  /** Nobody wants to know any more: whatever waits rejects with its reason. */
  readonly signal: AbortSignal;
  /** Milliseconds for each step. */
  readonly timeout: number;
}

/** What {@linkcode limited} gives when it has taken too long. */
export const LATE: unique symbol = Symbol("late");

/**
 * Does something that has to heed the signal it is given. Resolves with {@linkcode LATE} when the time is over and it has
 * not succeeded, and does not wait for what goes on regardless.
 */
export async function limited<T>(
  { signal, timeout }: Limit,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T | typeof LATE> {
  signal.throwIfAborted();
  const clock = new AbortController();
  const over = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(() => {
    clock.abort(new DOMException("It took too long", "TimeoutError"));
    over.resolve(LATE);
  }, timeout);
  const abort = (): void => {
    clock.abort(signal.reason);
    over.reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const acted = action(clock.signal).catch((error): typeof LATE => {
      if (clock.signal.aborted && !signal.aborted) return LATE;
      throw error;
    });
    return await Promise.race([acted, over.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
