/** How a client reaches a user of a test's sshd: as an entry of a configuration, or as words. */

/** All that a client needs to know. */
export interface Entry {
  /** The name for `ssh alias`. */
  readonly alias: string;
  /** The server's address. */
  readonly host: string;
  /** The server's port. */
  readonly port: number;
  /** The user there. */
  readonly user: string;
  /** The file of the private key. */
  readonly key: string;
  /** The file of the servers' keys. */
  readonly knownHosts: string;
  /** How to get there, if not straight. */
  readonly proxyCommand?: string;
}

/** The ways in which a connection can fail before there is a session. */
export const FAILING = [
  "wrong-host-key",
  "unknown-host-key",
  "refused-key",
  "closed-port",
  "unknown-host",
] as const;

/** One of them. */
export type Failing = typeof FAILING[number];

/** Entries that cannot be reached, in the order of {@linkcode FAILING}. The alias says what is wrong. */
export function failingEntries(good: Entry, folder: string): Entry[] {
  const wrong: Record<Failing, Partial<Entry>> = {
    "wrong-host-key": { knownHosts: `${folder}/known_wrong` },
    "unknown-host-key": { knownHosts: `${folder}/known_none` },
    "refused-key": { key: `${folder}/stranger` },
    // Below those that the system gives out, and of a service that nobody runs.
    "closed-port": { port: 1 },
    // A name that never exists, see RFC 2606.
    "unknown-host": { host: "nowhere.invalid" },
  };
  return FAILING.map((kind) => ({ ...good, alias: `${good.alias}-${kind}`, ...wrong[kind] }));
}

/** The entry for `ssh -F`. It leaves to the product what is the product's: no ControlMaster, no BatchMode. */
export function entryText(entry: Entry): string {
  const { alias, host, port, user } = entry;
  const options = Object.entries(optionsOf(entry)).map(([name, value]) => `  ${name} ${value}\n`).join("");
  return `Host ${alias}\n  HostName ${host}\n  Port ${port}\n  User ${user}\n${options}`;
}

/** The words for a command line, which read no configuration of the user's. None of them needs quotes. */
export function entryWords(entry: Entry): string[] {
  const { IdentityFile, ...rest } = optionsOf(entry);
  const options = Object.entries(rest).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return [
    "-F",
    "none",
    "-p",
    String(entry.port),
    "-i",
    IdentityFile!,
    ...options,
    `${entry.user}@${entry.host}`,
  ];
}

function optionsOf(entry: Entry): Record<string, string> {
  return {
    IdentityFile: entry.key,
    IdentitiesOnly: "yes",
    UserKnownHostsFile: entry.knownHosts,
    GlobalKnownHostsFile: "none",
    StrictHostKeyChecking: "yes",
    ...(entry.proxyCommand === undefined ? {} : { ProxyCommand: entry.proxyCommand }),
  };
}
