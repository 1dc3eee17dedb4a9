/** The one thing a session needs from the outside world: bytes in, bytes out, an end. */

/**
 * A bidirectional, ordered, reliable way for bytes. A transport knows no frames and no values.
 *
 * - `read` and `write` are each called by one caller at a time.
 * - After `abort`, both settle soon: `read` with `null` or a rejection, `write` with a rejection.
 */
export interface Transport {
  /**
   * Reads what is there, at least one byte, into `into`.
   *
   * @returns how many bytes were read, or `null` at the end of input
   */
  read(into: Uint8Array): Promise<number | null>;
  /**
   * Writes all of `bytes`, and does not touch them after it has resolved.
   *
   * @param whole `bytes` covers a whole buffer: it may be transferred to somewhere else, and is then detached here. What
   * is not transferred must not be kept, because it is filled again
   */
  write(bytes: Uint8Array, whole: boolean): Promise<void>;
  /** Ends the outgoing direction, then releases everything. Idempotent, never throws. */
  close(): void;
  /** Ends both directions at once. Idempotent, never throws. */
  abort(): void;
  /** Delivers owned chunks of whole frames to `push` instead of `read`, where bytes come as messages. */
  readonly receiveMessages?: (push: (bytes: Uint8Array) => void, ended: (reason?: unknown) => void) => void;
  /** How many bytes of one channel are best written at once; unlimited where buffers are given away. */
  readonly writeBudget: number;
}
