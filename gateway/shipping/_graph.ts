/** All modules that a module imports, as Deno resolves them. */

import { type DenoTask, runDeno } from "./_run_deno.ts";

/** What is known about the modules behind a module. */
export interface Graph {
  /** The URLs of all local files, those that are imported for their types included. */
  readonly files: readonly string[];
  /** The folders in Deno's cache from which packages are taken, as URLs that end in a slash; what is there never changes. */
  readonly cached: readonly string[];
  /** Where Deno keeps the text of modules of the web, by their URL. */
  readonly kept: ReadonlyMap<string, string>;
  /** What is wrong with a module, by its specifier. */
  readonly errors: ReadonlyMap<string, string>;
}

/** The part of what `deno info --json` prints that matters here. */
interface Info {
  modules: { specifier: string; local?: string; error?: string }[];
  npmPackages?: Record<string, { localPath?: string }>;
}

/** Asks Deno for the modules. The answer is `string` when Deno could not even begin: what it said. */
export async function graphOf(task: DenoTask): Promise<Graph | string> {
  const { success, stdout, stderr } = await runDeno(["info", "--json"], task);
  if (!success) return stderr;
  const info: Info = JSON.parse(new TextDecoder().decode(stdout));
  const packages = Object.values(info.npmPackages ?? {}).map((one) => one.localPath)
    .filter((path) => path !== undefined).map((path) => `${fileUrl(path)}/`);
  return {
    files: info.modules.map((module) => module.specifier).filter((url) => url.startsWith("file:"))
      .map((url) => url.replace(/[?#].*$/, "")),
    cached: packages.filter((url) => !url.includes("/node_modules/")),
    kept: new Map(
      info.modules.flatMap(({ specifier, local }) =>
        local === undefined ? [] : [[specifier, fileUrl(local)]]
      ),
    ),
    errors: new Map(
      info.modules.flatMap(({ specifier, error }) => error === undefined ? [] : [[specifier, error]]),
    ),
  };
}

/** The URL of an absolute path, or of one that is relative to a folder. */
export function fileUrl(path: string, folder: string | URL = "file:///"): string {
  const slashes = Deno.build.os === "windows" ? path.replaceAll("\\", "/").replace(/^[a-z]:/i, "/$&") : path;
  return new URL(encodeURI(slashes).replaceAll("?", "%3F").replaceAll("#", "%23"), folder).href;
}
