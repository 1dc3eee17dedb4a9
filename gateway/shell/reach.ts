/** The seam between starting an agent through a shell and the ways to one. */

import type { Diagnosis } from "../launcher.ts";
import type { ProcessEnd } from "../process/process.ts";
import type { Program } from "../process/program.ts";

/** A way to a shell elsewhere. */
export interface Reach {
  /** Starts a shell there that runs one line of its stdin, and gives the way to its stdin and stdout. */
  open(signal: AbortSignal): Promise<Program>;
  /** Says why the way itself has ended, where that was it. */
  diagnose(end: ProcessEnd, output: string): Diagnosis | "again" | undefined;
  /** Whether that may be mended by another attempt. */
  readonly repeats: boolean;
  /**
   * Whether something over there may outlive a program that was killed here, because the way itself goes on: a
   * connection that others use, an engine between here and there.
   */
  readonly survives: boolean;
  /** Opens a shell over the very way that was opened last, whatever is thought of it; by default any way is that. */
  reopen?(signal: AbortSignal): Promise<Program>;
  /** The way may be dead: others need another one until the doubt is taken back, by calling what this gives. */
  doubt?(): (() => void) | undefined;
  /** Tells places apart: two with the same key are the same one. */
  readonly place: string;
  /** The address of the host, once it is known. */
  readonly address?: string | undefined;
  /** What the user might do about a program that may not go this way. */
  readonly permissionHint: string;
}
