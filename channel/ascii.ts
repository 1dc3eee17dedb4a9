/** Turns short ASCII bytes into text, faster than TextDecoder, whose call alone costs as much as some fifty bytes. */

const { fromCharCode } = String;

/**
 * Makes the text of the bytes from `pos` to `end`, which must be there.
 *
 * @returns The text, or undefined when not all of it is ASCII.
 */
export function ascii(buf: Uint8Array, pos: number, end: number): string | undefined {
  if (end - pos === 1 && buf[pos]! < 0x80) return fromCharCode(buf[pos]!);
  let text = "";
  // Eight at a time, and what is left in one call, make the fewest strings on the way.
  for (; pos < end; pos += 8) {
    const left = end - pos;
    const a = buf[pos]!;
    const b = left > 1 ? buf[pos + 1]! : 0;
    const c = left > 2 ? buf[pos + 2]! : 0;
    const d = left > 3 ? buf[pos + 3]! : 0;
    const e = left > 4 ? buf[pos + 4]! : 0;
    const f = left > 5 ? buf[pos + 5]! : 0;
    const g = left > 6 ? buf[pos + 6]! : 0;
    const h = left > 7 ? buf[pos + 7]! : 0;
    if ((a | b | c | d | e | f | g | h) >= 0x80) return undefined;
    if (left > 7) text += fromCharCode(a, b, c, d, e, f, g, h);
    else if (left > 6) text += fromCharCode(a, b, c, d, e, f, g);
    else if (left > 5) text += fromCharCode(a, b, c, d, e, f);
    else if (left > 4) text += fromCharCode(a, b, c, d, e);
    else if (left > 3) text += fromCharCode(a, b, c, d);
    else if (left > 2) text += fromCharCode(a, b, c);
    else if (left > 1) text += fromCharCode(a, b);
    else text += fromCharCode(a);
  }
  return text;
}
