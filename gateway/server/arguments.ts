/** The server's command line. Reads files for TLS and the token, and nothing else. */

import { parseArgs } from "jsr:@std/cli@^1.0.28/parse-args";
import { XSpec } from "../../xspec/mod.ts";
import type { Permissions } from "../../xspec/mod.ts";
import { isLoopback, parseAddress } from "../socket/address.ts";
import type { Address } from "../socket/address.ts";
import { SERVER_OPTIONS } from "./options.ts";

/** What the command line says. */
export interface Arguments {
  readonly address: Address;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  /** A path, `-` for stdin, or undefined for the usual place. */
  readonly tokenFile: string | undefined;
  readonly list: Permissions;
  readonly memory: number | undefined;
  readonly maxConnections: number;
  readonly handshakeTimeout: number;
  /** Whether the server ends when its stdin does. */
  readonly endWithStdin: boolean;
}

/** The command line makes no sense. */
export class UsageError extends Error {
  static {
    this.prototype.name = "UsageError";
  }
}

const MAX_CONNECTIONS = 100;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Reads the command line. Undefined when it asks for help.
 *
 * @throws {UsageError} when it makes no sense
 */
export function readArguments(args: readonly string[]): Arguments | undefined {
  // The parser takes a lone "-" for no value.
  const joined = args.join("\0").replace(
    /(?<=^|\0)(--(?:token-file|tls-cert|tls-key))\0-(?=\0|$)/g,
    "$1=-",
  );
  const given = parseArgs(args.length === 0 ? [] : joined.split("\0"), {
    string: SERVER_OPTIONS.filter(({ value }) => value !== undefined).map(({ name }) => name),
    boolean: [...SERVER_OPTIONS.filter(({ value }) => value === undefined).map(({ name }) => name), "help"],
    collect: SERVER_OPTIONS.filter(({ repeatable }) => repeatable).map(({ name }) => name),
    unknown: (arg: string): boolean => {
      throw new UsageError(`Cannot use "${arg}": there is no such option`);
    },
  }) as unknown as Record<string, string | boolean | string[] | undefined>;
  if (given.help === true) return undefined;
  const text = (name: string): string | undefined => {
    const value = given[name];
    if (value === undefined) return undefined;
    if (value === "") throw new UsageError(`Cannot use --${name} without a value`);
    return value as string;
  };
  const listen = text("listen");
  if (listen === undefined) throw new UsageError("Cannot start without --listen [HOST:]PORT");
  const address = parseAddress(listen);
  if (address === undefined) throw new UsageError(`Cannot listen on "${listen}": it is not [HOST:]PORT`);
  const tlsCert = text("tls-cert");
  const tlsKey = text("tls-key");
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("Cannot use --tls-cert without --tls-key, nor the reverse");
  }
  if (tlsCert === undefined && given.insecure !== true && !isLoopback(address.host)) {
    throw new UsageError(
      `Cannot listen on "${listen}" without TLS: others can reach it; give --tls-cert and --tls-key, or --insecure`,
    );
  }
  return {
    address,
    tlsCert,
    tlsKey,
    tokenFile: text("token-file"),
    list: readList(given.allow as string[] ?? []),
    memory: readMemory(text("memory")),
    maxConnections: readNumber("max-connections", text("max-connections"), MAX_CONNECTIONS),
    handshakeTimeout: readNumber("handshake-timeout", text("handshake-timeout"), HANDSHAKE_TIMEOUT_MS),
    endWithStdin: given["end-with-stdin"] === true,
  };
}

function readNumber(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number > 0) return number;
  throw new UsageError(`Cannot use --${name} ${text}: it is no number above 0`);
}

function readMemory(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return new XSpec({ popen: true, memory: text }).memory;
  } catch (cause) {
    throw new UsageError(`Cannot use --memory ${text}: it is no size such as 512M, or too small`, { cause });
  }
}

/** Puts what several `--allow` say into one list. */
export function readList(allowed: readonly string[]): Permissions {
  const lists: Record<string, true | string[]> = {};
  for (const one of allowed) {
    const equals = one.indexOf("=");
    const name = equals < 0 ? one : one.slice(0, equals);
    if (!/^[a-z]+$/.test(name)) {
      throw new UsageError(`Cannot allow "${one}": it is not NAME or NAME=ITEM,...`);
    }
    const key = `allow${name[0]!.toUpperCase()}${name.slice(1)}`;
    const there = lists[key];
    if (equals < 0 || there === true) lists[key] = true;
    else lists[key] = [...there ?? [], ...one.slice(equals + 1).split(",")];
  }
  if (lists.allowAll !== undefined) {
    if (lists.allowAll !== true) throw new UsageError("Cannot allow a part of all: it takes no items");
    return { all: true, allow: {}, deny: {} };
  }
  try {
    return new XSpec({ popen: true, ...lists }).permissions;
  } catch (cause) {
    const problem = (cause as Error).message.replace(/^Cannot use spec ".*?": /s, "");
    throw new UsageError(`Cannot allow that: ${problem}`, { cause });
  }
}
