/** Prints steps as they are done: lines for people, or JSON. */

import type { XSpec } from "../../mod.ts";
import { shown } from "../../gateway/probe/mod.ts";
import { json } from "../json.ts";
import type { Terminal } from "../terminal.ts";
import type { AnyStep, Outcome } from "./outcome.ts";
import { conclusion, report } from "./report.ts";

/** Takes what happens, in its order. */
export interface Show {
  /** A spec begins; `one` of several, perhaps. */
  begin(spec: XSpec, oneOfSeveral: boolean): Promise<void>;
  /** A step is under way. */
  under(step: AnyStep): void;
  /** A step is done. */
  step(outcome: Outcome): Promise<void>;
  /** A spec is done with. */
  end(spec: XSpec, outcomes: readonly Outcome[]): Promise<void>;
}

/** One object in a line for each step. */
export function jsonLines(terminal: Terminal): Show {
  return {
    begin: () => Promise.resolve(),
    under: () => {},
    step: (outcome) => terminal.write(`${json(outcome)}\n`),
    end: () => Promise.resolve(),
  };
}

/** Lines with signs and colours, and the step that is under way, on a terminal; lines with words elsewhere. */
export function forPeople(terminal: Terminal): Show {
  const { style, outputIsTerminal: signs } = terminal;
  const options = { style, signs };
  let several = false;
  /** Takes away the step that is under way, and the rest of its line (ECMA-48, EL). */
  const clear = signs ? "\r\x1b[K" : "";
  return {
    async begin(spec, oneOfSeveral): Promise<void> {
      if (oneOfSeveral) {
        await terminal.write(`${several ? "\n" : ""}${style.bold(spec.id!)}: ${shown(spec)}\n`);
      }
      several = true;
    },
    under(step): void {
      if (!signs) return;
      terminal.write(`${clear}${style.dim(`… ${step}`)}`).catch(() => {
        // Nobody reads it: the next line says so.
      });
    },
    step: (outcome) => terminal.write(clear + report(outcome, options)),
    end: (spec, outcomes) => terminal.write(clear + conclusion(spec.id!, outcomes, options)),
  };
}
