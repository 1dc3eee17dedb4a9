/** What each step of an examination has come to, and where it ends. */

import type { Facts, Finding, Step, Trouble } from "../../gateway/probe/mod.ts";

/** A step, those behind the start of the process included. */
export type AnyStep = Step | "hop" | "handshake" | "permissions" | "round trip" | "throughput";

/** What is told of a step. */
export interface Outcome {
  /** The id of the gateway. */
  readonly gateway: string;
  readonly step: AnyStep;
  readonly state: Finding["state"] | "skipped";
  /** What was found, in one line. */
  readonly found: string;
  /** Milliseconds that it took. */
  readonly ms?: number;
  /** What is wrong. */
  readonly trouble?: Trouble;
  /** What the other side says itself. */
  readonly words?: string;
  /** How it is mended, in commands to type. */
  readonly advice?: readonly string[];
  /** What was measured, in milliseconds and bytes a second. */
  readonly values?: Readonly<Record<string, number>>;
}

/** A finding without the gateway and the step that it is about. */
export type Told = Omit<Finding, "facts"> & {
  readonly facts?: Facts;
  readonly values?: Readonly<Record<string, number>>;
};
