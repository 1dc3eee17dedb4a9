/** What a prompt has to do with: where it shows things, and what its own commands need of it. */

import type { Gateway } from "../../mod.ts";
import type { Style } from "../style.ts";

/** Where a prompt shows things. */
export interface View {
  /** The style of values. */
  readonly style: Style;
  /** The style of what is told. */
  readonly errorStyle: Style;
  /** Whether values are coloured over there. */
  readonly colours: boolean;
  /** Whether a value that is undefined is shown. */
  readonly showsNothing: boolean;
  /** Shows what was printed. */
  show(text: string): void | Promise<void>;
  /** Shows values, and what was asked for. */
  value(text: string): void | Promise<void>;
  /** Shows errors, and what the prompt itself has to say. */
  tell(text: string): void | Promise<void>;
}

/** What became of a line. */
export type Taken = "done" | "failed" | "unfinished" | "exit";

/** What the commands of a prompt need of it. */
export interface Prompted {
  readonly gateway: Gateway;
  /** Evaluates a text, and shows what comes of it. One that is `whole` does not go on. */
  evaluate(text: string, whole: boolean): Promise<Taken>;
  /** Starts afresh. */
  clear(): Promise<void>;
}
