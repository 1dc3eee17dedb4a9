/** Reads an old copy of a file, and sends the hashes of its blocks. */

import { BlockHash } from "../common/block_hash.ts";
import type { HashKey } from "../common/block_hash.ts";
import { blockBytes, MAX_DELTA_BYTES, MIN_BLOCK_BYTES, SUM_BYTES } from "../common/blocks.ts";
import { WantKind } from "../common/messages.ts";
import { readPieces } from "../common/read_pieces.ts";
import type { ByteWriter } from "../common/wire.ts";

/** So much is read at a time, or a block. */
const READ_BYTES = 1024 * 1024;

/** An old copy. */
export interface OldCopy {
  /** Where it is. */
  readonly path: string;
  /** The number of the file in the list. */
  readonly index: number;
  /** How long it is. */
  readonly basis: number;
  /** How long the new one is. */
  readonly size: number;
  /** The key of the hashes. */
  readonly key: HashKey;
}

/** Whether less is sent when an old copy is made use of. Where nothing may have changed, it always is. */
function worthIt(basis: number, size: number): boolean {
  if (basis === 0 || basis > MAX_DELTA_BYTES) return false;
  return basis === size || Math.min(basis, size) >= MIN_BLOCK_BYTES;
}

/**
 * Asks for a file as what has changed in it. False when it is to come whole.
 *
 * @param flush sends what `writer` holds
 */
export async function sendSums(
  { path, index, basis, size, key }: OldCopy,
  writer: ByteWriter,
  flush: () => Promise<void>,
): Promise<boolean> {
  if (!worthIt(basis, size)) return false;
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch {
    return false;
  }
  const block = blockBytes(basis);
  const hash = new BlockHash(block, key);
  writer.byte(WantKind.DELTA).number(index).number(basis);
  try {
    if (basis <= block) {
      const bytes = new Uint8Array(basis);
      if (file.readSync(bytes) !== basis) throw new Deno.errors.UnexpectedEof(path);
      writeSums(hash, bytes, writer);
      return true;
    }
    for await (const bytes of readPieces(file, basis, Math.max(block, READ_BYTES))) {
      writeSums(hash, bytes, writer);
      await flush();
    }
  } catch {
    // It changed under our hands, or cannot be read: what was sent is of no use.
    writer.byte(WantKind.SUMS).number(0);
  } finally {
    file.close();
  }
  return true;
}

/** Writes the hashes of blocks that follow one another. */
function writeSums(hash: BlockHash, bytes: Uint8Array<ArrayBuffer>, writer: ByteWriter): void {
  const { block, strong } = hash;
  const count = Math.ceil(bytes.length / block);
  const sums = new Uint8Array(count * SUM_BYTES);
  const view = new DataView(sums.buffer);
  for (let i = 0; i < count; i++) {
    const start = i * block;
    const length = Math.min(block, bytes.length - start);
    hash.hash(bytes, start, length);
    view.setInt32(i * SUM_BYTES, hash.weak(bytes, start, length));
    view.setInt32(i * SUM_BYTES + 4, strong[0]!);
    view.setInt32(i * SUM_BYTES + 8, strong[1]!);
  }
  writer.byte(WantKind.SUMS).number(count).raw(sums);
}
