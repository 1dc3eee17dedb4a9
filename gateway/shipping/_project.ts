/** The configuration that Deno finds for the files of a folder: which files it is read from, and the lock file. */

import { readIfThere } from "./_fingerprint.ts";

/** What Deno looks for in a folder and in all folders above it. */
const CONFIG_NAMES = ["deno.json", "deno.jsonc", "package.json", ".npmrc", "deno.lock"] as const;

/** The configuration of a folder. */
export interface Project {
  /** All files that could hold a part of it, those too that do not exist. */
  readonly files: readonly string[];
  /** The lock file, which may not exist yet. */
  readonly lock: URL | undefined;
  /** Deno would make a node_modules folder where there is none. */
  readonly makesNodeModules: boolean;
}

/** The part of a deno.json that matters here; whatever the user wrote, so nothing is taken for granted. */
interface Config {
  lock?: unknown;
  importMap?: unknown;
  workspace?: unknown;
  nodeModulesDir?: unknown;
  vendor?: unknown;
}

/**
 * Reads the configuration for a folder. The rules for the lock file are Deno's: beside the nearest configuration, or
 * beside that of the workspace it belongs to, or where the configuration says.
 */
export async function projectOf(folder: URL): Promise<Project> {
  const files: string[] = [];
  let nearest: { folder: URL; config: Config } | undefined;
  let workspace: { folder: URL; config: Config } | undefined;
  for (const at of upwardsFrom(folder)) {
    let found: Config | undefined;
    for (const name of CONFIG_NAMES) {
      const url = new URL(name, at);
      if (!await mayRead(url)) continue;
      files.push(url.href);
      if (name === ".npmrc" || name === "deno.lock") continue;
      const bytes = await readIfThere(url);
      if (bytes === undefined) continue;
      const config = parse(new TextDecoder().decode(bytes));
      if (name === "package.json") {
        found ??= {};
        continue;
      }
      found = config;
      const map = typeof config.importMap === "string" ? URL.parse(config.importMap, url) : null;
      if (map?.protocol === "file:") files.push(map.href);
    }
    if (found === undefined) continue;
    nearest ??= { folder: at, config: found };
    if (found.workspace !== undefined) workspace ??= { folder: at, config: found };
  }
  if (nearest === undefined) return { files, lock: undefined, makesNodeModules: false };

  let root = nearest;
  if (workspace !== undefined && !await exists(new URL("deno.lock", nearest.folder))) root = workspace;
  const { lock: setting, nodeModulesDir, vendor } = root.config;
  const path = typeof setting === "object" && setting !== null && "path" in setting ? setting.path : setting;
  const lock = path === false
    ? undefined
    : URL.parse(typeof path === "string" ? path : "deno.lock", root.folder) ?? undefined;
  if (lock !== undefined && await mayRead(lock)) files.push(lock.href);
  return { files, lock, makesNodeModules: (nodeModulesDir ?? vendor) === true || nodeModulesDir === "auto" };
}

function* upwardsFrom(folder: URL): Generator<URL> {
  for (let at = new URL("./", folder);; at = new URL("../", at)) {
    yield at;
    if (new URL("../", at).href === at.href) return;
  }
}

/** JSON with comments and trailing commas. What cannot be read says nothing here: Deno itself will complain. */
function parse(text: string): Config {
  const plain = text.replace(
    /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[^]*?\*\//g,
    (part) => part[0] === '"' ? part : "",
  )
    .replace(/"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])/g, (part) => part === "," ? "" : part);
  try {
    const value: unknown = JSON.parse(plain);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

async function exists(url: URL): Promise<boolean> {
  return await mayRead(url) && await readIfThere(url) !== undefined;
}

/** A program that may not look at the folders above is not asked to: nobody expects a prompt for them. */
async function mayRead(url: URL): Promise<boolean> {
  return (await Deno.permissions.query({ name: "read", path: url })).state === "granted";
}
