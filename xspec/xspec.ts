/** A spec and its typed fields. */

import {
  checkKey,
  checkValue,
  type ExecModel,
  format,
  GATEWAY_TYPES,
  type GatewayType,
  KEYS,
  MAX_TIMER_MS,
  parseText,
  raise,
  readMemory,
  SLURM_KEYS,
  type Value,
} from "./_grammar.ts";
import { parseInit, type XSpecInit } from "./init.ts";
import { type Permissions, readPermissions } from "./permissions.ts";

/**
 * What to start, and what it may do: `key1=value1//key2=value2//flag`.
 *
 * - The first `=` of a part ends its key; a part without `=` is `true`.
 * - A value cannot hold `//`: write `%2F` for a slash and `%25` for the percent sign of a literal `%2F`.
 * - A spec is checked as a whole before anything is started.
 * - Keys that are not known are kept, for {@linkcode XSpec.get}.
 * - `partition`, `account`, `time` and `nodes` are known with `slurm` only.
 *
 * @example
 * ```ts
 * import { XSpec } from "@execnet/execnet";
 * import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
 *
 * const spec = new XSpec("ssh=-p 5000 build1//chdir=/srv//allow-read=/srv,/data//env:LANG=C");
 * assertEquals(spec.ssh, "-p 5000 build1");
 * assertEquals(spec.env, { LANG: "C" });
 * assertEquals(spec.permissions.allow.read, ["/srv", "/data"]);
 *
 * const same = new XSpec({ ssh: "-p 5000 build1", chdir: "/srv", allowRead: ["/srv", "/data"], env: { LANG: "C" } });
 * assert(same.equals(spec));
 * ```
 */
export class XSpec {
  /** The way to start the gateway. */
  readonly type: GatewayType;
  /** Whether it is a local subprocess. */
  readonly popen: boolean;
  /** Whether it is a Web Worker of this process. */
  readonly worker: boolean;
  /** ssh's arguments, to be split as a shell splits words. */
  readonly ssh: string | undefined;
  /** The server's `host:port`; `undefined` with `installvia`. */
  readonly socket: string | undefined;
  /** A program that hands stdin and stdout to a shell somewhere else; to be split as a shell splits words. */
  readonly command: string | undefined;
  /** A container of podman's, perhaps after options; to be split as a shell splits words. */
  readonly podman: string | undefined;
  /** A container of docker's, perhaps after options; to be split as a shell splits words. */
  readonly docker: string | undefined;
  /** A pod of Kubernetes', perhaps after options; to be split as a shell splits words. */
  readonly kubectl: string | undefined;
  /** Whether it is a job step of slurm's. */
  readonly slurm: boolean;
  /** How many nodes slurm is asked for. */
  readonly nodes: number | undefined;
  /** Which partition slurm is asked for. */
  readonly partition: string | undefined;
  /** Which account slurm charges. */
  readonly account: string | undefined;
  /** slurm's time limit, as slurm writes it. */
  readonly time: string | undefined;
  /** The id of the gateway that starts this one. */
  readonly via: string | undefined;
  /** The id of the gateway that starts the server to connect to. */
  readonly installvia: string | undefined;
  /** ssh's configuration file. */
  readonly sshConfig: string | undefined;
  /** Whether the socket speaks TLS. */
  readonly tls: boolean;
  /** The file with the certificates to trust. */
  readonly tlsCa: string | undefined;
  /** The file with the server's token. */
  readonly tokenFile: string | undefined;
  /** The Deno to run there, to be split as a shell splits words. */
  readonly deno: string | undefined;
  /** Whether to upload this machine's Deno if there is none. */
  readonly provision: boolean;
  /** The working directory. */
  readonly chdir: string | undefined;
  /** Scheduling priority, -20 to 19. */
  readonly nice: number | undefined;
  /** Where executions run. */
  readonly execmodel: ExecModel;
  /**
   * Milliseconds between signs of life, 0 for none; `undefined` leaves it to the way of connecting. With
   * `execmodel=main`, code that computes for three of them without an `await` is taken for dead.
   */
  readonly keepalive: number | undefined;
  /** Environment variables at process start. The remote code may read exactly these. */
  readonly env: Readonly<Record<string, string>>;
  /** What the remote code may do, but for reading the variables of `env`. */
  readonly permissions: Permissions;
  /** Heap limit in bytes. */
  readonly memory: number | undefined;

  readonly #entries = new Map<string, Value>();
  /** The text it was made from, as long as that still says the same. */
  #text: string | undefined;

