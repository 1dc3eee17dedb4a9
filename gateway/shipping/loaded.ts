/** The text of a module as the engine got it, and the way back to what its author wrote. */

import { originalPositionFor, TraceMap } from "npm:@jridgewell/trace-mapping@^0.3.31";
import type { Place } from "./place.ts";

/** A module as the engine got it: for TypeScript, what Deno made of it. */
export interface Loaded {
  readonly url: string;
  readonly text: string;
  /** Where the author wrote what stands at a line and column, both from 1, of `text`. */
  original(line: number, column: number): Place | undefined;
}

/** Deno runs files of these as they are. */
const SCRIPT = /\.[cm]?js$/;

/** What is at the end of what Deno keeps of a module that it has transpiled. */
const INLINE_MAP =
  /\/\/# sourceMappingURL=data:application\/json;(?:charset=utf-8;)?base64,([\w+/=]+)\s*(?:\/\/[^\n]*\s*)?$/;

/**
 * Finds the text of a module that this program has loaded; undefined where that takes a permission that the program
 * does not have, or where there is none.
 *
 * - Scripts are read from where they are, what Deno has transpiled from its cache: `gen/file/<path>.js`, and
 *   `gen/http/<host>_PORT<port>/<digest of the path>.js`; scripts of other hosts are in `remote/` there. Each ends with
 *   its source map.
 * - The engine's debugger would know all this without a file, but answers only asynchronously, takes 28 ms and needs
 *   `allow-sys=inspector`.
 */
export function loadedModule(url: string): Loaded | undefined {
  const parsed = URL.parse(url);
  if (parsed === null) return undefined;
  if (parsed.protocol === "file:") {
    const path = decodeURIComponent(parsed.pathname);
    if (SCRIPT.test(path)) return asWritten(url, readText(path));
    const cache = cacheFolder();
    return cache === undefined ? undefined : transpiled(url, readText(`${cache}/gen/file${path}.js`));
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return undefined;
  const cache = cacheFolder();
  const digest = cache === undefined ? undefined : sha256(parsed.pathname + parsed.search);
  if (digest === undefined) return undefined;
  const port = parsed.port === "" ? "" : `_PORT${parsed.port}`;
  const path = `${parsed.protocol.slice(0, -1)}/${parsed.hostname}${port}/${digest}`;
  return transpiled(url, readText(`${cache}/gen/${path}.js`)) ??
    asWritten(url, readText(`${cache}/remote/${path}`));
}

function asWritten(url: string, text: string | undefined): Loaded | undefined {
  if (text === undefined) return undefined;
  return { url, text, original: (line, column) => ({ url, line, column }) };
}

function transpiled(url: string, text: string | undefined): Loaded | undefined {
  const found = text?.match(INLINE_MAP);
  if (text === undefined || found == null) return undefined;
  const encoded = found[1]!;
  let map: TraceMap | undefined;
  const decode = (): TraceMap => {
    const json = new TextDecoder().decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
    // Nobody asks for the text of the source, and it is the larger part.
    return new TraceMap({ ...JSON.parse(json), sourcesContent: undefined });
  };
  return {
    url,
    text: text.slice(0, found.index),
    original: (line, column) => {
      const found = originalPositionFor(map ??= decode(), { line, column: column - 1 });
      if (found.source === null) return undefined;
      return { url: found.source, line: found.line, column: found.column + 1 };
    },
  };
}

/** Where Deno keeps what it transpiles and downloads. */
function cacheFolder(): string | undefined {
  const own = env("DENO_DIR");
  if (own !== undefined) return own;
  const home = env("HOME");
  if (Deno.build.os === "darwin") return home === undefined ? undefined : `${home}/Library/Caches/deno`;
  const shared = env("XDG_CACHE_HOME") ?? (home === undefined ? undefined : `${home}/.cache`);
  return shared === undefined ? undefined : `${shared}/deno`;
}

/** An environment variable that may be read without asking; an empty one counts for none. */
function env(variable: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return undefined;
  return Deno.env.get(variable) || undefined;
}

/** A file's text, if it is there and may be read without asking. */
function readText(path: string): string | undefined {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  try {
    return Deno.readTextFileSync(path).replace(/^\ufeff/, "");
  } catch {
    return undefined;
  }
}

/** Deno names what comes over http by this digest. Node's is the only one that is synchronous; it takes 20 ms to load. */
function sha256(text: string): string | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): unknown } };
  const crypto = process?.getBuiltinModule?.("node:crypto") as typeof import("node:crypto") | undefined;
  return crypto?.createHash("sha256").update(text).digest("hex");
}
