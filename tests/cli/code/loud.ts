/** What shout.ts imports. */

/** In capitals. */
export function loud(text: string): string {
  return text.toUpperCase();
}
