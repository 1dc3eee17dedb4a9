/** `slurm`: gateways on the nodes of an allocation, which several of them share. */

import { waitFor, within } from "../../channel/wait.ts";
import { ConnectProblem } from "../errors.ts";
import type { Diagnosis } from "../launcher.ts";
import type { ProcessEnd } from "../process/process.ts";
import type { Program } from "../process/program.ts";
import type { Reach } from "../shell/reach.ts";
import { HERE, SHELL } from "../shell/command.ts";
import type { Starter } from "../shell/command.ts";
import { Allocation } from "../slurm/allocation.ts";
import { explainSlurm, SlurmError } from "../slurm/explain.ts";
import { thisMachine } from "../slurm/host.ts";
import type { SlurmHost } from "../slurm/host.ts";
import type { SlurmKeys } from "../slurm/words.ts";
import { slurmThrough } from "./_slurm_host.ts";

/** The nodes that gateways made together run on. They are given back when the last of these has ended. */
export class SlurmNodes {
  readonly #keys: SlurmKeys;
  readonly #unwanted = new AbortController();
  #users: number;
  #allocation: Promise<Allocation> | undefined;

  /** Asks for nothing yet. */
  constructor(keys: SlurmKeys) {
    this.#keys = keys;
    this.#users = keys.nodes ?? 1;
  }

  /** The allocation, which is asked for once. */
  async get(host: SlurmHost, signal: AbortSignal): Promise<Allocation> {
    this.#allocation ??= Allocation.request(this.#keys, { host, signal: this.#unwanted.signal });
    this.#allocation.catch(() => {});
    try {
      return await waitFor(this.#allocation, { signal }, () => "");
    } catch (error) {
      if (!(error instanceof SlurmError)) throw error;
      const { kind, message, exitCode, stderrTail } = error;
      throw new ConnectProblem(kind, message, { cause: error, details: { exitCode, stderrTail } });
    }
  }

  /** A gateway needs them no more. Resolves when they have been given back, if it was the last one; never rejects. */
  async leave(): Promise<void> {
    if (--this.#users > 0) return;
    this.#unwanted.abort(new DOMException("Nobody needs the nodes", "AbortError"));
    try {
      await (await this.#allocation)?.release();
    } catch {
      // There was none, or Slurm is told without this program.
    }
  }
}

/** How soon after the end of a step its allocation is known to have ended. */
const END_GRACE_MS = 300;

/** The way to one node. */
export class SlurmReach implements Reach {
  readonly repeats = false;
  readonly survives = false;
  readonly place: string;
  readonly permissionHint: string;
  readonly #nodes: SlurmNodes;
  readonly #index: number;
  readonly #starter: Starter;

  /** `index` counts the nodes of an allocation. */
  constructor(nodes: SlurmNodes, index: number, starter: Starter) {
    this.#nodes = nodes;
    this.#index = index;
    this.#starter = starter;
    // Nodes that share no folders need a Deno each.
    this.place = `slurm ${crypto.randomUUID()}`;
    this.permissionHint = starter.permissionHint;
  }

  async open(signal: AbortSignal): Promise<Program> {
    const host = this.#starter === HERE ? thisMachine() : slurmThrough(this.#starter);
    const allocation = await this.#nodes.get(host, signal);
    const program = await this.#starter.start([...allocation.prefix(this.#index), ...SHELL], {
      farewell: FAREWELL,
      signal,
    });
    const ended = program.ended.then((end) => this.#explained(end, allocation));
    return Object.assign(program, { ended });
  }

  diagnose(end: ProcessEnd, output: string): Diagnosis | undefined {
    if (end.reason !== undefined || end.code === 126 || end.code === 127) return undefined;
    return /^srun: /m.test(output) ? explainSlurm(end.code, output) : undefined;
  }

  /** A step does not say that its whole allocation has ended. */
  async #explained(end: ProcessEnd, allocation: Allocation): Promise<ProcessEnd> {
    if (await within(allocation.over, END_GRACE_MS) === undefined) return end;
    const { released, reason } = await allocation.ended;
    return released ? end : { ...end, reason: `its allocation has ended: ${reason}` };
  }
}

/**
 * SIGTERM makes `srun` kill its task in milliseconds. Killed together with its shepherd, as a process group is, it would
 * leave the task to itself, without an end of its input.
 */
const FAREWELL = "kill $$; i=0; while [ -e /proc/$$/exe ] && [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done";
