/** The object form of a spec. */

import { type ExecModel, format, KEYS, raise, type Value } from "./_grammar.ts";
import { isPermissionKey, type PermissionName } from "./permissions.ts";

/** The permission keys of {@linkcode XSpecInit}: `true` for all of a kind, or a list. An empty list is as good as none. */
export type PermissionKeysInit = {
  readonly [K in `${"allow" | "deny"}${Capitalize<PermissionName>}`]?:
    | boolean
    | readonly string[]
    | undefined;
};

/**
 * The object form of a spec. Fields that are `undefined`, and flags that are `false`, are as good as absent.
 *
 * Each field stands for the key of the text form that has its name: `sshConfig` for `ssh_config`,
 * `allowRead` for `allow-read`.
 */
export interface XSpecInit extends PermissionKeysInit {
  /** A local subprocess. */
  readonly popen?: boolean | undefined;
  /** A Web Worker of this process. */
  readonly worker?: boolean | undefined;
  /** `[user@]host`, or ssh's arguments as a shell splits them. */
  readonly ssh?: string | undefined;
  /** `host:port` of a server; `true` with `installvia`. */
  readonly socket?: string | boolean | undefined;
  /** A program that hands stdin and stdout to a shell somewhere else, and its arguments. */
  readonly command?: string | undefined;
  /** A container of podman's. */
  readonly podman?: string | undefined;
  /** A container of docker's. */
  readonly docker?: string | undefined;
  /** A pod of Kubernetes'. */
  readonly kubectl?: string | undefined;
  /** A job step of slurm's. */
  readonly slurm?: boolean | undefined;
  /** How many nodes slurm is asked for. */
  readonly nodes?: number | undefined;
  /** Which partition slurm is asked for. */
  readonly partition?: string | undefined;
  /** Which account slurm charges. */
  readonly account?: string | undefined;
  /** slurm's time limit, as slurm writes it. */
  readonly time?: string | undefined;
  /** The gateway that starts this one. */
  readonly via?: string | undefined;
  /** The gateway that starts the server to connect to. */
  readonly installvia?: string | undefined;
  /** ssh's configuration file. */
  readonly sshConfig?: string | undefined;
  /** Whether the socket speaks TLS. */
  readonly tls?: boolean | undefined;
  /** The file with the certificates to trust. */
  readonly tlsCa?: string | undefined;
  /** The file with the server's token. */
  readonly tokenFile?: string | undefined;
  /** The Deno to run there, and its arguments. */
  readonly deno?: string | undefined;
  /** Whether to upload this machine's Deno if there is none. */
  readonly provision?: boolean | undefined;
  /** The working directory. */
  readonly chdir?: string | undefined;
  /** Scheduling priority, -20 to 19. */
  readonly nice?: number | undefined;
  /** Environment variables at process start. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where executions run. */
  readonly execmodel?: ExecModel | undefined;
  /**
   * Milliseconds between signs of life; 0 turns them off. With `execmodel=main`, code that computes for three of them
   * without an `await` is taken for dead.
   */
  readonly keepalive?: number | undefined;
  /** The gateway's id. */
  readonly id?: string | undefined;
  /** Everything is allowed. */
  readonly allowAll?: boolean | undefined;
  /** Heap limit with its unit, `"512M"`. */
  readonly memory?: string | undefined;
  /** Keys that this module does not know, by their names in the text form. */
  readonly extra?: Readonly<Record<string, string | true | undefined>> | undefined;
}

/** The parts that an object form stands for. */
export function parseInit(init: XSpecInit): [string, Value][] {
  const parts: [string, Value][] = [];
  const fail = (key: string, problem: string): never => raise(format(parts), key, problem);
  if (typeof init !== "object" || init === null || Array.isArray(init)) {
    return raise(String(init), undefined, "a spec is text or an object");
  }
  for (const [field, value] of Object.entries(init) as [string, unknown][]) {
    if (value === undefined) continue;
    if (field === "env" || field === "extra") {
      if (typeof value !== "object" || value === null) fail(field, "must be an object of text values");
      for (const [name, item] of Object.entries(value as Record<string, unknown>)) {
        if (item === undefined) continue;
        const key = field === "env" ? `env:${name}` : name;
        const flag = field === "extra" && item === true;
        parts.push([key, flag ? true : typeof item === "string" ? item : fail(key, "must be text")]);
      }
      continue;
    }
    const key = keyOf(field);
    if (isPermissionKey(key) && Array.isArray(value)) {
      const bad = value.findIndex((item) => typeof item !== "string" || item.includes(","));
      if (bad >= 0) fail(key, `must hold text without commas, not ${JSON.stringify(value[bad])}`);
      if (value.length === 0) continue;
      parts.push([key, value.join(",")]);
    } else if (isPermissionKey(key) || KEYS.get(key) === "flag" || key === "socket") {
      if (value === false) continue;
      if (value !== true && !(key === "socket" && typeof value === "string")) {
        fail(key, isPermissionKey(key) ? "must be true, false or a list" : "must be true or false");
      }
      parts.push([key, value as Value]);
    } else if (KEYS.get(key) === "integer") {
      if (typeof value !== "number") fail(key, "must be a number");
      parts.push([key, String(value)]);
    } else if (typeof value === "string" || (value === true && !KEYS.has(key))) parts.push([key, value]);
    else fail(key, "must be text");
  }
  if (parts.length === 0) raise("", undefined, "it is empty");
  return parts;
}

/** The key that a field of the object form stands for. */
function keyOf(field: string): string {
  const permission = /^(allow|deny)([A-Z][a-z]+)$/.exec(field);
  if (permission !== null) return `${permission[1]}-${permission[2]!.toLowerCase()}`;
  const key = field.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
  return KEYS.has(key) ? key : field;
}
