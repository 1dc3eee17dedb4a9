/** One script made of a module and all that it imports. */

import { fileUrl } from "./_graph.ts";
import { type DenoTask, runDeno } from "./_run_deno.ts";

/** A script with its source map. */
export interface Bundle {
  code: string;
  map: SourceMap;
  /** The URLs of the files inside that come from a node_modules folder, and may be some more. */
  packaged: string[];
}

/** A source map whose sources are URLs, or null where no place can be known. */
export interface SourceMap {
  version: 3;
  sources: (string | null)[];
  sourcesContent: (string | null)[];
  names: string[];
  mappings: string;
}

const MAP_START = "\n//# sourceMappingURL=data:application/json;base64,";

/**
 * What `deno bundle` puts before packages that say `require("node:…")`. A script that comes from a blob has no path
 * from which it could require anything, but what is built in can be had from everywhere.
 */
const REQUIRE_FROM_HERE = "__deno_internal_createRequire(import.meta.url);";
const REQUIRE_FROM_ROOT =
  `__deno_internal_createRequire(globalThis.Deno.build.os === "windows" ? "file:///C:/" : "file:///");`;

/** Bundles a module. The answer is `string` when that is impossible: what Deno said. */
export async function bundle(task: DenoTask): Promise<Bundle | string> {
  const { success, stdout, stderr } = await runDeno(
    ["bundle", "--platform=deno", "--format=esm", "--packages=bundle", "--sourcemap=inline"],
    task,
  );
  if (!success) return stderr;
  const text = new TextDecoder().decode(stdout);
  const end = text.lastIndexOf(MAP_START);
  if (end < 0) return `No source map in the output of "deno bundle": ${text.length} characters`;
  const code = text.slice(0, end + 1);
  // esbuild says before each file which one it is, in the words of the source map.
  const inside = Array.from(code.matchAll(/^\/\/ (?:deno:)?(.*)$/gm), (line) => line[1]!);
  return {
    code: code.replace(REQUIRE_FROM_HERE, REQUIRE_FROM_ROOT),
    map: readMap(text.slice(end + MAP_START.length).trim(), new Set(inside), task.folder),
    packaged: inside.filter((path) => /(?:^|[\\/])node_modules[\\/]/.test(path)).map((path) =>
      fileUrl(path, task.folder)
    ),
  };
}

/**
 * esbuild follows the source map that a package brings along, to files the package was made of. Deno has moved the lines
 * before, so such places are wrong, and they are left out.
 */
function readMap(base64: string, inside: ReadonlySet<string>, folder: URL | undefined): SourceMap {
  const { sources, sourcesContent, names, mappings }: SourceMap = JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(base64)),
  );
  const absolute = sources.map((source) => {
    if (source === null || !inside.has(source)) return null;
    if (/^[a-z][a-z0-9+.-]+:/.test(source)) return source;
    return folder === undefined ? null : fileUrl(source, folder);
  });
  return { version: 3, sources: absolute, sourcesContent, names, mappings };
}
