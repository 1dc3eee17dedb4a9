/** Where a cell is played: a group with its gateway, the processes of that, and what faults and steps need of both. */

import { Group } from "../../mod.ts";
import type { Gateway, GatewayOptions } from "../../mod.ts";
import { ifThere } from "../../gateway/process/process.ts";
import { commandLine, descendants, processes } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { hasBeat, modelOf, wayOf } from "./axes.ts";
import type { Cell } from "./axes.ts";
import { Gate } from "./gate.ts";
import type { Limiter } from "./limiter.ts";

/** Silence for three of these is the end; a nap is longer than one and shorter than two. */
export const STOP_KEEPALIVE_MS = 500;
export const NAP_KEEPALIVE_MS = 1_000;
export const NAP_MS = 1_300;

/** How long a start may take that is to fail by its time. */
export const CONNECT_TIMEOUT_MS = 1_500;

/** How long terminate() may take before it kills a far side that stands still. */
export const TERMINATE_TIMEOUT_MS = 1_500;

/** The same where it ends by itself, which it always does in time. */
const PATIENT_TERMINATE_TIMEOUT_MS = 10_000;

/** When an execution ends whose process stands still. */
export const EXECUTION_TIMEOUT_MS = 1_500;

const MEMORY = "64M";

/** What there is around the program in which cells are played. */
export interface Place {
  /** A folder for files. */
  readonly folder: string;
  /** A small disk of its own. */
  readonly disk?: string;
  /** A real sshd. */
  readonly ssh?: { readonly config: string; readonly host: string };
  /** A real server. */
  readonly server?: { readonly pid: number; readonly port: number; readonly tokenFile: string };
  /** What gives a process another clock, by a file. */
  readonly clock?: { readonly library: string; readonly file: string };
}

/** One cell's. */
export class Stage {
  readonly cell: Cell;
  readonly place: Place;
  /** Holds the gateway, and the one that it is started from. */
  readonly group: Group = new Group();
  /** A folder that is this cell's own, which remote code may read and write. */
  readonly folder: string;
  /** Holds up the start before its greeting. */
  gate: Gate | undefined;
  /** Bounds the descriptors of processes. */
  limiter: Limiter | undefined;
  /** The agent's process; 0 as long as it is not known, or where there is none. */
  agent = 0;
  #gateway: Gateway | undefined;
  #held: number[] = [];

  /** Makes the stage. */
  constructor(cell: Cell, place: Place, number: number) {
    this.cell = cell;
    this.place = place;
    this.folder = `${place.folder}/${number}`;
    Deno.mkdirSync(this.folder);
  }

  /** The gateway, when it has been made. */
  get gateway(): Gateway {
    return this.#gateway!;
  }

  /** Starts the gateway. */
  async open(): Promise<Gateway> {
    const { kind, fault, side } = this.cell;
    const options: GatewayOptions = {
      stderr: fault === "reader" ? "piped" : fault === "stderr" && side === "near" ? "inherit" : "null",
      ...(this.#late ? { connectTimeout: CONNECT_TIMEOUT_MS } : {}),
    };
    if (wayOf(kind) === "via" && this.group.get("hop") === undefined) {
      await this.group.makeGateway("popen//id=hop//allow-run//execmodel=worker", { stderr: "null" });
    }
    this.#gateway = await this.group.makeGateway(this.#spec(), options);
    this.agent = wayOf(kind) === "inside" ? 0 : (await this.#gateway.remoteInfo()).pid;
    return this.#gateway;
  }

  /** Whether the start is to fail because it takes too long. */
  get #late(): boolean {
    return this.cell.fault === "stop" && this.cell.step === "connecting";
  }

  /** How long terminate() may take before it kills. */
  get terminateTimeout(): number {
    const { fault, side } = this.cell;
    return fault === "stop" && side === "far" ? TERMINATE_TIMEOUT_MS : PATIENT_TERMINATE_TIMEOUT_MS;
  }

  #spec(): string {
    const { cell: { kind, fault, side, step }, place } = this;
    const reachable = [this.folder, ...(place.disk === undefined ? [] : [place.disk])].join(",");
    const keys = [
      this.#way(),
      `execmodel=${modelOf(kind)}`,
      `allow-read=${reachable}`,
      `allow-write=${reachable}`,
    ];
    const isApart = wayOf(kind) !== "inside";
    if (wayOf(kind) === "descriptor") keys.push("deny-net");
    if (fault === "memory" && side !== "near" && isApart) keys.push(`memory=${MEMORY}`);
    if (
      side !== "execution" && isApart &&
      !(modelOf(kind) === "main" && step === "computing" && fault !== "stop")
    ) {
      if (fault === "stop") keys.push(`keepalive=${STOP_KEEPALIVE_MS}`);
      // A look at the clock, if there were one, would come between its jumps.
      if (fault === "nap" || fault === "clock") keys.push(`keepalive=${NAP_KEEPALIVE_MS}`);
    }
    if (fault === "disk" && side === "far") keys.push(`chdir=${place.disk}/work`);
    const deno = this.#denoWords();
    if (deno.length > 0) keys.push(`deno=${[...deno, Deno.execPath()].join(" ")}`);
    return keys.join("//");
  }

