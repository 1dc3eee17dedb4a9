/** Placeholder. */
import type { Place } from "./place.ts";
export function moduleSource(
  url: URL,
): Promise<{ code: string; locate(line: number, column: number): Place | undefined }> {
  return Promise.reject(new TypeError(`Cannot ship ${url}`));
}
