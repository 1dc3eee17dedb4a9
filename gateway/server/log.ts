/** The server's log: a line for each event, whose words cannot break out of it. */

/** Takes a line. */
export type Log = (line: string) => void;

const MAX_WORD_CHARACTERS = 1_000;

/** Text of the other side, or of the system, without control characters and line breaks, and not too long. */
export function plain(text: string): string {
  const shown = text.length > MAX_WORD_CHARACTERS ? `${text.slice(0, MAX_WORD_CHARACTERS)}…` : text;
  return shown.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Writes lines with their time to stderr; a closed stderr is nobody's affair. */
export function logToStderr(line: string): void {
  let rest: Uint8Array = new TextEncoder().encode(`${new Date().toISOString()} ${line}\n`);
  try {
    while (rest.length > 0) rest = rest.subarray(Deno.stderr.writeSync(rest));
  } catch {
    // There is nowhere to say so.
  }
}
