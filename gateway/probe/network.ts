/** Names and ports, looked at from this machine. */

import { ConnectProblem } from "../errors.ts";
import { ifThere } from "../process/process.ts";
import { formatAddress } from "../socket/address.ts";
import type { Address } from "../socket/address.ts";
import { plain } from "../socket/plain.ts";
import { writeAll } from "../socket/wire.ts";
import { dialHere } from "../transport/socket.ts";
import type { Dial, ServerLink } from "../transport/socket.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding } from "./finding.ts";
import { LATE, limited } from "./limit.ts";
import type { Limit } from "./limit.ts";

/** What a server that speaks SSH begins its first line with; other lines may come before that (RFC 4253, 4.2). */
const SSH_LINE = /^SSH-[^\r\n]*/m;

/** Far more than servers say before that. */
const MAX_GREETING = 8 * 1024;

/** Asks the system for the addresses of a name, as every program does: hosts file, name servers, whatever it is told. */
export async function probeName(host: string, limit: Limit): Promise<Finding> {
  const facts = { host };
  const { lookup } = await import("node:dns/promises");
  try {
    const found = await limited(limit, () => lookup(host, { all: true }));
    if (found === LATE) return failed("late", `no name server answers for "${host}"`, { facts });
    const addresses = [...new Set(found.map(({ address }) => address))];
    if (addresses.length === 1 && addresses[0] === host) return well(`${host} is an address`);
    return well(`${host} is ${addresses.join(", ")}`);
  } catch (error) {
    limit.signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) throw error;
    return failed("no-address", `"${host}" has no address`, { words: (error as Error).message, facts });
  }
}

/** Connects, does something with the connection, and closes it. */
export function dialed<T>(
  limit: Limit,
  dial: Dial,
  plan: Parameters<Dial>[0],
  action: (link: ServerLink) => Promise<T>,
): Promise<T | typeof LATE> {
  return limited(limit, async (signal) => {
    const link = await dial(plan, signal);
    const close = (): void => ifThere(() => link.close());
    signal.addEventListener("abort", close, { once: true });
    try {
      signal.throwIfAborted();
      return await action(link);
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  });
}

/** Connects to a port and closes the connection. */
export async function probePort(address: Address, limit: Limit, dial: Dial = dialHere): Promise<Finding> {
  try {
    const answer = await dialed(limit, dial, { address, certificates: undefined }, () => Promise.resolve());
    return answer === LATE ? portSilent(address, limit) : well(`${formatAddress(address)} takes connections`);
  } catch (error) {
    limit.signal.throwIfAborted();
    return unreachable(error, address);
  }
}

/** Connects to a port where an SSH server is expected, and reads what it says first. */
export async function probeSshPort(address: Address, limit: Limit): Promise<Finding> {
  let taken = false;
  try {
    const said = await dialed(limit, dialHere, { address, certificates: undefined }, (link) => {
      taken = true;
      return readGreeting(link);
    });
    if (said === LATE) {
      if (!taken) return portSilent(address, limit);
      const found = `port ${address.port} takes the connection and says nothing`;
      return failed("silent", found, { facts: factsOf(address) });
    }
    const line = SSH_LINE.exec(said)?.[0];
    if (line !== undefined) return well(`port ${address.port}: ${plain(line.trim())}`);
    const facts = factsOf(address);
    if (said === "") return failed("dropped", "the host closes the connection without a word", { facts });
    return failed("not-ssh", `port ${address.port} says something that no SSH server says`, {
      words: plain(said.trim()),
      facts,
    });
  } catch (error) {
    limit.signal.throwIfAborted();
    return unreachable(error, address);
  }
}

async function readGreeting(link: ServerLink): Promise<string> {
  // As ssh does: other servers wait for a word.
  await writeAll(link, new TextEncoder().encode("SSH-2.0-execnet_doctor\r\n")).catch(() => {});
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(1024);
  let text = "";
  while (text.length < MAX_GREETING && !/^SSH-[^\n]*\n/m.test(text)) {
    const count = await link.read(buffer).catch((error) => {
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    });
    if (count === null) break;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
    // What does not begin like it, and is one line already, will not become it by waiting.
    if (text.startsWith("HTTP/") || text.startsWith("220 ")) break;
  }
  return text;
}

function portSilent(address: Address, { timeout }: Limit): Finding {
  return failed("port-silent", `${formatAddress(address)} does not answer in ${timeout} ms`, {
    facts: factsOf(address),
  });
}

/** What it means that a connection could not be made. */
export function unreachable(error: unknown, address: Address): Finding {
  if (!(error instanceof ConnectProblem)) throw error;
  const { message, kind } = error;
  const facts: Facts = factsOf(address);
  if (kind === "host") return failed("no-address", message, { facts });
  if (kind !== "refused") return failed("hop", message, { facts, words: error.details.stderrTail ?? "" });
  if (/nothing listens/.test(message)) {
    return failed("port-closed", `nothing listens at ${formatAddress(address)}`, { facts });
  }
  const trouble = /timed out/i.test(message)
    ? "port-silent"
    : /reset/i.test(message)
    ? "dropped"
    : "no-route";
  return failed(trouble, message, { facts });
}

function factsOf({ host, port }: Address): Facts {
  return { host, port: String(port) };
}