  /**
   * Reads a spec.
   *
   * @param spec Its text, its object form, or another spec to copy.
   * @throws {XSpecError} when it is not a valid spec: `key` names the culprit.
   */
  constructor(spec: string | XSpecInit | XSpec) {
    if (spec instanceof XSpec) spec = spec.toString();
    const parts = typeof spec === "string" ? parseText(spec) : parseInit(spec);
    const text = typeof spec === "string" ? spec : format(parts);
    this.#text = typeof spec === "string" ? spec : undefined;
    const entries = this.#entries;
    const fail = (key: string, problem: string): never => raise(text, key, problem);

    for (const [key, value] of parts) {
      checkKey(key, value, fail);
      if (entries.has(key)) fail(key, "is given twice");
      entries.set(key, value);
    }
    const [first, second] = [...entries.keys()].filter((key) => GATEWAY_TYPES.has(key)) as GatewayType[];
    const type = first ??
      raise(text, undefined, `it names no gateway type, one of ${[...GATEWAY_TYPES.keys()].join(", ")}`);
    if (second !== undefined) fail(second, `is a second gateway type beside "${type}"`);
    const installed = entries.has("installvia");
    if (installed && entries.get("socket") !== true) {
      fail("installvia", 'goes with the flag "socket": the server gets an address by itself');
    }
    for (const [key, value] of entries) {
      const slurmKey = SLURM_KEYS.some(([name]) => name === key);
      if (slurmKey && type !== "slurm" || key === "socket" && installed) continue;
      const kind = KEYS.get(key);
      if (kind !== undefined) checkValue(key, kind, value, text, fail);
    }

    const flag = (key: string): boolean => entries.has(key);
    const string = (key: string): string | undefined => {
      const value = entries.get(key);
      return typeof value === "string" ? value : undefined;
    };
    const integer = (key: string, min: number, max: number): number | undefined => {
      const value = string(key);
      if (value === undefined) return undefined;
      const number = Number(value) + 0; // + 0: no -0
      if (number < min || number > max) fail(key, `must be an integer from ${min} to ${max}, not "${value}"`);
      return number;
    };
    this.type = type;
    this.popen = type === "popen";
    this.worker = type === "worker";
    this.ssh = string("ssh");
    this.socket = string("socket");
    this.command = string("command");
    this.podman = string("podman");
    this.docker = string("docker");
    this.kubectl = string("kubectl");
    this.slurm = type === "slurm";
    this.nodes = this.slurm ? integer("nodes", 1, MAX_TIMER_MS) : undefined;
    this.partition = this.slurm ? string("partition") : undefined;
    this.account = this.slurm ? string("account") : undefined;
    this.time = this.slurm ? string("time") : undefined;
    this.via = string("via");
    this.installvia = string("installvia");
    this.sshConfig = string("ssh_config");
    this.tls = flag("tls");
    this.tlsCa = string("tls_ca");
    this.tokenFile = string("token_file");
    this.deno = string("deno");
    this.provision = flag("provision");
    this.chdir = string("chdir");
    this.nice = integer("nice", -20, 19);
    this.execmodel = (string("execmodel") ?? "worker") as ExecModel;
    this.keepalive = integer("keepalive", 0, MAX_TIMER_MS);
    const variables = [...entries].filter(([key]) => key.startsWith("env:"));
    this.env = Object.fromEntries(variables.map(([key, value]) => [key.slice(4), value as string]));
    this.permissions = readPermissions(entries, fail);
    this.memory = readMemory(string("memory"), fail);
  }

  /** The gateway's id, unique in its group. It may be set later; setting checks it as the constructor does. */
  get id(): string | undefined {
    return this.#entries.get("id") as string | undefined;
  }
  set id(id: string | undefined) {
    if (id === this.id) return;
    const fail = (key: string, problem: string): never => raise(this.toString(), key, problem);
    if (id === undefined) this.#entries.delete("id");
    else {
      if (typeof id !== "string") fail("id", "must be text");
      checkKey("id", id, fail);
      checkValue("id", "text", id, "", fail);
      this.#entries.set("id", id);
    }
    this.#text = undefined;
  }

  /**
   * The value of any key, known or not, by its name in the text form.
   *
   * @param key The key, such as `"ssh_config"` or `"env:LANG"`.
   * @returns The value, `true` for a key without one, `undefined` where the spec does not have the key.
   */
  get(key: string): string | true | undefined {
    return this.#entries.get(key);
  }

  /** Whether another spec has the same keys with the same values, in whatever order. */
  equals(other: XSpec): boolean {
    if (this.#entries.size !== other.#entries.size) return false;
    return [...this.#entries].every(([key, value]) => other.#entries.get(key) === value);
  }

  /** The text form, from which an equal spec can be made. It may hold secrets (`env:…`). */
  toString(): string {
    return this.#text ?? format(this.#entries);
  }
}

/** The text form for messages, which anybody may read: without the values of `env:…`. */
export function shownSpec(spec: XSpec): string {
  return String(spec).split("//").map((part) => part.replace(/^(env:[^=]*)=.*$/s, "$1=…")).join("//");
}
