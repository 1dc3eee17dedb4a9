/** A way of starting the process of a gateway: the seam between connecting and the kinds of gateways. */

import type { ConnectErrorKind } from "./errors.ts";
import { OLD_DENO_CODE } from "./process/link.ts";
import type { ProcessEnd, SpawnedProcess } from "./process/process.ts";

/** Why a start failed. */
export interface Diagnosis {
  readonly kind: ConnectErrorKind;
  /** What the state is, for the error's message. */
  readonly state: string;
  /** What was printed by something else than the process. */
  readonly words?: string;
}

/** Starts the process of one gateway. */
export interface Launcher {
  /**
   * Starts it. The signal ends the attempt; whatever fails, nothing that was started is left running.
   *
   * @throws {ConnectProblem} when it is known why that is impossible, otherwise what the system says
   */
  start(signal: AbortSignal): Promise<SpawnedProcess>;
  /**
   * Says why a process ended before its greeting; `again` when what it missed is there now.
   *
   * @param output the last of what it printed
   */
  diagnose(end: ProcessEnd, output: string, signal: AbortSignal): Promise<Diagnosis | "again">;
  /** Whether `diagnose` may say `again`: what such a process has printed is then nobody's. */
  readonly repeats: boolean;
  /** Whether what it prints goes another way than its greeting, so that printing is no noise. */
  readonly printsApart?: boolean;
  /** The address of the host, once it has been started. */
  readonly address?: string | undefined;
  /** What the user might do about a program that may not start this. */
  readonly permissionHint: string;
}

/** What is to be said of a Deno that is not there, is too old, or ended in some way; `output` is what it printed last. */
export function diagnoseExit({ code, signal, reason }: ProcessEnd, output: string, deno: string): Diagnosis {
  if (reason !== undefined) return { kind: "exit", state: reason };
  if (code === 127 || code === 126) {
    return { kind: "no-deno", state: `there is no Deno that can be run as "${deno}"` };
  }
  if (code === OLD_DENO_CODE || code === 1 && UNKNOWN_FLAG.test(output)) {
    return { kind: "version", state: "its Deno is too old" };
  }
  const how = signal === null ? `with code ${code}` : `by ${signal}`;
  return { kind: "exit", state: `the process ended ${how}` };
}

/** What versions of Deno say of flags of ours that only later ones know; `deno=` may have brought others. */
const UNKNOWN_FLAG =
  /error: (?:unexpected argument|Found argument) '--(?:quiet|no-config|no-lock|unstable-worker-options|no-prompt|no-remote|no-npm|v8-flags|(?:allow|deny)-\w+)/;
