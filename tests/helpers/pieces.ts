/** Bytes that tell where they belong, here and in remote code. */

/** Bytes of a piece. */
export const PIECE_BYTES = 65_536;

/** The bytes of one piece. Pure: remote code gets it as text. */
export function piece(number: number): Uint8Array {
  const words = new Uint32Array(16_384);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(number * 40_503 + i, 2_654_435_761);
  return new Uint8Array(words.buffer);
}

/** Fails unless bytes are those of this piece. Pure, but for {@linkcode piece}. */
export function checkPiece(bytes: unknown, number: number): void {
  const right = piece(number);
  let same = bytes instanceof Uint8Array && bytes.length === right.length;
  for (let at = 0; same && at < right.length; at++) same = (bytes as Uint8Array)[at] === right[at];
  if (!same) throw new RangeError(`Piece ${number} is not what was sent`);
}

/** The text of both, for remote code. */
export const PIECES_SOURCE: string = `${piece}\n${checkPiece}\n`;
