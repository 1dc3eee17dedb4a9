/** Starts an agent through a shell elsewhere, with nothing of ours installed there. */

import { encodeHello } from "../../channel/handshake.ts";
import type { Facts } from "../../channel/handshake.ts";
import { keepaliveOf, splitWords } from "../../xspec/mod.ts";
import type { Permissions, XSpec } from "../../xspec/mod.ts";
import { agentScript } from "../_agent_bundle.ts";
import { Output } from "../output.ts";
import { diagnoseExit } from "../launcher.ts";
import type { Diagnosis, Launcher } from "../launcher.ts";
import { connectGrant, doorPath, linkTransport, stageZeroUrl } from "../process/link.ts";
import { planProcess } from "../process/plan.ts";
import { agentFlight, denoCommand, makeNonce } from "../process/process.ts";
import type { ProcessEnd, SpawnedProcess } from "../process/process.ts";
import type { Program } from "../process/program.ts";
import { signalOf } from "../process/signals.ts";
import { traceGrant } from "../process/trace.ts";
import type { TraceTarget } from "../process/trace.ts";
import { withoutBeats } from "./beats.ts";
import { overflowing } from "./overflow.ts";
import { FAR_TEMP_FOLDER, farFolder } from "../process/guard.ts";
import { farScript, NO_DENO_CODE, reapScript } from "./far_script.ts";
import type { Reach } from "./reach.ts";
import { Provision } from "./provision.ts";
import type { Provisions } from "./provision.ts";

/** A path that nothing allows: where the working directory will be is not known here. */
const UNKNOWN_FOLDER = "/nowhere";

/** How long the look for what is left over there may take. */
const REAP_TIMEOUT_MS = 3_000;

/** What is started through a shell. */
export interface ShellLauncherOptions {
  spec: XSpec;
  id: string;
  reach: Reach;
  trace: TraceTarget | undefined;
  /** The Deno to run there where the spec names none; by default the one that is found there. */
  executable?: string | undefined;
  /** What has been brought elsewhere. */
  provisions: Provisions;
}

/** Starts one gateway. */
export class ShellLauncher implements Launcher {
  readonly #options: ShellLauncherOptions;
  readonly #provision: Provision | undefined;

  constructor(options: ShellLauncherOptions) {
    this.#options = options;
    if (options.spec.provision) this.#provision = new Provision(options.reach, options.provisions);
  }

  readonly printsApart = true;

  get repeats(): boolean {
    return this.#options.reach.repeats || this.#provision !== undefined;
  }

  get address(): string | undefined {
    return this.#options.reach.address;
  }

  get permissionHint(): string {
    const { permissionHint } = this.#options.reach;
    return this.#provision === undefined
      ? permissionHint
      : `${permissionHint}; provision needs --allow-read for its Deno`;
  }

