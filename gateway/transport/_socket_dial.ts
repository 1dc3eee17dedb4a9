/** Opens connections to servers: from this program, or from wherever another gateway runs. */

import { FIND_AND_RUN } from "../../xspec/mod.ts";
import { ConnectProblem } from "../errors.ts";
import { Output } from "../output.ts";
import { scriptUrl } from "../process/link.ts";
import { ifThere } from "../process/process.ts";
import type { Ref } from "../process/process.ts";
import type { Program } from "../process/program.ts";
import type { Starter } from "../shell/command.ts";
import { formatAddress } from "../socket/address.ts";
import type { Address } from "../socket/address.ts";
import { readExactly, writeAll } from "../socket/wire.ts";
import type { Wire } from "../socket/wire.ts";

/** A connection to a server. */
export interface ServerLink extends Wire, Ref {
  /** Ends it, and whatever waits on it. */
  close(): void;
  /** Why it has ended, where that is not for the server to say. */
  lost?(): Promise<string | undefined>;
  /** Why the server had to end, where that is not for the server to say. */
  stopped?(): Promise<string | undefined>;
}

/** What is to be connected to. */
export interface DialPlan {
  readonly address: Address;
  /** The certificates to trust besides the usual ones, in PEM; undefined where there is no TLS. */
  readonly certificates: readonly string[] | undefined;
}

/**
 * Opens a connection. When that fails or is aborted, nothing is left open.
 *
 * @throws {ConnectProblem} with the step that failed
 */
export type Dial = (plan: DialPlan, signal: AbortSignal) => Promise<ServerLink>;

/**
 * A connection that is being made is usually there in a moment, and can then be closed. Deno 2.9.6 leaves one open that
 * is made just when the signal comes, so that only what takes longer than this is cancelled.
 */
const CANCEL_AFTER_MS = 200;

/** From this program. */
export const dialHere: Dial = async ({ address, certificates }, signal) => {
  const plain = await connectTo(address, signal).catch((cause) => {
    throw unreachable(address, cause);
  });
  let connection: Deno.Conn = plain;
  // An abort closes the connection, which ends whatever is under way.
  const close = (): void => ifThere(() => connection.close());
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    plain.setNoDelay(true);
    if (certificates !== undefined) {
      const secured = await Deno.startTls(plain, { hostname: address.host, caCerts: [...certificates] });
      connection = secured;
      await secured.handshake();
    }
    return connection as unknown as ServerLink;
  } catch (cause) {
    close();
    throw signal.aborted ? signal.reason : untrusted(address, cause as Error);
  } finally {
    signal.removeEventListener("abort", close);
  }
};

async function connectTo({ host, port }: Address, signal: AbortSignal): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const cancel = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancelSoon = (): void => {
    timer = setTimeout(() => cancel.abort(), CANCEL_AFTER_MS);
  };
  signal.addEventListener("abort", cancelSoon);
  try {
    return await Deno.connect({ hostname: host, port, signal: cancel.signal });
  } finally {
    signal.removeEventListener("abort", cancelSoon);
    clearTimeout(timer);
  }
}

/** What there is to be said of a connection that could not be made. */
function unreachable({ host, port }: Address, cause: Error): Error {
  if (cause.name === "NotCapable") return cause;
  const { name, message } = cause;
  if (/lookup|resolve|address information|name or service/i.test(message)) {
    return new ConnectProblem("host", `"${host}" has no address: ${message}`, { cause });
  }
  const nobody = name === "ConnectionRefused" ? "nothing listens there: " : "";
  return new ConnectProblem(
    "refused",
    `${formatAddress({ host, port })} cannot be reached: ${nobody}${message}`,
    { cause },
  );
}

/** What there is to be said of a connection over which TLS failed. */
function untrusted(address: Address, cause: Error): Error {
  const where = formatAddress(address);
  const { message } = cause;
  if (/CaUsedAsEndEntity/.test(message)) {
    const state = `the certificate of ${where} is that of an authority, and not of a server`;
    return new ConnectProblem("auth", `${state}: it needs basicConstraints=CA:FALSE`, { cause });
  }
  if (/certificate|UnknownIssuer|NotValidForName|self.?signed|expired/i.test(message)) {
    return new ConnectProblem("auth", `the certificate of ${where} is not trusted: ${message}`, { cause });
  }
  const guess = /corrupt|InvalidContentType|eof|early|reset|closed/i.test(message)
    ? "it may serve without TLS"
    : "TLS failed";
  return new ConnectProblem("noise", `${where} does not answer with TLS: ${guess}: ${message}`, { cause });
}

/**
 * What runs where the other gateway is: it reads what to connect to, says how that went, and passes on what comes from
 * either side. What is read and said is a length in 4 bytes, and so many bytes of JSON; none where all went well.
 */
