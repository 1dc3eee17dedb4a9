/** The server as a program: from its command line to its exit code. */

import { formatAddress } from "../socket/address.ts";
import { defaultTokenPath, parseToken } from "../socket/token.ts";
import { readArguments, UsageError } from "./arguments.ts";
import type { Arguments } from "./arguments.ts";
import { absolute } from "./containment.ts";
import { StderrLog } from "./log.ts";
import { Server } from "./server.ts";
import { serverHelp } from "./options.ts";
import { openTokenFile } from "./token_file.ts";

/** The exit code of a command line that makes no sense. */
const USAGE = 2;

const MAX_LINE_BYTES = 4096;

/** How long the end waits for somebody to read the log. */
const LOG_END_MS = 1_000;

/** How the server is started by itself. */
const COMMAND = "deno run -A agent.ts";

/** Runs the server until it is told to end; then the process ends. `command` is what was typed before `args`. */
export async function runServer(args: readonly string[], command: string = COMMAND): Promise<never> {
  let given: Arguments | undefined;
  try {
    given = readArguments(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`execnet: ${error.message}\n  See ${command} --help`);
    Deno.exit(USAGE);
  }
  if (given === undefined) {
    console.log(serverHelp(command).trimEnd());
    Deno.exit(0);
  }
  try {
    await serve(given);
    Deno.exit(0);
  } catch (error) {
    console.error(`execnet: ${(error as Error).message}`);
    Deno.exit(1);
  }
}

async function serve(given: Arguments): Promise<void> {
  const { address, tlsCert, tlsKey, endWithStdin } = given;
  const tls = tlsCert === undefined
    ? undefined
    : { cert: await readPem(tlsCert, "--tls-cert"), key: await readPem(tlsKey!, "--tls-key") };
  const token = await readToken(given.tokenFile);
  const log = new StderrLog();
  let server: Server;
  try {
    server = await Server.start({
      ...given,
      list: absolute(given.list, Deno.cwd()),
      tls,
      token,
      log: log.line,
    });
  } catch (cause) {
    throw new Error(`Cannot listen on ${formatAddress(address)}: ${(cause as Error).message}`, { cause });
  }
  const told = toldToEnd(endWithStdin);
  console.log(
    `execnet server listening on ${formatAddress(server.address)}${tls === undefined ? "" : " with TLS"}`,
  );
  log.line(`ending: ${await told}`);
  await server.stop();
  await log.end(LOG_END_MS);
}

async function readPem(path: string, option: string): Promise<string> {
  try {
    if (path === "-") return atob(await readLine());
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new Error(`Cannot read the file of ${option}: ${(cause as Error).message}`, { cause });
  }
}

async function readToken(file: string | undefined): Promise<string> {
  if (file === "-") return parseToken(await readLine(), "standard input");
  const path = file ?? defaultTokenPath();
  if (path === undefined) {
    throw new Error("Cannot find a place for the token: there is no HOME; use --token-file");
  }
  try {
    const { token, created } = openTokenFile(path);
    if (created) console.error(`Made a token in ${path}`);
    return token;
  } catch (cause) {
    const { message } = cause as Error;
    throw message.includes(path)
      ? cause
      : new Error(`Cannot use the token file "${path}": ${message}`, { cause });
  }
}

/** Reads to the end of a line and not beyond. */
async function readLine(): Promise<string> {
  const line: number[] = [];
  const byte = new Uint8Array(1);
  while (line.length < MAX_LINE_BYTES && await Deno.stdin.read(byte) !== null && byte[0] !== 0x0a) {
    line.push(byte[0]!);
  }
  return new TextDecoder().decode(new Uint8Array(line));
}

/** Resolves with what says so. A second signal ends the process at once, and with it all that it has started. */
function toldToEnd(withStdin: boolean): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let told = false;
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => {
      if (told) Deno.exit(1);
      told = true;
      resolve(signal);
    });
  }
  if (withStdin) void readToEnd().then(() => resolve("standard input has ended"));
  return promise;
}

async function readToEnd(): Promise<void> {
  const buffer = new Uint8Array(1024);
  try {
    while (await Deno.stdin.read(buffer) !== null);
  } catch {
    // It cannot be read: that is its end, too.
  }
}
