/** Standard input as lines. */

import { EXIT, Failure } from "./failure.ts";

/** The longest line. Text of that length still fits an item. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * The lines of a stream, without their ends (`\n` or `\r\n`); one that is not ended counts, too. Only what a line needs is
 * held.
 *
 * @throws {Failure} when a line is no UTF-8, or too long
 */
export async function* linesOf(input: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let number = 0;
  const finish = (last: Uint8Array): string => {
    number++;
    const line = parts.length === 0 ? last : joined([...parts, last], bytes + last.length);
    parts = [];
    bytes = 0;
    try {
      return decoder.decode(line.at(-1) === RETURN ? line.subarray(0, -1) : line);
    } catch (cause) {
      throw new Failure(
        `Cannot send line ${number} of standard input: it is no text in UTF-8`,
        "--in bytes sends whatever there is",
        EXIT.failed,
        { cause },
      );
    }
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      yield finish(chunk.subarray(start, end));
    }
    if (start === chunk.length) continue;
    parts.push(chunk.slice(start));
    bytes += chunk.length - start;
    if (bytes > MAX_LINE_BYTES) {
      throw new Failure(
        `Cannot send line ${number + 1} of standard input: it has more than ${MAX_LINE_BYTES} bytes`,
        "--in bytes sends input of any length in pieces",
      );
    }
  }
  if (bytes > 0) yield finish(new Uint8Array(0));
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
