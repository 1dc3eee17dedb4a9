/** From places in a script to places in the files that the author wrote. */

import type { SourceMap } from "./_bundle.ts";
import { Reprinted } from "./_reprinted.ts";
import type { Place } from "./place.ts";

/** Deno leaves the lines of these as they are. */
const TRACED = /\.(?:[mc]?ts|tsx|jsx|json)$/;

/**
 * Makes a function that finds places. It reads what it needs now, so that it can answer at once and does not care what
 * becomes of the files later.
 *
 * @param local where the text of a source is to be found, by its URL
 */
export async function locator(
  map: SourceMap,
  local: (source: string) => URL | undefined,
): Promise<(line: number, column: number) => Place | undefined> {
  const reprinted = new Map<string, Reprinted | undefined>();
  await Promise.all(map.sources.map(async (source, i) => {
    if (source === null || TRACED.test(source)) return;
    const printed = map.sourcesContent[i];
    const original = await readIfAllowed(local(source));
    if (printed === original) return;
    // Without the text no place is better than a wrong one.
    const known = typeof printed === "string" && original !== undefined;
    reprinted.set(source, known ? new Reprinted(printed, original) : undefined);
  }));
  // Loaded only here: a program that ships no module never needs it.
  const { originalPositionFor, TraceMap } = await import("npm:@jridgewell/trace-mapping@^0.3.31");
  const { sourcesContent: _, ...lean } = map;
  const trace = new TraceMap(lean);
  return (line, column) => {
    if (!(line >= 1) || !(column >= 1)) return undefined;
    const { source, ...found } = originalPositionFor(trace, { line, column: column - 1 });
    // A null of the map comes out as an empty text.
    if (source === null || source === "") return undefined;
    const place = { line: found.line!, column: found.column! + 1 };
    if (!reprinted.has(source)) return { url: source, ...place };
    const written = reprinted.get(source)?.find(place);
    return written === undefined ? undefined : { url: source, ...written };
  };
}

/** The text of a file that may well be out of this program's reach, such as one in Deno's cache. */
async function readIfAllowed(url: URL | undefined): Promise<string | undefined> {
  if (url === undefined) return undefined;
  if ((await Deno.permissions.query({ name: "read", path: url })).state !== "granted") return undefined;
  return await Deno.readTextFile(url).catch(() => undefined);
}
