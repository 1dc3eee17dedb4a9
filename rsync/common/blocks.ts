/** How old copies are divided into blocks. */

/** Bytes of the hashes of one block: the weak one, then the strong one. */
export const SUM_BYTES = 12;
/** A file has so many blocks at the most, so that their hashes fit into memory. */
const MAX_BLOCKS: number = 2 ** 18;
/** Blocks are no shorter. */
export const MIN_BLOCK_BYTES = 512;
/** Blocks are no longer, */
const MAX_BLOCK_BYTES = 32 * 1024 * 1024;
/** so that this is the largest old copy that is divided; others are sent whole. */
export const MAX_DELTA_BYTES: number = MAX_BLOCKS * MAX_BLOCK_BYTES;

/**
 * How long the blocks of an old copy of n bytes are. The hashes of its n / b blocks and the one block around a change
 * cost least where b is the square root of n times the bytes of a block's hashes. Changes are seldom alone: it is the
 * power of two from half of that on.
 */
export function blockBytes(size: number): number {
  let block = MIN_BLOCK_BYTES;
  while (4 * block * block < size * SUM_BYTES || block * MAX_BLOCKS < size) block *= 2;
  return block;
}
