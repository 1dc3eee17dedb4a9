/** Addresses of servers as text: `host:port`, `[ipv6]:port`, `:port` and `port`. Pure. */

/** Where a server listens, or is found. */
export interface Address {
  /** A name or an IP address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
}

const MAX_PORT = 65_535;
const LOOPBACK = "127.0.0.1";

/** Reads an address; without a host it is that of this machine for itself. Undefined where the text is none. */
export function parseAddress(text: string): Address | undefined {
  const [, host, port] = /^(?:(\[[^\]]*\]|[^:[\]\s]*):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > MAX_PORT) return undefined;
  if (host === undefined || host === "") return { host: LOOPBACK, port: Number(port) };
  if (!host.startsWith("[")) return { host, port: Number(port) };
  return URL.canParse(`http://${host}/`) ? { host: host.slice(1, -1), port: Number(port) } : undefined;
}

/** The text of an address. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || /^127(\.\d{1,3}){3}$/.test(name) ||
    name.includes(":") && URL.parse(`http://[${name}]/`)?.hostname === "[::1]";
}
