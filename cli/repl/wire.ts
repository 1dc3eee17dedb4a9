/** What the prompt and its far side say to each other, on one channel. */

/** What the prompt asks for. */
export type Request =
  /** `code` is an async function's expression, of the session and its helper. */
  | { kind: "evaluate"; id: number; code: string; vars: readonly string[]; lets: readonly string[] }
  /** To wait no longer for what is being evaluated. */
  | { kind: "interrupt" }
  /** The names below a value that a path of names leads to. */
  | { kind: "complete"; id: number; path: readonly string[] };

/** What the far side answers, or has to tell. */
export type Reply =
  /** It is there, and has these globals. */
  | { kind: "ready"; globals: string[] }
  /** `marked`: what was printed before ends with the mark of this number. */
  | { kind: "done"; id: number; outcome: Outcome; text: string; marked: boolean }
  | { kind: "names"; id: number; names: string[] }
  /** An error that nobody caught. */
  | { kind: "uncaught"; text: string };

/** How an evaluation ended. `nothing` is a value, undefined. */
export type Outcome = "value" | "nothing" | "error" | "interrupted";

/** What the far side is given. */
export interface FarOptions {
  /** Whether values are coloured. */
  readonly colours: boolean;
  /** What relative imports are relative to. */
  readonly base: string;
  /** What stands around the number of a mark. */
  readonly mark: string;
}

/** Characters of a value, or of an error, that are shown at most. */
export const MAX_SHOWN = 100_000;

const OUTCOMES: readonly string[] = ["value", "nothing", "error", "interrupted"] satisfies Outcome[];

/** Takes what has come for a reply; undefined when it is none. What comes from there is hostile until looked at. */
export function replyOf(item: unknown): Reply | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { kind, id, text, names, globals, outcome, marked } = item as Record<string, unknown>;
  switch (kind) {
    case "ready":
      return isNames(globals) ? { kind, globals } : undefined;
    case "done":
      if (typeof id !== "number" || typeof text !== "string" || !OUTCOMES.includes(outcome as string)) {
        return undefined;
      }
      return {
        kind,
        id,
        outcome: outcome as Outcome,
        text: text.slice(0, 2 * MAX_SHOWN),
        marked: marked === true,
      };
    case "names":
      return typeof id === "number" && isNames(names) ? { kind, id, names } : undefined;
    case "uncaught":
      return typeof text === "string" ? { kind, text: text.slice(0, 2 * MAX_SHOWN) } : undefined;
  }
  return undefined;
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