const RELAY = `const read = async (count) => {
  const bytes = new Uint8Array(count);
  for (let at = 0, n; at < count; at += n) if ((n = await Deno.stdin.read(bytes.subarray(at))) === null) Deno.exit(1);
  return bytes;
};
const length = new DataView((await read(4)).buffer).getUint32(0);
const { hostname, port, caCerts } = JSON.parse(new TextDecoder().decode(await read(length)));
const say = async (text) => {
  const bytes = new TextEncoder().encode(text), head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, bytes.length);
  for (let part of [head, bytes]) while (part.length > 0) part = part.subarray(await Deno.stdout.write(part));
};
let at = "connect", c;
try {
  c = await Deno.connect({ hostname, port });
  c.setNoDelay(true);
  if (caCerts !== undefined) {
    at = "tls";
    c = await Deno.startTls(c, { hostname, caCerts });
    await c.handshake();
  }
} catch ({ name, message }) {
  await say(JSON.stringify({ at, name, message }));
  Deno.exit(0);
}
await say("");
const pass = async (from, to) => {
  const buffer = new Uint8Array(65536);
  for (let n; (n = await from.read(buffer)) !== null;) {
    for (let rest = buffer.subarray(0, n); rest.length > 0;) rest = rest.subarray(await to.write(rest));
  }
};
await Promise.race([pass(Deno.stdin, c), pass(c, Deno.stdout)]).catch(() => {});
Deno.exit(0);`;

/** Far more than what is said of a failure. */
const MAX_SAID_BYTES = 64 * 1024;

/** What {@linkcode dialThrough} needs of a gateway. */
export interface DialHop {
  readonly id: string;
  /** The Deno over there, where it is known. */
  readonly executable: string | undefined;
}

/** From where a gateway runs, which starts a small process for each connection. TLS is spoken by that. */
export function dialThrough(hop: DialHop, starter: Starter): Dial {
  return async ({ address, certificates }, signal) => {
    signal.throwIfAborted();
    const { host, port } = address;
    const where = formatAddress(address);
    const failed = (
      state: string,
      options: ConstructorParameters<typeof ConnectProblem>[2],
    ): ConnectProblem =>
      new ConnectProblem("exit", `gateway "${hop.id}" could not connect to ${where}: ${state}`, options);
    const program = await starter.start([
      ...["sh", "-c", FIND_AND_RUN, "sh"],
      ...[hop.executable ?? "deno", "run", "--quiet", "--no-config", "--no-lock", "--no-prompt"],
      ...[`--allow-net=${formatAddress(address)}`, scriptUrl(RELAY)],
    ], { signal }).catch((cause: Error) => {
      if (signal.aborted || cause instanceof Deno.errors.NotCapable) throw cause;
      throw failed(cause.message, { cause });
    });
    const link = linkOf(program);
    const output = new Output("null", "", program.output!);
    signal.addEventListener("abort", link.close, { once: true });
    try {
      signal.throwIfAborted();
      await writeAll(link, framed({ hostname: host, port, caCerts: certificates }));
      const failure = await readFailure(link);
      if (failure === undefined) return link;
      const cause = Object.assign(new Error(failure.message), { name: failure.name });
      throw failure.at === "tls" ? untrusted(address, cause) : unreachable(address, cause);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ConnectProblem) throw error;
      const { code, reason } = await program.ended;
      await output.ended;
      const details = { exitCode: code, stderrTail: output.tail };
      if (code === 127) {
        throw new ConnectProblem("no-deno", `gateway "${hop.id}" has no Deno to connect with`, { details });
      }
      throw failed(reason ?? `its process ended with code ${code}`, { cause: error, details });
    } finally {
      signal.removeEventListener("abort", link.close);
      if (signal.aborted) link.close();
    }
  };
}

function linkOf(program: Program): ServerLink {
  const { link } = program;
  return {
    read: (into) => link.read(into),
    write: (bytes) => link.write(bytes),
    close(): void {
      program.kill();
      link.close();
    },
    async lost(): Promise<string | undefined> {
      const { reason, signal } = await program.ended;
      return reason ??
        (signal === null ? undefined : `the process that it was connected by ended by ${signal}`);
    },
    ref: () => program.keepAlive(true),
    unref: () => program.keepAlive(false),
  };
}

/** A length in 4 bytes, and so many bytes of JSON. */
function framed(value: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, 4);
  return bytes;
}

/** What a relay says went wrong. */
interface Failure {
  at: string;
  name: string;
  message: string;
}

/** Reads what a relay says first; undefined when it is connected. */
async function readFailure(link: ServerLink): Promise<Failure | undefined> {
  const head = await readExactly(link, 4);
  const length = new DataView(head.buffer).getUint32(0);
  if (length === 0) return undefined;
  if (length > MAX_SAID_BYTES) throw new Error("It says something that no relay says");
  const { at, name, message } = JSON.parse(new TextDecoder().decode(await readExactly(link, length)));
  return { at: String(at), name: String(name), message: String(message) };
}
