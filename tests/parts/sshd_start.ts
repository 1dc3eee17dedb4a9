/** Starts a real sshd: keys, users, configuration, the process itself. */

import { endedByPart, startedByPart } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { keptFolder, quoted } from "./keeper.ts";
import type { Keeper } from "./keeper.ts";
import { findProgram } from "./need.ts";
import { NO_TEST_MARK, PART_MARK, run } from "./run.ts";
import { addUser, toolFolders } from "./ssh_users.ts";
import type { DenoPlace, SshUser, UserOptions } from "./ssh_users.ts";

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

const START_TIMEOUT_MS = 10_000;
const PORT_TRIES = 5;

/** What there is when the server listens. */
export interface Started {
  /** Undoes it. */
  readonly keeper: Keeper;
  /** The folder of its own. */
  readonly folder: string;
  /** In the environment of everything that runs in a session. */
  readonly mark: string;
  /** What the own user's alias is. */
  readonly alias: string;
  /** The own user's name. */
  readonly ownUser: string;
  /** The temporary users. */
  readonly users: ReadonlyMap<string, SshUser>;
  /** Where it listens. */
  readonly address: string;
  /** Where it listens. */
  readonly port: number;
  /** The process that listens. */
  readonly child: Deno.ChildProcess;
}

/** Makes keys, users and configuration, and waits until the server listens. */
export async function startServer(keeper: Keeper, options: SshdOptions): Promise<Started> {
  const folder = await keptFolder(keeper);
  const mark = `${PART_MARK}=${folder}`;
  await keeper.undo(`end_marked ${quoted(mark)}`);
  const [ownUser, tools] = await Promise.all([
    run(["id", "-un"]).then(({ stdout }) => stdout.trim()),
    toolFolders(keeper, folder, options.executable ?? Deno.execPath()),
    ...["host_key", "id", "stranger"].map((name) =>
      run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", `${folder}/${name}`])
    ),
  ]);
  await Deno.copyFile(`${folder}/id.pub`, `${folder}/authorized`);
  const users = new Map<string, SshUser>();
  for (const wish of options.users ?? []) users.set(wish.name, await addUser(keeper, folder, tools, wish));
  const address = options.address ?? "127.0.0.1";
  const path = await tools.path(options.deno ?? "path", tools.ownHome);
  const given = { folder, mark, own: `HOME=${tools.ownHome} PATH=${path}`, users, address };
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
  /** The variables of the own user's sessions. */
  readonly own: string;
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
  await keeper.undo(`end_naming ${conf}`);
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
  const { folder, mark, own, users, address, port } = settings;
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
    `SetEnv ${mark} ${own}`,
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
