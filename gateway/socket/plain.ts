/** Text that others have written, so that it can be shown. */

const MAX_CHARACTERS = 1_000;

/** Text of the other side, or of the system, without control characters and line breaks, and not too long. */
export function plain(text: string): string {
  const shown = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  return shown.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
