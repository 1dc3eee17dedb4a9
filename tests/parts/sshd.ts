/** A real sshd with temporary keys, configuration and, if wished, users. */

import { endedByPart, processesOfUser, processesWithEnv, startedByPart } from "../helpers/leaks.ts";
import type { FarSide, ProcessState } from "../helpers/leaks.ts";
import { descendants } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { Keeper, keptFolder, quoted } from "./keeper.ts";
import { failing, findProgram, lacking, notRoot, part } from "./need.ts";
import type { Part } from "./need.ts";
import { NO_TEST_MARK, PART_MARK, run } from "./run.ts";
import { entryText, entryWords, FAILING, failingEntries } from "./ssh_entries.ts";
import type { Entry, Failing } from "./ssh_entries.ts";
import { addUser, toolFolders } from "./ssh_users.ts";
import type { DenoPlace, SshUser, ToolFolders, UserOptions } from "./ssh_users.ts";

export type { DenoPlace, Entry, Failing, SshUser, UserOptions };

/** The server, reached as the user who runs the tests. */
export const SSHD: Part = part("sshd", () => lacking("sshd", "ssh", "ssh-keygen"));

/** The server with temporary users, whose login shells may be any. */
export const SSHD_USERS: Part = part(
  "sshd with users",
  () =>
    SSHD.missing ?? notRoot() ?? lacking("useradd", "userdel", "find", "bash", "zsh", "fish", "csh") ??
      failing(["test", "-w", "/etc/passwd"]),
);

/** What kind of server it is. */
export interface SshdOptions {
  /** Sessions on one connection; by default sshd's own 10. */
  maxSessions?: number;
  /** Unauthenticated connections, as sshd_config writes it; by default sshd's own `10:30:100`. */
  maxStartups?: string;
  /** More lines for sshd_config. */
  lines?: readonly string[];
  /** Temporary users besides the own one; needs {@linkcode SSHD_USERS}. */
  users?: readonly UserOptions[];
  /** Where the own user finds Deno: by default on PATH. */
  deno?: DenoPlace;
  /** The Deno that all users find, if they find one; by default the one that runs the tests. */
  executable?: string;
  /** The address to listen on; by default 127.0.0.1. */
  address?: string;
  /** The port; by default a free one. */
  port?: number;
  /** The network namespace to run in. */
  network?: string;
  /** What the own user's alias is; by default `own`. */
  alias?: string;
}

/** What the server has seen so far. */
export interface Seen {
  /** Connections that were let in. */
  readonly connections: number;
  /** Sessions opened on them. */
  readonly sessions: number;
  /** Connections that were dropped because of MaxStartups. */
  readonly dropped: number;
  /** Sessions that were refused because of MaxSessions. */
  readonly refused: number;
}

const START_TIMEOUT_MS = 10_000;
const PORT_TRIES = 5;

/** A running sshd. What it started is ended, and what it made is removed, when it is disposed of. */
export class Sshd implements AsyncDisposable, FarSide {
  /** A configuration for `ssh -F`: an alias for each user, and those of {@linkcode Sshd.failing}. */
  readonly config: string;
  /** The folder of its own, with a short path. */
  readonly folder: string;
  /** The address it listens on. */
  readonly address: string;
  /** The port it listens on. */
  readonly port: number;
  /** The process that listens. */
  readonly pid: number;
  /** The temporary users, by the names they were asked for. */
  readonly users: ReadonlyMap<string, SshUser>;
  /** Aliases that cannot be reached, by what is wrong. */
  readonly failing: Readonly<Record<Failing, string>>;
  /** The text of its part of the configuration. */
  readonly entries: string;

  readonly #alias: string;
  readonly #mark: string;
  readonly #child: Deno.ChildProcess;
  readonly #keeper: Keeper;
  readonly #byAlias: ReadonlyMap<string, Entry>;
  #end: Promise<void> | undefined;

  private constructor(made: Made, entries: readonly Entry[], failing: Record<Failing, string>) {
    this.folder = made.folder;
    this.config = `${made.folder}/ssh`;
    this.address = made.address;
    this.port = made.port;
    this.pid = made.child.pid;
    this.users = made.users;
    this.failing = failing;
    this.entries = entries.map(entryText).join("");
    this.#alias = made.alias;
    this.#mark = made.mark;
    this.#child = made.child;
    this.#keeper = made.keeper;
    this.#byAlias = new Map(entries.map((entry) => [entry.alias, entry]));
  }

