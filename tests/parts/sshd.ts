/** A real sshd with temporary keys, configuration and, if wished, users. */

import { descendants, endedByPart, processesOfUser, processesWithEnv } from "../helpers/leaks.ts";
import type { FarSide, ProcessState } from "../helpers/leaks.ts";
import { Keeper } from "./keeper.ts";
import { failing, lacking, notRoot, part } from "./need.ts";
import type { Part } from "./need.ts";
import { entryText, entryWords, FAILING, failingEntries } from "./ssh_entries.ts";
import type { Entry, Failing } from "./ssh_entries.ts";
import type { DenoPlace, SshUser, UserOptions } from "./ssh_users.ts";
import { startServer } from "./sshd_start.ts";
import type { SshdOptions, Started } from "./sshd_start.ts";

export type { DenoPlace, Entry, Failing, SshdOptions, SshUser, UserOptions };

/** The server, reached as the user who runs the tests. */
export const SSHD: Part = part("sshd", () => lacking("sshd", "ssh", "ssh-keygen") ?? noLogin());

/** The server with temporary users, whose login shells may be any. */
export const SSHD_USERS: Part = part(
  "sshd with users",
  () =>
    SSHD.missing ?? notRoot() ?? lacking("useradd", "userdel", "find", "bash", "zsh", "fish", "csh") ??
      failing(["test", "-w", "/etc/passwd"]),
);

/** Why sshd would not let the own user in. */
function noLogin(): string | undefined {
  const [id, passwd] = [["id", "-un"], ["cat", "/etc/passwd"]].map(([program, arg]) =>
    new TextDecoder().decode(new Deno.Command(program!, { args: [arg!] }).outputSync().stdout)
  );
  const user = id!.trim();
  const shell = passwd!.split("\n").find((line) => line.startsWith(`${user}:`))?.split(":").at(-1);
  if (shell !== undefined && /\/(nologin|false)$/.test(shell)) return `the user "${user}" may not log in`;
  // Only root may look; sshd itself cannot look either when it runs as another user.
  const locked = Deno.uid() === 0 && failing(["grep", "-q", `^${user}:!`, "/etc/shadow"]) === undefined;
  return locked ? `the account of "${user}" is locked` : undefined;
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

  private constructor(made: Started, entries: readonly Entry[], failing: Record<Failing, string>) {
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
      const made = await startServer(keeper, options);
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