  #way(): string {
    const { cell: { kind }, place: { ssh, server } } = this;
    switch (wayOf(kind)) {
      case "popen":
      case "descriptor":
        return "popen";
      case "command":
        return "command=env";
      case "ssh":
        return `ssh=${ssh!.host}//ssh_config=${ssh!.config}`;
      case "socket":
        return `socket=127.0.0.1:${this.gate?.port ?? server!.port}//token_file=${server!.tokenFile}`;
      case "via":
        return "popen//via=hop";
      case "inside":
        return "worker";
      default:
        throw new Error(`There is no kind ${kind}`);
    }
  }

  /** What stands before the Deno over there. */
  #denoWords(): string[] {
    const { cell: { fault, side }, place: { clock } } = this;
    const words = this.gate?.words ?? [];
    if (fault !== "clock" || side !== "far") return words;
    return [...words, ...clockWords(clock!)];
  }

  /** Makes the gate that the start waits at. */
  async makeGate(): Promise<void> {
    const { cell: { fault, side }, folder, place: { server } } = this;
    this.gate = wayOf(this.cell.kind) === "socket"
      ? await Gate.before(server!)
      : await Gate.inFront(folder, fault === "stderr" && side === "far");
  }

  /** The processes that a fault on the far side is for. */
  targets(): number[] {
    if (this.cell.side !== "execution") return [this.agent];
    return executionsOf(this.agent);
  }

  /** Holds the far side still, so that what is under way stays under way. */
  hold(): void {
    if (this.agent === 0) return;
    this.#held = [this.agent, ...executionsOf(this.agent)];
    for (const pid of this.#held) Deno.kill(pid, "SIGSTOP");
  }

  /** Lets it go on, but for what is to stand still. A program without descriptors can do this, too. */
  release(): void {
    const { fault, side } = this.cell;
    const still = side !== "near" && (fault === "stop" || fault === "nap");
    for (const pid of this.#held.splice(0)) {
      if (still && (side === "far") === (pid === this.agent)) continue;
      ifThere(() => Deno.kill(pid, "SIGCONT"));
    }
  }

  /** Resolves when what is printed could have told the far side that nobody reads it. */
  async outlastBeats(): Promise<void> {
    // A beat goes every two seconds, and ends the far side when it cannot be written.
    if (hasBeat(this.cell)) await new Promise((resolve) => setTimeout(resolve, 2_500));
  }

  /** Ends all. */
  async end(): Promise<void> {
    await this.group.terminate({ timeout: this.terminateTimeout });
    await this.gate?.end();
    await this.limiter?.end();
    if (this.place.clock !== undefined) Deno.writeTextFileSync(this.place.clock.file, "+0");
    const { disk } = this.place;
    if (disk === undefined) return;
    // Of what gateways leave in it, if anything, the test is to find out.
    const ours = [...Deno.readDirSync(disk)].filter(({ name }) => !name.startsWith("execnet-"));
    for (const { name } of ours) Deno.removeSync(`${disk}/${name}`, { recursive: true });
  }
}

/** The processes of executions, used and spare, that an agent has started. */
export function executionsOf(agent: number): number[] {
  if (agent === 0) return [];
  const own = processes().get(agent)?.parent;
  const words = commandLine(agent);
  return descendants(agent).filter(({ command, pid }) => / run --quiet /.test(command) && pid !== own)
    .map(({ pid }) => pid)
    // One with the same arguments is the agent forked, and will be something else. The agent waits for that, and would
    // stand still with it.
    .filter((pid) => commandLine(pid) !== words);
}

/** Words before a command that give it a clock of its own. */
export function clockWords(clock: NonNullable<Place["clock"]>): string[] {
  return ["env", ...Object.entries(clockEnv(clock)).map(([name, value]) => `${name}=${value}`)];
}

/** The environment that does. */
export function clockEnv({ library, file }: NonNullable<Place["clock"]>): Record<string, string> {
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    DONT_FAKE_MONOTONIC: "1",
    FAKETIME_DISABLE_SHM: "1",
    // The times of files stay as they are.
    NO_FAKE_STAT: "1",
    FAKE_UTIME: "0",
  };
}

/** What is open in this program: sockets, pipes and files by what they lead to. */
export function openDescriptors(): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name } of [...Deno.readDirSync("/proc/self/fd")]) {
    try {
      const target = Deno.readLinkSync(`/proc/self/fd/${name}`);
      if (/^(socket|pipe):|^\/tmp\/|execnet/.test(target)) found.set(`${name} ${target}`, target);
    } catch {
      // That of the look itself.
    }
  }
  return found;
}

/** Resolves when nothing is open that was not before; gives what still is. */
export async function openSince(before: ReadonlyMap<string, string>, ms: number): Promise<string[]> {
  const known = new Set(before.values());
  let left: string[] = [];
  await until("nothing is open", () => {
    left = [...openDescriptors().values()].filter((target) => !known.has(target));
    return left.length === 0;
  }, ms).catch(() => {});
  return left;
}
