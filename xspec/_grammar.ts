/** The text form of a spec: its parts, the keys that are known and what their values must be. */

import { XSpecError } from "./error.ts";
import { splitWords } from "./shell_words.ts";

/** The ways to start a gateway. A spec names exactly one. */
export type GatewayType =
  | "popen"
  | "worker"
  | "ssh"
  | "socket"
  | "command"
  | "podman"
  | "docker"
  | "kubectl"
  | "slurm";

/** Where executions run. */
export type ExecModel = "worker" | "main" | "process";

/** What kind of value a known key has. */
export type Kind = "flag" | "text" | "words" | "integer";

export const GATEWAY_TYPES: ReadonlyMap<string, Kind> = new Map<GatewayType, Kind>([
  ["popen", "flag"],
  ["worker", "flag"],
  ["ssh", "words"],
  ["socket", "text"],
  ["command", "words"],
  ["podman", "words"],
  ["docker", "words"],
  ["kubectl", "words"],
  ["slurm", "flag"],
]);

export const SLURM_KEYS: readonly (readonly [string, Kind])[] = [
  ["nodes", "integer"],
  ["partition", "text"],
  ["account", "text"],
  ["time", "text"],
];

export const KEYS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...GATEWAY_TYPES,
  ...SLURM_KEYS,
  ["via", "text"],
  ["installvia", "text"],
  ["ssh_config", "text"],
  ["tls", "flag"],
  ["tls_ca", "text"],
  ["token_file", "text"],
  ["deno", "words"],
  ["provision", "flag"],
  ["chdir", "text"],
  ["nice", "integer"],
  ["execmodel", "text"],
  ["keepalive", "integer"],
  ["id", "text"],
  ["memory", "text"],
]);

export const MAX_TIMER_MS: number = 2 ** 31 - 1; // what setTimeout can wait
const MIN_MEMORY_MIB = 4; // Deno 2.9.6 dies at its start with less

export type Value = string | true;

/** Receives what is wrong with a key, and throws it. */
export type Fail = (key: string, problem: string) => never;

/** Throws the error; the message leaves the values of environment variables out. */
export function raise(spec: string, key: string | undefined, problem: string): never {
  const shown = spec.replace(/(env:[^=]*=)(?:(?!\/\/).)+/gs, "$1…");
  const subject = key === undefined ? "" : `"${key}" `;
  throw new XSpecError(`Cannot use spec "${shown}": ${subject}${problem}`, spec, key);
}

/** The parts of a text. */
export function parseText(text: string): [string, Value][] {
  if (text === "") raise(text, undefined, "it is empty");
  return text.split("//").map((part) => {
    if (part === "") raise(text, undefined, 'it has an empty part: a "//" too many');
    const equals = part.indexOf("=");
    if (equals === 0) raise(text, undefined, `its part "${part}" has no key before the "="`);
    if (equals < 0) return [part, true];
    const value = part.slice(equals + 1).replace(/%(2F|25)/g, (_, code) => code === "25" ? "%" : "/");
    return [part.slice(0, equals), value];
  });
}

/** The text of some parts: the least is encoded that makes `parseText` read the same parts. */
export function format(parts: Iterable<readonly [string, Value]>): string {
  const texts = Array.from(parts, ([key, value]) => {
    if (value === true) return key;
    // A slash before another one or at the end could join with a "//", or be one.
    return `${key}=${value.replace(/%(?=2F|25)/g, "%25").replace(/\/(?=\/|$)/g, "%2F")}`;
  });
  return texts.join("//");
}

/** Refuses what no key may be, and keys that stand for a mistake. */
export function checkKey(key: string, value: Value, fail: Fail): void {
  if (key === "") fail(key, "is no key: it has no letters");
  if (key.startsWith("_")) fail(key, 'begins with "_"');
  if (key === "python") fail(key, 'is no key here: "deno=" names the executable');
  if (key === "env" || key.startsWith("env:")) {
    if (!/^env:[A-Za-z_]\w*$/.test(key)) {
      fail(key, 'does not read "env:NAME=value" with a name of letters, digits and "_"');
    }
    if (value === true) fail(key, "needs a value, which may be empty");
  }
  // deno-lint-ignore no-control-regex
  if (/[\s=/\x00-\x1f\x7f]/.test(key)) {
    fail(
      key,
      "is no key: it holds a slash, a blank, a control character or an equals sign (a value's slash is %2F)",
    );
  }
  if (value !== true && value.includes("\0")) fail(key, "has a value with NUL");
}

/** Refuses a value that is not of the key's kind. */
export function checkValue(
  key: string,
  kind: Kind,
  value: Value,
  spec: string,
  fail: Fail,
): void {
  if (kind === "flag") {
    if (value !== true) fail(key, "takes no value");
    return;
  }
  if (value === true || value === "") return fail(key, "needs a value");
  if (kind === "integer" && !/^-?\d+$/.test(value)) fail(key, `must be an integer, not "${value}"`);
  if (kind === "words") {
    let words: string[] | undefined;
    try {
      words = splitWords(value, key, spec);
    } catch (cause) {
      fail(key, (cause as Error).message.replace(/^.*?(?= into words)/, "cannot be split"));
    }
    if (words!.length === 0) fail(key, "needs a value that is not blank");
  }
  if (key === "execmodel" && !["worker", "main", "process"].includes(value)) {
    fail(key, `must be worker, main or process, not "${value}"`);
  }
  if (key === "socket") {
    const [, host, port] = /^(\[[^\]]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(value) ?? [];
    const known = host !== undefined && (!host.startsWith("[") || URL.canParse(`http://${host}/`));
    if (!known || Number(port) < 1 || Number(port) > 65535) {
      fail(key, `must be host:port or [ipv6]:port, not "${value}"`);
    }
  }
}

/** Bytes from a number with its unit. */
export function readMemory(
  value: string | undefined,
  fail: Fail,
): number | undefined {
  if (value === undefined) return undefined;
  const [, number, unit] = /^(\d+)([KMG])$/i.exec(value) ?? [];
  const bytes = Number(number) * 1024 ** ("KMG".indexOf((unit ?? "").toUpperCase()) + 1);
  if (number === undefined || !Number.isSafeInteger(bytes) || bytes < MIN_MEMORY_MIB * 2 ** 20) {
    return fail("memory", `must be a number and K, M or G, at least ${MIN_MEMORY_MIB}M, not "${value}"`);
  }
  return bytes;
}
