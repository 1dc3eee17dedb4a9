/** A process of this machine that was started here: what to start, what one has of it, and how it is let go. */

import type { Transport } from "../../channel/transport.ts";
import { permissionFlags } from "../../xspec/mod.ts";
import type { Permissions } from "../../xspec/mod.ts";
import { MARK } from "./guard.ts";
import { linkTransport, NONCE_BYTES } from "./link.ts";
import type { LinkTaker, RawLink, StageTrace } from "./link.ts";
import type { TraceTarget } from "./trace.ts";

/** What to start. */
export interface SpawnOptions {
  /** The Deno command, in words. */
  deno: readonly string[];
  /** What the process may do. */
  permissions: Permissions;
  /** Further flags of `deno run`. */
  flags: readonly string[];
  /** Added to the environment, at process start. */
  env: Readonly<Record<string, string>>;
  /** The working directory, absolute. */
  cwd: string;
  /** Added to the scheduling priority. */
  nice?: number | undefined;
  /** Marks what the process starts, so that it is found and killed at the end wherever it went. */
  mark?: string | undefined;
  /** Whether the agent will want a Worker at once. */
  spareWorker: boolean;
  /** Where what it prints goes: to a stream, or to this program's own stderr. */
  print: "piped" | "inherit";
  /** Where to make the folder for the meeting; by default the system's place for temporary files. */
  folder?: string | undefined;
  /** Does without such a folder: the process is reached by a descriptor. */
  byDescriptor?: boolean;
  /** Takes a link of each execution, too, if it is reached by a socket at all. */
  bypass?: boolean;
  /** Keeps that folder until the process has ended, as a place for the meetings of what the process starts itself. */
  keepFolder?: boolean;
  /** Where it traces to; the agent is told by the greeting. */
  trace?: TraceTarget | undefined;
  /** The trace file that its first lines of code make. Set by `spawnDeno`, which allows that. */
  stageTrace?: StageTrace;
  /** The agent's script. An empty one is not sent, nor is the greeting: whoever uses the connection sends both. */
  agent: Uint8Array;
  /** Sent right behind it. */
  hello: Uint8Array;
}

/** How a process ended. */
export interface ProcessEnd {
  code: number;
  signal: string | null;
  /** Why, where that says more than the code, or nobody is left who could say how it ended. */
  reason?: string | undefined;
}

/** How a process ends that is killed. */
export const KILLED: ProcessEnd = { code: 137, signal: "SIGKILL" };

/** A process that was started, from the first moment on. */
export interface SpawnedProcess {
  readonly pid: number;
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** It is what leads to the gateway's process, and not that itself. */
  readonly far?: boolean;
  /** What it prints, on stdout and on stderr; nothing where it prints to its starter's stderr. */
  readonly output: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  /** Resolves with the connection, the agent and the greeting being on their way; rejects when that fails. */
  readonly connected: Promise<Transport>;
  /** Hands on the links that executions bring past the router, those that have come already, too. */
  readonly openLinks?: ((taker: LinkTaker) => void) | undefined;
  /** Tells it to end, by SIGTERM to the process itself. */
  terminate(): void;
  /** Kills it and all that it started. Idempotent, never throws, does not wait. */
  kill(): void;
  /** Whether it had to be told or killed: it did not end by itself, nor by being asked over its connection. */
  readonly forced: boolean;
  /** Whether the program has to stay because of this process. Counted: a `false` takes back one `true`. */
  keepAlive(keep: boolean): void;
}

/** The words of the command that starts stage 0 at `url`. Variables that it may read are among the permissions. */
export function denoCommand(
  options: Pick<SpawnOptions, "deno" | "flags">,
  permissions: Permissions,
  url: string,
): string[] {
  return [
    ...options.deno,
    "run",
    "--quiet",
    "--no-config",
    "--no-lock",
    "--unstable-worker-options",
    ...permissionFlags(permissions),
    ...options.flags,
    url,
  ];
}

/** What is added to the environment of the process. */
export function markedEnv({ env, mark }: SpawnOptions): Record<string, string> {
  return mark === undefined ? { ...env } : { ...env, [MARK + mark]: "1" };
}

/** Proof for a process, to be shown when it connects. */
export function makeNonce(): string {
  return crypto.getRandomValues(new Uint8Array(NONCE_BYTES)).toHex();
}

/** Whether what connects shows the proof that the process was given. Rejects when reading fails. */
export async function showsProof(link: RawLink, nonce: string): Promise<boolean> {
  return (await readExactly(link, NONCE_BYTES))?.toHex() === nonce;
}

