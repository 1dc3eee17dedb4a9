/** The way to a shell on an ssh host. */

import { waitFor } from "../../channel/wait.ts";
import type { Diagnosis } from "../launcher.ts";
import { KILLED } from "../process/process.ts";
import type { ProcessEnd } from "../process/process.ts";
import { prepareStart } from "../process/program.ts";
import type { Program } from "../process/program.ts";
import { READ_LINE_BY_SH } from "../shell/far_script.ts";
import type { Reach } from "../shell/reach.ts";
import type { Starter } from "../shell/command.ts";
import { readHost } from "./config.ts";
import type { SshHost } from "./config.ts";
import { classifySsh, MASTER_GONE, SESSION_REFUSED, SSH_FAILED } from "./failures.ts";
import { Gate } from "./gate.ts";
import { Masters, UNAUTHENTICATED } from "./masters.ts";
import type { Lease } from "./masters.ts";
import type { SshWords } from "./words.ts";

/**
 * What every connection is told before the user's own options: nobody is there to be asked for a password, there is no
 * terminal, and what the user's configuration has for sessions of a person is not for gateways.
 */
const OPTIONS: readonly string[] = [
  "-T",
  ...["-o", "BatchMode=yes", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none", "-e", "none"],
];

/** The command that logs in; `first` are options that stand before all others, and so beat them. */
export function sshCommand({ options, destination }: SshWords, first: readonly string[] = []): string[] {
  return ["ssh", ...first, ...OPTIONS, ...options, destination];
}

/** A question that several gateways wait for. */
interface Asked {
  readonly host: Promise<SshHost>;
  readonly abort: AbortController;
  waiting: number;
}

/** What the ssh gateways of a group share. */
export class SshHosts {
  readonly #known = new Map<string, Asked>();
  readonly #masters = new Map<string, Masters>();
  readonly #gates = new Map<string, Gate>();

  /** What the configuration says of a host; asked once, as long as somebody wants to know. */
  async host(words: SshWords, signal: AbortSignal): Promise<SshHost> {
    const key = [...words.options, words.destination].join("\0");
    const asked = this.#known.get(key) ?? this.#ask(key, words);
    asked.waiting++;
    try {
      return await waitFor(asked.host, { signal }, () => "");
    } catch (error) {
      if (asked.waiting === 1) {
        if (this.#known.get(key) === asked) this.#known.delete(key);
        asked.abort.abort();
        await asked.host.catch(() => {});
      }
      throw error;
    } finally {
      asked.waiting--;
    }
  }

  #ask(key: string, words: SshWords): Asked {
    const abort = new AbortController();
    const asked = { host: readHost(words, abort.signal), abort, waiting: 0 };
    this.#known.set(key, asked);
    asked.host.catch(() => {
      if (this.#known.get(key) === asked) this.#known.delete(key);
    });
    return asked;
  }

  /** The connections to a host that are shared. */
  masters({ key, hostname }: SshHost, command: readonly string[]): Masters {
    let masters = this.#masters.get(key);
    if (masters === undefined) this.#masters.set(key, masters = new Masters(command, this.gate(hostname)));
    return masters;
  }

  /** Bounds how many log in at the same time. */
  gate(hostname: string): Gate {
    let gate = this.#gates.get(hostname);
    if (gate === undefined) this.#gates.set(hostname, gate = new Gate(UNAUTHENTICATED));
    return gate;
  }
}

/** What it takes to reach a host. */
export interface SshReachOptions {
  words: SshWords;
  hosts: SshHosts;
  starter: Starter;
  /** Whether ssh runs on this machine, so that connections can be shared. */
  here: boolean;
}

/** The way of one gateway. */
export class SshReach implements Reach {
  readonly repeats = true;
  readonly place: string;
  readonly permissionHint: string;
  address: string | undefined;
  readonly #options: SshReachOptions;
  #lease: Lease | undefined;
  #host: SshHost | undefined;

  constructor(options: SshReachOptions) {
    this.#options = options;
    const { words, starter } = options;
    this.place = [starter.place, "ssh", ...words.options, words.destination].join("\0");
    this.permissionHint = starter.permissionHint;
  }

  async open(signal: AbortSignal): Promise<Program> {
    const { words, hosts, here } = this.#options;
    if (!here) {
      this.address = hostOf(words.destination);
      return await this.#start(this.#command, signal);
    }
    const asked = hosts.host(words, signal);
    prepareStart();
    const host = this.#host = await asked;
    this.address = host.hostname;
    const command = this.#command;
    if (host.mayShare) {
      try {
        return await this.#shared(hosts.masters(host, command), command, signal);
      } catch (error) {
        // A program that may not write has no place for the socket of a connection that is shared.
        if (!(error instanceof Deno.errors.NotCapable)) throw error;
      }
    }
    return await this.#gated(hosts.gate(host.hostname), command, signal);
  }

  /** Other gateways use the connection, or the user keeps one open. */
  get survives(): boolean {
    return this.#lease === undefined ? this.#host?.keepsOpen ?? false : this.#lease.shared;
  }

  doubt(): (() => void) | undefined {
    return this.#lease?.doubt();
  }

  async reopen(signal: AbortSignal): Promise<Program> {
    const lease = this.#lease?.another();
    if (lease === undefined) return await this.open(signal);
    return await this.#session(lease, this.#command, signal);
  }

  diagnose({ code }: ProcessEnd, output: string): Diagnosis | "again" | undefined {
    if (code !== SSH_FAILED) return undefined;
    const lease = this.#lease;
    if (lease !== undefined && SESSION_REFUSED.test(output)) {
      lease.refused();
      return "again";
    }
    if (lease !== undefined && MASTER_GONE.test(output)) {
      lease.doubt();
      return { kind: "exit", state: "the connection that it shared has ended" };
    }
    return classifySsh(output);
  }

  get #command(): readonly string[] {
    return sshCommand(this.#options.words, this.#host?.silent ? ["-o", "LogLevel=ERROR"] : []);
  }

  /** A session on a connection that others use, too. */
  async #shared(masters: Masters, command: readonly string[], signal: AbortSignal): Promise<Program> {
    this.#lease = await masters.lease(signal);
    return await this.#session(this.#lease, command, signal);
  }

  async #session(lease: Lease, command: readonly string[], signal: AbortSignal): Promise<Program> {
    try {
      const program = await this.#start([
        ...command.slice(0, -1),
        ...["-S", lease.path, "-o", "ControlMaster=no"],
        // Where there is no session to be had, there shall be no connection of its own.
        ...["-o", "ProxyJump=none", "-o", "ProxyCommand=false"],
        command.at(-1)!,
      ], signal);
      void program.ended.then(() => lease.release());
      return program;
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /** A connection of its own, which logs in when there is room. */
  async #gated(gate: Gate, command: readonly string[], signal: AbortSignal): Promise<Program> {
    const leave = await gate.enter(signal);
    try {
      signal.throwIfAborted();
      const program = await this.#start(command, signal);
      const { read } = program.link;
      void program.ended.then(leave);
      // The first word from there says that it has logged in.
      program.link.read = async (into): Promise<number | null> => {
        const count = await read(into);
        program.link.read = read;
        leave();
        return count;
      };
      return program;
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #start(command: readonly string[], signal: AbortSignal): Promise<Program> {
    const program = await this.#options.starter.start([...command, READ_LINE_BY_SH], { signal });
    // What ssh says when it is told to end is nothing about the far side, which is killed when the connection ends.
    const ended = program.ended.then((end) => program.forced && end.code === SSH_FAILED ? KILLED : end);
    return Object.assign(program, { ended });
  }
}

/** The host in `[user@]host` or `ssh://[user@]host[:port]`: a name that counts where ssh runs. */
function hostOf(destination: string): string {
  const uri = /^ssh:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/.exec(destination)?.[1];
  return uri?.replace(/^\[(.*)\]$/, "$1") ?? destination.replace(/^.*@/, "");
}
