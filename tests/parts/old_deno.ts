/** Real old versions of Deno, from npm, kept in a cache folder. */

import { findProgram, part } from "./need.ts";
import type { Part } from "./need.ts";

/** Versions that are used: the first of the current major one, and the last minor one before it. */
export type OldVersion = "2.0.0" | "1.46.0";

/**
 * An old Deno. There is nothing to start or to end. The cache is the own user's: for others, give the path to an sshd as
 * its `executable`. It refuses the lock file of this project, so it must not run in its folder.
 */
export interface OldDeno extends Part {
  /** Its version. */
  readonly version: OldVersion;
  /** Its path; only where it is not missing. */
  readonly path: string;
}

const FETCH_LIMIT_MS = 120_000;

/** Gives an old Deno. It is fetched when somebody asks for the first time on this machine whether it is missing. */
export function oldDeno(version: OldVersion): OldDeno {
  const path = `${cacheFolder()}/deno-${version}-${Deno.build.arch}`;
  const probed = part(`Deno ${version}`, () => exists(path) ? undefined : fetchOnce(version, path));
  return {
    name: probed.name,
    version,
    path,
    get missing(): string | undefined {
      return probed.missing;
    },
  };
}

function cacheFolder(): string {
  const home = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${home}/execnet-tests`;
}

/** Fetches it aside and moves it to its place, so that two runs at once do no harm. Tells why when it cannot. */
function fetchOnce(version: OldVersion, path: string): string | undefined {
  const npm = findProgram("npm");
  if (npm === undefined) return `no program "npm"`;
  Deno.mkdirSync(cacheFolder(), { recursive: true });
  const aside = Deno.makeTempDirSync({ dir: cacheFolder(), prefix: "fetch-" });
  try {
    const limit = String(FETCH_LIMIT_MS / 1000);
    const { success, stderr } = new Deno.Command("timeout", {
      args: [
        limit,
        npm,
        "install",
        "--prefix",
        aside,
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        `deno@${version}`,
      ],
      cwd: aside,
      stdin: "null",
      stdout: "null",
    }).outputSync();
    if (!success) return `npm cannot fetch it: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`;
    const scope = `${aside}/node_modules/@deno`;
    const found = [...Deno.readDirSync(scope)].map((entry) => `${scope}/${entry.name}/deno`).find(exists);
    if (found === undefined) return "its package has no executable for this machine";
    Deno.chmodSync(found, 0o755);
    Deno.renameSync(found, path);
    return undefined;
  } finally {
    Deno.removeSync(aside, { recursive: true });
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
