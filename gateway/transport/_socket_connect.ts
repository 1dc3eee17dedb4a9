/** Connects to a server: finds it, proves the token to each other, and has a process started. */

import { Encoder } from "../../channel/encode.ts";
import { ConnectProblem } from "../errors.ts";
import { ifThere } from "../process/process.ts";
import type { Dial, ServerLink } from "./_socket_dial.ts";
import { formatAddress } from "../socket/address.ts";
import type { Address } from "../socket/address.ts";
import { FrameError, Kind } from "../socket/frames.ts";
import { plain } from "../socket/plain.ts";
import {
  helloVersion,
  importToken,
  makeHello,
  PROOF_BYTES,
  prove,
  sameProof,
  SERVER_PROTOCOL_VERSION,
  VERDICT,
} from "../socket/proof.ts";
import { defaultTokenPath, readTokenFile } from "../socket/token.ts";
import {
  EarlyEnd,
  FrameWriter,
  NoHello,
  readExactly,
  readFields,
  readFrame,
  readHello,
  writeAll,
} from "../socket/wire.ts";

/** What to connect to, and what to start there. */
export interface ServerConnectOptions {
  readonly address: Address;
  readonly tls: boolean;
  /** A file with certificates to trust besides the usual ones. */
  readonly tlsCa: string | undefined;
  /** Where the token is, if not in the usual place. */
  readonly tokenFile: string | undefined;
  /** The token and the certificate to trust, where they are not in files. */
  readonly given?: { readonly token: string; readonly cert: string | undefined } | undefined;
  /** The content of the start frame. */
  readonly start: Record<string, unknown>;
  /** Where it is connected from. */
  readonly dial: Dial;
}

/** What a server says of the process that it has started. */
export interface Started {
  readonly pid: number;
  readonly cwd: string;
  /** Whether the server sends the agent and its greeting. */
  readonly agent: boolean;
}

/** A connection over which a process has been started. */
export interface ServerConnection {
  readonly connection: ServerLink;
  readonly started: Started;
}

/**
 * Connects. When that fails or is aborted, nothing is left open.
 *
 * @throws {ConnectProblem} with the step that failed
 */
export async function connectToServer(
  options: ServerConnectOptions,
  signal: AbortSignal,
): Promise<ServerConnection> {
  const { address, tls, tlsCa, tokenFile, given, start, dial } = options;
  const where = formatAddress(address);
  const token = await importToken(given?.token ?? readToken(tokenFile));
  const certificates = given?.cert !== undefined
    ? [given.cert]
    : tlsCa === undefined
    ? []
    : [readCertificates(tlsCa)];
  const connection = await dial({ address, certificates: tls ? certificates : undefined }, signal);
  // An abort closes the connection, which ends whatever is under way.
  const close = (): void => ifThere(() => connection.close());
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    await meet(connection, token, where, tls);
    const started = await startThere(connection, start, where);
    return { connection, started };
  } catch (error) {
    close();
    if (error instanceof ConnectProblem) throw error;
    if (error instanceof FrameError) {
      throw new ConnectProblem("noise", `the server at ${where} says something that no server says`, {
        cause: error,
      });
    }
    throw new ConnectProblem("exit", `the connection to ${where} broke: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** The token in a file, by default in the usual one. Throws a {@linkcode ConnectProblem}. */
export function readToken(file: string | undefined): string {
  const path = file ?? defaultTokenPath();
  if (path === undefined) {
    throw new ConnectProblem("auth", "there is no HOME to look for the server's token in; use token_file");
  }
  try {
    return readTokenFile(path);
  } catch (cause) {
    const state = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new ConnectProblem("auth", `the server's token cannot be read from "${path}": ${state}`, { cause });
  }
}

/** What `tls_ca` names. Throws a {@linkcode ConnectProblem}. */
export function readCertificates(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new ConnectProblem("auth", `tls_ca cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Both hellos, the proof of this side, and that of the server. */
export async function meet(
  connection: ServerLink,
  token: CryptoKey,
  where: string,
  tls: boolean,
): Promise<void> {
  const hello = makeHello();
  const theirs = await hellos(connection, hello, where, tls);
  const version = helloVersion(theirs);
  if (version !== SERVER_PROTOCOL_VERSION) {
    throw new ConnectProblem(
      "version",
      `the server at ${where} speaks version ${version} of its protocol, not ${SERVER_PROTOCOL_VERSION}`,
    );
  }
  await writeAll(connection, await prove(token, "client", hello, theirs));
  const [verdict] = await readExactly(connection, 1);
  if (verdict !== VERDICT.granted) {
    throw new ConnectProblem("auth", `the server at ${where} has another token than this program`);
  }
  const proof = await readExactly(connection, PROOF_BYTES);
  if (!sameProof(proof, await prove(token, "server", hello, theirs))) {
    throw new ConnectProblem("auth", `the server at ${where} cannot prove that it has the token`);
  }
}

async function hellos(
  connection: ServerLink,
  hello: Uint8Array,
  where: string,
  tls: boolean,
): Promise<Uint8Array> {
  try {
    // A server that speaks TLS waits for bytes, and one that speaks something else ends the connection on these.
    await writeAll(connection, hello).catch(() => {});
    return await readHello(connection);
  } catch (cause) {
    const hint = tls ? "" : "; a server with TLS needs the key tls";
    if (cause instanceof NoHello) {
      // What begins like this is an alert of TLS.
      const text = new TextDecoder().decode(cause.bytes);
      const what = cause.bytes[0] === 0x15 ? "TLS" : plain(JSON.stringify(text));
      throw new ConnectProblem("noise", `${where} is no execnet server: it says ${what}${hint}`, { cause });
    }
    if (cause instanceof EarlyEnd || cause instanceof Deno.errors.ConnectionReset) {
      throw new ConnectProblem("noise", `${where} ended the connection without a word${hint}`, { cause });
    }
    throw cause;
  }
}

async function startThere(
  connection: ServerLink,
  start: Record<string, unknown>,
  where: string,
): Promise<Started> {
  await new FrameWriter(connection).send(Kind.START, new Encoder().encode(start));
  const { kind, payload } = await readFrame(connection);
  const fields = readFields(payload);
  if (kind === Kind.REFUSED && typeof fields.message === "string") {
    const key = typeof fields.key === "string" ? ` (key "${plain(fields.key)}")` : "";
    throw new ConnectProblem("refused", `the server at ${where} refuses: ${plain(fields.message)}${key}`);
  }
  const { pid, cwd, agent } = fields;
  if (
    kind !== Kind.STARTED || typeof pid !== "number" || typeof cwd !== "string" || typeof agent !== "boolean"
  ) {
    throw new ConnectProblem("noise", `the server at ${where} says something that no server says`);
  }
  return { pid, cwd, agent };
}
