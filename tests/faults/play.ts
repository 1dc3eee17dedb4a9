/** Plays one cell: gets to its step, lets its fault strike, and sees how all that is waited for ends. */

import {
  ChannelClosedError,
  ConnectError,
  DataFormatError,
  EOFError,
  GatewayClosedError,
  RemoteError,
  TimeoutError,
  XSpecError,
} from "../../mod.ts";
import type { Gateway } from "../../mod.ts";
import { gone, processState } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { wayOf } from "./axes.ts";
import type { Cell } from "./axes.ts";
import { expectedOf } from "./expected.ts";
import { ARRIVE, RIGHT } from "./steps.ts";
import { openDescriptors, openSince, Stage } from "./stage.ts";
import type { Place } from "./stage.ts";
import { STRIKE } from "./strikes.ts";

/** How one thing that was waited for ended. */
export interface Ending {
  readonly what: string;
  /** How it went, or the error in few words. */
  readonly how: string;
  /** Whether that is an error that the library documents. */
  readonly named: boolean;
  readonly message: string;
  /** Milliseconds after the fault. */
  readonly ms: number;
}

/** What became of a cell. */
export interface Outcome {
  readonly endings: Ending[];
  /** How the other gateway answered. */
  readonly witness: string;
  /** What was left open. */
  readonly open: string[];
  /** Where it failed before all that. */
  readonly failure?: string;
}

/** What is told at the moment before the fault. */
export interface AtStep {
  readonly agent: number;
}

/** Nothing that a busy machine does takes longer. */
export const SLACK_MS = 10_000;

const CLASSES = [
  ConnectError,
  GatewayClosedError,
  ChannelClosedError,
  RemoteError,
  TimeoutError,
  XSpecError,
  DataFormatError,
  EOFError,
];

/** An error in few words: its name, and what tells it from others of that name. */
function inWords(error: unknown): { how: string; named: boolean; message: string } {
  if (!(error instanceof Error)) return { how: String(error), named: false, message: String(error) };
  const { name, message } = error;
  const named = CLASSES.some((type) => error instanceof type);
  if (error instanceof ConnectError) return { how: `${name} ${error.kind}`, named, message };
  if (error instanceof RemoteError) return { how: `${name} ${error.remoteName}`, named, message };
  const cause = error.cause instanceof Error ? ` < ${error.cause.name}` : "";
  if (/^Cannot copy /.test(message)) {
    const why = /no sign of life|is closed|[Nn]o space left|Too many open files/.exec(message)?.[0] ?? "?";
    return { how: `Cannot copy: ${why}`, named: true, message };
  }
  if (error instanceof GatewayClosedError) {
    const silent = /no sign of life/.test(message) ? " silent" : "";
    return { how: `${name}${silent}${error.signal === undefined ? "" : ` ${error.signal}`}`, named, message };
  }
  return { how: `${name}${cause}`, named: named || name === "TimeoutError", message };
}

async function ending(what: string, promise: Promise<string>, ms: number): Promise<Ending> {
  const started = performance.now();
  const since = (): number => Math.round(performance.now() - started);
  try {
    const how = await limited(what, promise, ms);
    return { what, how, named: true, message: "", ms: since() };
  } catch (error) {
    return { what, ...inWords(error), ms: since() };
  }
}

/** Whether the fault ends the far side's process, whatever else is done. The gate before a server passes no end on. */
function isDead({ side, fault, step, kind }: Cell): boolean {
  if (step === "connecting" && wayOf(kind) === "socket") return false;
  return side === "far" && (fault === "kill" || fault === "stop" || fault === "memory");
}

/** Plays a cell. `tell` is called at the moment before the fault. */
export async function play(
  cell: Cell,
  number: number,
  place: Place,
  witness: Gateway,
  tell: (at: AtStep) => void,
): Promise<Outcome> {
  const before = openDescriptors();
  const stage = new Stage(cell, place, number);
  const expected = expectedOf(cell);
  const endings: Ending[] = [];
  let failure: string | undefined;
  let answer = "";
  try {
    const { begin, goOn } = await limited("the step", ARRIVE[cell.step](stage), 2 * SLACK_MS);
    tell({ agent: wayOf(cell.kind) === "inside" ? 0 : stage.agent });
    const targets = cell.side === "execution" && cell.fault === "stop" ? stage.targets() : [];
    const { waits = {}, lift } = await STRIKE[cell.fault](stage);
    const all = Object.entries({ ...begin(), ...waits }).map(([what, one]) =>
      ending(what, one, expected.ms + SLACK_MS)
    );
    stage.release();
    await lift?.();
    if (expected.goesOn) await limited("what goes on", goOn(), SLACK_MS);
    endings.push(...await Promise.all(all));
    if (targets.length > 0 && endings.some(({ how }) => how !== RIGHT)) {
      // One of them may be the spare.
      await until("an execution that has ended leaves no process", () => {
        return targets.some((pid) => processState(pid) === undefined);
      }, SLACK_MS);
    }
    // Nor does a gateway that is dead, for as long as others go on, such as the one that it was started from.
    if (isDead(cell)) await gone(stage.agent, SLACK_MS);
    answer = (await ending("witness", witness.call(() => "goes on"), SLACK_MS)).how;
  } catch (error) {
    failure = (error as Error).stack ?? String(error);
  }
  try {
    if (cell.fault === "descriptors") await stage.limiter?.lift();
    await limited("the end", stage.end(), expected.ms + 2 * SLACK_MS);
  } catch (error) {
    failure ??= `at the end: ${(error as Error).stack}`;
  }
  const open = await openSince(before, SLACK_MS);
  await gone(stage.agent, SLACK_MS).catch(({ message }) => failure ??= message);
  return { endings, witness: answer, open, ...(failure === undefined ? {} : { failure }) };
}

/** What a program of cells is told. */
export interface Task {
  readonly cells: readonly Cell[];
  readonly place: Place;
}

/** A line that such a program prints. */
export type Line = { readonly cell: string } & ({ readonly at: AtStep } | { readonly outcome: Outcome });
