/** Temporary users of a test's sshd: their shells, their homes, the noise they make, where they find Deno. */

import { until } from "../helpers/wait.ts";
import { quoted } from "./keeper.ts";
import type { Keeper } from "./keeper.ts";
import { findProgram } from "./need.ts";
import { run } from "./run.ts";
import { exists } from "../helpers/folder.ts";

/** Where a user finds Deno: on PATH, only in `~/.deno/bin`, or nowhere. */
export type DenoPlace = "path" | "home" | "none";

/** The user that is wished. */
export interface UserOptions {
  /** What the test calls it; also its alias for ssh. */
  name: string;
  /** The login shell; by default `sh`. */
  shell?: "sh" | "bash" | "zsh" | "fish" | "csh";
  /** Whether a login prints on stdout and stderr, from a banner, `.ssh/rc` and all files that shells read. */
  noisy?: boolean;
  /** Where it finds Deno; by default on PATH. */
  deno?: DenoPlace;
}

/** A user as it was made. */
export interface SshUser {
  /** Its alias for ssh. */
  readonly alias: string;
  /** Its name on this machine. */
  readonly login: string;
  /** Its number. */
  readonly uid: number;
  /** Its home, which is removed with the user. */
  readonly home: string;
  /** The PATH of its sessions. */
  readonly path: string;
  /** Whether logging in prints. */
  readonly noisy: boolean;
}

/** Folders with programs, and the own user's home. */
export interface ToolFolders {
  /** The home that the own user's sessions have, so that nothing is left in the true one. */
  readonly ownHome: string;
  /** The PATH on which Deno is found or not. Puts it into `~/.deno/bin` of `home` if it is to be there. */
  path(place: DenoPlace, home: string): Promise<string>;
}

const LOCK_TIMEOUT_MS = 30_000;

/** How a noisy start says hello; the bytes that are no UTF-8 are as likely as any in a motd. */
const NOISE = "NOISE on stdout from";

/** Files that a shell reads at its start, in the order sh, bash, zsh, csh, fish. */
const START_FILES = [
  ".profile",
  ".bashrc",
  ".bash_profile",
  ".zshenv",
  ".zprofile",
  ".zshrc",
  ".cshrc",
  ".login",
  ".config/fish/config.fish",
  ".ssh/rc",
];

/**
 * Makes folders for PATH. sshd's own PATH is of no use, because Deno may be in /usr/bin: so Deno gets a folder of its
 * own, and for who must not find it the folders that have one are replaced by links to all else that is in them.
 */
export async function toolFolders(keeper: Keeper, folder: string, executable: string): Promise<ToolFolders> {
  const denoFolder = `${folder}/d`;
  const ownHome = `${folder}/o`;
  for (const made of [denoFolder, ownHome]) await Deno.mkdir(made);
  await placeDeno(executable, `${denoFolder}/deno`);
  const system = [...new Set(["/usr/local/bin", "/usr/bin", "/bin"].filter(exists).map(Deno.realPathSync))];
  let without: Promise<string> | undefined;
  return {
    ownHome,
    async path(place: DenoPlace, home: string): Promise<string> {
      if (place === "path") return [denoFolder, ...system].join(":");
      if (place === "home") {
        await Deno.mkdir(`${home}/.deno/bin`, { recursive: true });
        await Deno.symlink(`${denoFolder}/deno`, `${home}/.deno/bin/deno`);
      }
      return await (without ??= withoutDeno(keeper, folder, system));
    },
  };
}

/** The folders without Deno. The thousand links are in memory: on a busy disk each takes a millisecond. */
async function withoutDeno(keeper: Keeper, folder: string, system: readonly string[]): Promise<string> {
  const memory = `/dev/shm/${folder.slice(folder.lastIndexOf("/") + 1)}`;
  const links = exists("/dev/shm") ? memory : `${folder}/t`;
  await keeper.undo(`rm -rf ${quoted(links)}`);
  await Deno.mkdir(links, { mode: 0o755 });
  for (const from of system.filter((one) => exists(`${one}/deno`))) {
    for await (const { name } of Deno.readDir(from)) {
      if (name !== "deno" && !exists(`${links}/${name}`)) {
        Deno.symlinkSync(`${from}/${name}`, `${links}/${name}`);
      }
    }
  }
  return [links, ...system.filter((one) => !exists(`${one}/deno`))].join(":");
}

/** Makes a user. It is gone, with its processes and its home, when the keeper ends. */
export async function addUser(
  keeper: Keeper,
  folder: string,
  tools: ToolFolders,
  wish: UserOptions,
): Promise<SshUser> {
  const login = `xp${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;
  const home = `${folder}/h-${wish.name}`;
  const shell = findProgram(wish.shell ?? "sh")!;
  await keeper.undo(`end_user ${login}`);
  // Another run of the tests may be changing the same files; then it says that it cannot lock them.
  await until(`the user ${login} is added`, async () => {
    const argv = ["useradd", "-M", "-N", "-l", "-p", "*", "-d", home, "-s", shell, login];
    const { code, stderr } = await run(argv, { mayFail: true });
    if (code === 0) return true;
    if (/lock/.test(stderr)) return false;
    throw new Error(`Cannot add the user "${login}": ${stderr.trim()}`);
  }, LOCK_TIMEOUT_MS);
  const uid = Number((await run(["id", "-u", login])).stdout);
  await Deno.mkdir(home);
  const path = await tools.path(wish.deno ?? "path", home);
  if (wish.noisy) await makeNoisy(folder, home);
  await run(["chown", "-Rh", `${uid}`, home]);
  await Deno.chmod(home, 0o700);
  return { alias: wish.name, login, uid, home, path, noisy: wish.noisy ?? false };
}

async function makeNoisy(folder: string, home: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/banner`, "NOISE from the banner\n".repeat(3));
  for (const file of START_FILES) {
    const path = `${home}/${file}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    // Every shell, csh and fish too, understands this line.
    const script = `printf "${NOISE} ${file} \\377\\376\\n"; echo "NOISE on stderr from ${file}" >&2`;
    await Deno.writeTextFile(path, `/bin/sh -c ${quoted(script)}\n`);
  }
}

/** Deno where every user may run it: a link to the executable or, if others may not reach that, the same file. */
async function placeDeno(executable: string, path: string): Promise<void> {
  const deno = await Deno.realPath(executable);
  if (isOpen(deno)) return await Deno.symlink(deno, path);
  const { mode } = await Deno.stat(deno);
  if ((mode! & 0o001) !== 0 && await Deno.link(deno, path).then(() => true, () => false)) return;
  await Deno.copyFile(deno, path); // It is on another file system, or only its owner may run it.
  await Deno.chmod(path, 0o755);
}

/** Whether others may pass through all folders of a path and run the file. */
function isOpen(path: string): boolean {
  for (let up = path; up !== ""; up = up.slice(0, up.lastIndexOf("/"))) {
    if ((Deno.statSync(up).mode! & 0o001) === 0) return false;
  }
  return true;
}
