/** Where a spec is examined from, and what it means that nothing can be started there. */

import { splitWords } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";
import { ConnectProblem } from "../errors.ts";
import { HERE } from "../shell/command.ts";
import type { Starter } from "../shell/command.ts";
import { hopStarter } from "../transport/via.ts";
import type { Hop } from "../transport/via.ts";
import { ask } from "./ask.ts";
import type { Answer } from "./ask.ts";
import { failed } from "./finding.ts";
import type { Finding, Step } from "./finding.ts";
import type { Limit } from "./limit.ts";

/** A step, and what it has come to. */
export type Probed = readonly [step: Step, finding: Finding];

/** Where a spec is examined from. */
export interface Place extends Limit {
  readonly spec: XSpec;
  /** The gateway that it is to be started from; undefined for this machine. */
  readonly hop: Hop | undefined;
  /** Starts programs there. */
  readonly starter: Starter;
}

/** The place from which gateways of a spec are started. */
export function placeOf(spec: XSpec, hop: Hop | undefined, { signal, timeout }: Limit): Place {
  return { spec, hop, starter: hop === undefined ? HERE : hopStarter(hop), signal, timeout };
}

/** Runs a program there to its end, without any input. */
export function askThere({ starter, signal, timeout }: Place, command: readonly string[]): Promise<Answer> {
  return ask({ open: (limit) => starter.start(command, { signal: limit }), input: "", signal, timeout });
}

/** The words of Deno's command, as gateways of the spec run it; `usual` where the spec names none. */
export function denoWords(spec: XSpec, usual: string): string[] {
  return spec.deno === undefined ? [usual] : splitWords(spec.deno, "deno", String(spec));
}

/** What it means that a step could not even be tried. */
export function findingOf(error: unknown, { starter }: Place): Finding {
  const { message } = error as Error;
  if (error instanceof Deno.errors.NotCapable) {
    return failed("permission", message, { facts: { hint: starter.permissionHint } });
  }
  if (error instanceof ConnectProblem) {
    const program = /there is no program "([^"]*)"/.exec(message)?.[1];
    if (program !== undefined) return failed("no-program", message, { facts: { program } });
    return failed("hop", message, { words: error.details.stderrTail ?? "" });
  }
  return failed("exit", message);
}
