/** Reads a file piece by piece, the next one while this one is worked on. */

import { free } from "../../channel/free.ts";

/** A file ended before its end. */
export class FileShrank extends Error {
  static {
    this.prototype.name = "FileShrank";
  }
  /** Makes the error. */
  constructor() {
    super("The file ended before its end");
  }
}

/**
 * Gives the first `size` bytes of a file from where it is, in pieces of `pieceBytes`, the last one shorter. A piece is
 * valid until the next one but one is asked for, and none is after the last.
 *
 * @throws {FileShrank} when there are fewer
 */
export async function* readPieces(
  file: Deno.FsFile,
  size: number,
  pieceBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const length = Math.min(pieceBytes, size);
  const buffers = [new Uint8Array(length), new Uint8Array(size > length ? length : 0)];
  let left = size;
  let turn = 0;
  const readNext = (): Promise<Uint8Array<ArrayBuffer>> => {
    const piece = buffers[turn++ % 2]!.subarray(0, Math.min(length, left));
    left -= piece.length;
    const read = fill(file, piece);
    // Whoever asks for it hears of it; a loop that is left before does not ask.
    read.catch(() => {});
    return read;
  };
  if (size === 0) return;
  let next: Promise<Uint8Array<ArrayBuffer>> | undefined = readNext();
  try {
    while (next !== undefined) {
      const piece: Uint8Array<ArrayBuffer> = await next;
      next = left > 0 ? readNext() : undefined;
      yield piece;
    }
  } finally {
    // The file must not be closed under a read.
    await next?.catch(() => {});
    for (const buffer of buffers) free(buffer);
  }
}

async function fill(file: Deno.FsFile, piece: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < piece.length;) {
    const got = await file.read(piece.subarray(at));
    if (got === null) throw new FileShrank();
    at += got;
  }
  return piece;
}
