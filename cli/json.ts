/** Items as JSON, also those that JSON has no form for. */

/** One line of JSON for an item. */
export function json(item: unknown): string {
  return JSON.stringify(item);
}