/** The next bytes of a link; undefined where it ends before. */
export async function readExactly(link: RawLink, length: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length);
  for (let got = 0; got < length;) {
    const count = await link.read(bytes.subarray(got));
    if (count === null) return undefined;
    got += count;
  }
  return bytes;
}

/** What a process is sent first. */
export interface Flight {
  /** What comes before all else: a line for the shell that starts it. */
  lead?: string;
  /** The agent's script. */
  agent: Uint8Array;
  /** The greeting. */
  hello: Uint8Array;
}

/** What a process is sent first, in one piece. */
export function agentFlight({ lead = "", agent, hello }: Flight): Uint8Array {
  const line = new TextEncoder().encode(lead);
  const start = line.length + 4;
  const flight = new Uint8Array(start + agent.length + hello.length);
  flight.set(line);
  new DataView(flight.buffer).setUint32(line.length, agent.length);
  flight.set(agent, start);
  flight.set(hello, start + agent.length);
  return flight;
}

/** Sends a process its agent and the greeting, in one flight. */
export async function sendAgent(link: RawLink, options: SpawnOptions): Promise<void> {
  if (options.agent.length > 0) await linkTransport(link).write(agentFlight(options), false);
}

/** Does something with a process, or a connection to it, that may have ended. */
export function ifThere(action: () => void): void {
  try {
    action();
  } catch {
    // It has ended already.
  }
}

/** What may keep the program alive. */
export interface Ref {
  ref(): void;
  unref(): void;
}

/** How long after its last reason a process still keeps the program alive; calling `unref` for each item would cost more. */
const LINGER_MS = 10;

/** Counts reasons for the program to stay alive because of a process; at first there is one, its start. */
export function keepAlive(refs: readonly Ref[], ended: Promise<unknown>): (keep: boolean) => void {
  let reasons = 1;
  let held = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    timer = undefined;
    if (reasons > 0 || !held) return;
    held = false;
    for (const one of refs) ifThere(() => one.unref());
  };
  let over = false;
  void ended.then(() => {
    over = true;
    // In an agent there never is one, and clearing none would load Node's timers.
    if (timer !== undefined) clearTimeout(timer);
  });
  return (keep) => {
    if (over) return;
    reasons += keep ? 1 : -1;
    if (reasons > 0) {
      if (held) return;
      held = true;
      for (const one of refs) ifThere(() => one.ref());
    } else {
      timer ??= setTimeout(look, LINGER_MS);
    }
  };
}

/** The guard is quicker than this, unless it stands still with the group that it is to kill. */
const GUARD_MS = 500;

/**
 * Kills a process itself whose guard has not killed it, and continues that guard, which does the rest. Whoever may send no
 * signals, leaves the guard.
 *
 * @returns what is to be called when the process has ended; until then this program stays
 */
export function killLater(pid: number, kill: () => void): () => void {
  const strike = (): void => {
    ifThere(kill);
    if (Deno.permissions.querySync({ name: "run" }).state === "granted") {
      ifThere(() => Deno.kill(-pid, "SIGCONT"));
    }
  };
  // Not by `setTimeout`, which an agent would have to load. Without a listener it holds nobody up.
  const late = AbortSignal.timeout(GUARD_MS);
  late.addEventListener("abort", strike);
  return () => late.removeEventListener("abort", strike);
}

/** What a process is ended by. */
export type EndSignal = "SIGTERM" | "SIGKILL";

/** Lets go of the lifeline, which kills what is left of a process and all that it started. */
export class Control {
  /** Whether it had to be told or killed while it ran. */
  forced = false;
  #over = false;
  #late: (() => void) | undefined;
  readonly #letGo: () => void;
  readonly #signal: (signal: EndSignal) => void;
  readonly #pid: number;

  /** `letGo` closes the lifeline, `signal` sends signals to the process itself, SIGTERM by the lifeline, if it likes. */
  constructor(pid: number, letGo: () => void, signal: (signal: EndSignal) => void) {
    this.#pid = pid;
    this.#letGo = letGo;
    this.#signal = signal;
  }

  /** Tells a process that may still run to end. */
  terminate(): void {
    if (this.#over) return;
    this.forced = true;
    ifThere(() => this.#signal("SIGTERM"));
  }

  /** Lets go of a process that may still run. */
  kill(): void {
    if (this.#over) return;
    this.forced = true;
    this.#release();
    this.#late = killLater(this.#pid, () => this.#signal("SIGKILL"));
  }

  /** Lets go of what a process that has ended left behind. */
  ended(): void {
    this.#late?.();
    this.#release();
  }

  #release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#letGo();
  }
}
