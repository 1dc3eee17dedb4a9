/** Memory that is given back at once. */

/** Less is not worth the call. */
const LEAST_BYTES = 16 * 1024;

/**
 * Gives the memory of a buffer back now; it is empty afterwards. The collector lets some 64 MiB of buffers that nobody
 * uses any more come together before it does. Does nothing where `bytes` is a part of a buffer only.
 */
export function free(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < LEAST_BYTES || bytes.length < buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