  async start(signal: AbortSignal): Promise<SpawnedProcess> {
    await this.#provision?.prepare();
    const mark = makeNonce();
    const flight = this.#flight(mark);
    const program = await this.#options.reach.open(signal);
    const { link } = program;
    const sent = linkTransport(link).write(flight, false);
    // What does not take all of it has ended, and may have said why.
    const connected = sent.catch(() => {}).then(() => linkTransport(link));
    let heard = false;
    const { read } = link;
    link.read = async (into): Promise<number | null> => {
      const count = await read(into);
      heard ||= count !== null;
      link.read = read;
      return count;
    };
    const ended = program.ended.then((end) => {
      // Where nothing has come back, nobody knows what the way leads to, and it is not gone a second time; but that of
      // ssh is known to lead to a shell.
      if (program.forced && (heard || this.#options.reach.reopen !== undefined)) void this.#reap(mark);
      return farEnd(end);
    });
    const output = overflowing(
      withoutBeats(program.output!, () => heard = true),
      keepaliveOf(this.#options.spec),
    );
    return Object.assign(program, { connected, ended, output, far: true });
  }

  /**
   * Kills what is left over there of a process that was killed here. Over a way that goes on, the end of a process that
   * is stopped, behind a pipe that is full, would never be noticed. Until that way has proved to go on, nobody else goes
   * it: what was killed may have been silent because the way is dead.
   */
  async #reap(mark: string): Promise<void> {
    const { reach } = this.#options;
    if (!reach.survives) return;
    const trust = reach.doubt?.();
    const late = AbortSignal.timeout(REAP_TIMEOUT_MS);
    if (await this.#reapBy(() => reach.reopen?.(late) ?? reach.open(late), mark, late)) trust?.();
    else if (reach.reopen !== undefined && !late.aborted) {
      await this.#reapBy(() => reach.open(late), mark, late);
    }
  }

  /** Tells whether a shell has looked for all that is left. */
  async #reapBy(open: () => Promise<Program>, mark: string, late: AbortSignal): Promise<boolean> {
    try {
      const program = await open();
      late.addEventListener("abort", () => program.kill());
      new Output("null", "", program.output!);
      await linkTransport(program.link).write(new TextEncoder().encode(`${reapScript(mark)}\n`), false);
      program.endInput();
      const { code } = await program.ended;
      program.link.close();
      return code === 0 && !program.forced;
    } catch {
      // There is no such way any more.
      return false;
    }
  }

  async diagnose(end: ProcessEnd, output: string, signal: AbortSignal): Promise<Diagnosis | "again"> {
    const { reach, spec } = this.#options;
    const known = reach.diagnose(end, output);
    if (known !== undefined) return known;
    if (end.code === NO_DENO_CODE && this.#provision !== undefined) {
      return await this.#provision.bring(signal);
    }
    return diagnoseExit(end, output, spec.deno ?? "deno");
  }

  /** The line of shell, and what the agent needs, in one flight. */
  #flight(mark: string): Uint8Array {
    const { spec, id } = this.#options;
    const trace = this.#options.trace?.to === "file"
      ? { to: "file", folder: FAR_TEMP_FOLDER } as const
      : this.#options.trace;
    const deno = spec.deno === undefined ? undefined : splitWords(spec.deno, "deno", String(spec));
    const { config, spawn } = planProcess(spec, { name: id, deno: deno ?? [], cwd: "", trace });
    const grant = traceGrant(trace, spawn.permissions, UNKNOWN_FOLDER);
    const folder = keepsDoor(spec, spawn.permissions, trace) ? farFolder(mark) : "";
    const door = folder === ""
      ? undefined
      : connectGrant(spawn.permissions, doorPath(folder), UNKNOWN_FOLDER);
    const url = stageZeroUrl({
      kind: "pipes",
      path: "",
      folder: door === undefined ? "" : folder,
      revoke: door?.revoke ?? [],
      nonce: "",
      bypass: door !== undefined,
      worker: spawn.spareWorker,
      trace: grant?.stage,
    });
    const line = farScript({
      deno: deno ?? [this.#options.executable ?? "deno"],
      args: denoCommand({ ...spawn, deno: [] }, (grant ?? door ?? spawn).permissions, url),
      env: spec.env,
      chdir: spec.chdir,
      nice: spawn.nice,
      mark,
      folder: door !== undefined,
      sweep: spawn.mark !== undefined,
      provisioned: this.#provision?.word,
    });
    const hello = encodeHello(config as unknown as Facts);
    return agentFlight({ lead: `${line}\n`, agent: agentScript(), hello });
  }
}

/**
 * Whether an agent elsewhere gets a folder for a door: what may start programs may be a hop. Its Deno may be one that does
 * not know the permission for one Unix socket. What is traced starts others by a shell anyway.
 */
function keepsDoor(
  { execmodel }: XSpec,
  { all, allow }: Permissions,
  trace: TraceTarget | undefined,
): boolean {
  return execmodel === "worker" && trace === undefined &&
    (all || allow.run !== undefined && allow.net === true);
}

/** A shell says by its exit code that a signal has ended what it ran. */
function farEnd(end: ProcessEnd): ProcessEnd {
  const signal = signalOf(end.code);
  return end.signal !== null || signal === undefined ? end : { ...end, signal };
}
