/** Asks for files: whole, or with the hashes of the blocks of an old copy. */

import { BlockHash } from "../common/block_hash.ts";
import type { HashKey } from "../common/block_hash.ts";
import { blockBytes, MAX_DELTA_BYTES, MIN_BLOCK_BYTES, SUM_BYTES } from "../common/blocks.ts";
import { WantKind } from "../common/messages.ts";
import { readPieces } from "../common/read_pieces.ts";
import type { ByteWriter } from "../common/wire.ts";

/** So much is read at a time, or a block. */
const READ_BYTES = 1024 * 1024;

/** A file that is needed. */
export interface Needed {
  /** Where it is to be. */
  readonly path: string;
  /** Its number in the list. */
  readonly index: number;
  /** How long the old copy is, 0 without one. */
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
 * Asks for a file. Says whether it may come as what has changed in the old copy; otherwise it comes whole.
 *
 * @param flush sends what `writer` holds
 */
export async function askFor(
  { path, index, basis, size, key }: Needed,
  writer: ByteWriter,
  flush: () => Promise<void>,
): Promise<boolean> {
  const file = worthIt(basis, size) ? open(path) : undefined;
  if (file === undefined) {
    writer.byte(WantKind.WHOLE).number(index);
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
    return true;
  } catch {
    // It changed under our hands, or cannot be read: what was sent is of no use. Or the channel has ended; then the next
    // message says so.
    writer.byte(WantKind.SUMS).number(0);
    return false;
  } finally {
    file.close();
  }
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

function open(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path);
  } catch {
    return undefined;
  }
}