  /** Starts a server and waits until it listens. */
  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const keeper = new Keeper("sshd");
    try {
      const made = await make(keeper, options);
      const own: Entry = {
        alias: made.alias,
        host: made.address,
        port: made.port,
        user: made.ownUser,
        key: `${made.folder}/id`,
        knownHosts: `${made.folder}/known`,
      };
      const entries = [
        own,
        ...[...made.users.values()].map((user) => ({ ...own, alias: user.alias, user: user.login })),
      ];
      const wrong = failingEntries(own, made.folder);
      const sshd = new Sshd(
        made,
        [...entries, ...wrong],
        Object.fromEntries(FAILING.map((kind, at) => [kind, wrong[at]!.alias])) as Record<Failing, string>,
      );
      await Deno.writeTextFile(sshd.config, sshd.entries);
      return sshd;
    } catch (error) {
      await keeper.end();
      throw error;
    }
  }

  /** The alias of a user in {@linkcode Sshd.config}; without a name that of the own user. */
  host(user?: string): string {
    return this.entry(user).alias;
  }

  /** The same as words of a command line, which need no configuration: `-F none -p 5000 … user@127.0.0.1`. */
  words(user?: string): string {
    return entryWords(this.entry(user)).join(" ");
  }

  /** What it has written to its log. */
  log(): string {
    return Deno.readTextFileSync(`${this.folder}/log`);
  }

  /** Counts what the log tells. */
  connections(): Seen {
    const log = this.log();
    const count = (pattern: RegExp): number => log.match(pattern)?.length ?? 0;
    return {
      connections: count(/^Accepted \w+ for /gm),
      sessions: count(/^Starting session: /gm),
      dropped: count(/^(drop connection #|error: drop connection )/gm),
      refused: count(/no more sessions|session_new: .*max|exceeded max/gim),
    };
  }

  /** Everything that it started and that still runs: connections, commands and what these left behind. */
  processes(): ProcessState[] {
    const found = [...descendants(this.pid), ...processesWithEnv(this.#mark)];
    for (const user of this.users.values()) found.push(...processesOfUser(user.uid));
    return [...new Map(found.map((one) => [one.pid, one])).values()];
  }

  /** Kills the server and all connections, and removes what was made for it. */
  stop(): Promise<void> {
    return this.#end ??= this.#finish();
  }

  /** The same as {@linkcode Sshd.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** How a client reaches a user. */
  entry(user: string = this.#alias): Entry {
    const entry = this.#byAlias.get(user);
    if (entry === undefined) throw new Error(`Cannot find the user "${user}" of this sshd: not asked for`);
    return entry;
  }

  async #finish(): Promise<void> {
    await this.#keeper.end();
    await this.#child.status;
    endedByPart(this.pid);
  }
}

/** What there is when the server listens. */
interface Made {
  readonly keeper: Keeper;
  readonly folder: string;
  readonly mark: string;
  readonly alias: string;
  readonly ownUser: string;
  readonly users: ReadonlyMap<string, SshUser>;
  readonly address: string;
  readonly port: number;
  readonly child: Deno.ChildProcess;
}

async function make(keeper: Keeper, options: SshdOptions): Promise<Made> {
  const folder = await keptFolder(keeper);
  const mark = `${PART_MARK}=${folder}`;
  await keeper.undo(`end_marked ${quoted(mark)}`);
  const [ownUser, tools] = await Promise.all([
    run(["id", "-un"]).then(({ stdout }) => stdout.trim()),
    toolFolders(folder, options.executable ?? Deno.execPath()),
    ...["host_key", "id", "stranger"].map((name) =>
      run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", `${folder}/${name}`])
    ),
  ]);
  await Deno.copyFile(`${folder}/id.pub`, `${folder}/authorized`);
  const users = new Map<string, SshUser>();
  for (const wish of options.users ?? []) users.set(wish.name, await addUser(keeper, folder, tools, wish));
  const address = options.address ?? "127.0.0.1";
  const given = { folder, mark, tools, users, address };
  for (let tries = 1;; tries++) {
    const port = options.port ?? freePort(address);
    const child = await listen(keeper, { ...given, port }, options);
    if (child === undefined && options.port === undefined && tries < PORT_TRIES) continue;
    if (child === undefined) throw new Error(`Cannot start sshd on ${address}: ${logOf(folder)}`);
    await writeKnownHosts(folder, address, port);
    return { keeper, alias: options.alias ?? "own", ownUser, child, ...given, port };
  }
}

/** What goes into the server's configuration. */
interface Settings {
  readonly folder: string;
  readonly mark: string;
  readonly tools: ToolFolders;
  readonly users: ReadonlyMap<string, SshUser>;
  readonly address: string;
  readonly port: number;
}

/** Starts the server; undefined when the port was taken in the meantime. */
async function listen(
  keeper: Keeper,
  settings: Settings,
  options: SshdOptions,
): Promise<Deno.ChildProcess | undefined> {
  const { folder } = settings;
  const conf = `${folder}/sshd_config`;
  await Deno.writeTextFile(conf, configText(settings, options));
  await Deno.writeTextFile(`${folder}/log`, "");
  // The folder that sshd changes its root to; the package's own start makes it and it stays, as there.
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const inside = options.network === undefined
    ? []
    : [findProgram("ip") ?? "ip", "netns", "exec", options.network];
  // sshd starts itself anew for each connection and therefore insists on its full path.
  const argv = [...inside, findProgram("sshd")!, "-D", "-f", conf, "-E", `${folder}/log`];
  const child = new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    env: NO_TEST_MARK,
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  startedByPart(child.pid);
  await keeper.undo(`end_tree ${child.pid} ${conf}`);
  let ended = false;
  child.status.then(() => ended = true);
  await until(
    "sshd listens",
    () => ended || logOf(folder).includes("Server listening on"),
    START_TIMEOUT_MS,
  );
  if (!ended) return child;
  endedByPart(child.pid);
  if (logOf(folder).includes("Address already in use")) return undefined;
  throw new Error(`Cannot start sshd: ${logOf(folder).trim()}`);
}

function configText(settings: Settings, options: SshdOptions): string {
  const { folder, mark, tools, users, address, port } = settings;
  const own = `SetEnv ${mark} HOME=${tools.ownHome} PATH=${
    tools.path(options.deno ?? "path", tools.ownHome)
  }`;
  return [
    `Port ${port}`,
    `ListenAddress ${address}`,
    `HostKey ${folder}/host_key`,
    "PidFile none",
    `AuthorizedKeysFile ${folder}/authorized`,
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "StrictModes no",
    "LogLevel VERBOSE",
    ...(options.maxSessions === undefined ? [] : [`MaxSessions ${options.maxSessions}`]),
    ...(options.maxStartups === undefined ? [] : [`MaxStartups ${options.maxStartups}`]),
    ...(options.lines ?? []),
    own,
    ...[...users.values()].flatMap((user) => [
      `Match User ${user.login}`,
      `  SetEnv ${mark} PATH=${user.path}`,
      ...(user.noisy ? [`  Banner ${folder}/banner`] : []),
    ]),
    "",
  ].join("\n");
}

async function writeKnownHosts(folder: string, address: string, port: number): Promise<void> {
  const place = port === 22 ? address : `[${address}]:${port}`;
  const keyOf = async (name: string): Promise<string> =>
    (await Deno.readTextFile(`${folder}/${name}.pub`)).split(" ").slice(0, 2).join(" ");
  await Deno.writeTextFile(`${folder}/known`, `${place} ${await keyOf("host_key")}\n`);
  await Deno.writeTextFile(`${folder}/known_wrong`, `${place} ${await keyOf("stranger")}\n`);
  await Deno.writeTextFile(`${folder}/known_none`, "");
}

function logOf(folder: string): string {
  return Deno.readTextFileSync(`${folder}/log`);
}

/** A port that was free a moment ago. */
function freePort(address: string): number {
  using listener = Deno.listen({ hostname: address, port: 0 });
  return listener.addr.port;
}
