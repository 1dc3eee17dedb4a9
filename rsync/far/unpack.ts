/** Undoes what was done to a message of data for a slow way. */

import { ProtocolError } from "../../channel/errors.ts";
import { MAX_MESSAGE_BYTES, Packing, unknownRecord } from "../common/messages.ts";
import { ByteReader } from "../common/wire.ts";

/** So much is decompressed at a time: everything that can be made of it is, which may be a thousand times as much. */
const PIECE_BYTES = 4096;

/** A message as it was before it was compressed. Never makes more of it than it says, nor more than a message may be. */
export async function unpack(message: unknown): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new ByteReader(message);
  const packing = reader.byte();
  if (packing === Packing.PLAIN) return reader.rest();
  if (packing !== Packing.DEFLATED) throw unknownRecord(packing);
  const length = reader.number();
  if (length > MAX_MESSAGE_BYTES) throw new ProtocolError(`Cannot take a message of ${length} bytes`);
  const unpacked = new Uint8Array(length);
  let filled = 0;
  const source = ReadableStream.from(pieces(reader.rest())).pipeThrough(
    new DecompressionStream("deflate-raw"),
  );
  try {
    for await (const piece of source) {
      if (filled + piece.length > length) throw new Error("it is longer than it said");
      unpacked.set(piece, filled);
      filled += piece.length;
    }
  } catch (cause) {
    throw new ProtocolError("Cannot unpack a message", { cause });
  }
  if (filled < length) throw new ProtocolError("Cannot unpack a message: it is shorter than it said");
  return unpacked;
}

function* pieces(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>, void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}
