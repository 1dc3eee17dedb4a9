/** What `ssh -G` says. Pure. */

/** What ssh's configuration makes of the words of a spec. */
export interface SshConfig {
  readonly hostname: string;
  readonly port: string;
  readonly user: string;
  /** The hosts in between, as `ssh -J` takes them. */
  readonly jump: string | undefined;
  /** The program that makes the connection in place of ssh. */
  readonly proxy: string | undefined;
  /** The socket of a connection that is shared. */
  readonly shared: string | undefined;
  /** By what name its key is known. */
  readonly keyName: string;
  /** The file of known keys that is the user's own. */
  readonly known: string | undefined;
}

/** Reads what `ssh -G` prints. */
export function readConfig(text: string): SshConfig | undefined {
  const value = (name: string): string | undefined => {
    const found = new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1];
    return found === "none" ? undefined : found;
  };
  const [hostname, port, user] = [value("hostname"), value("port"), value("user")];
  if (hostname === undefined || port === undefined || user === undefined) return undefined;
  const [jump, proxy, shared] = [value("proxyjump"), value("proxycommand"), value("controlpath")];
  const keyName = value("hostkeyalias") ?? (port === "22" ? hostname : `[${hostname}]:${port}`);
  // Several stand in one line, without quotes.
  const known = value("userknownhostsfile")?.split(/ (?=[/~])/)[0];
  return { hostname, port, user, jump, proxy, shared, keyName, known };
}
