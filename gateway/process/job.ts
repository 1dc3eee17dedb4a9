/** What a caller sends first over the channel of an execution: what is to be executed. */

import type { Channel } from "../../channel/channel.ts";
import type { TraceContext } from "./otel.ts";

/** What a caller that is traced sends with its code. */
export interface Traced {
  traceContext?: TraceContext;
}

/** The text is a TypeScript module. */
export interface TextJob extends Traced {
  kind: "text";
  source: string;
  /** What stacks call it. */
  name: string;
}

/** A self-contained ES module; a function that it exports as default is called with its channel and with `kwargs`. */
export interface ModuleJob extends Traced {
  kind: "module";
  /** Carries the text, which takes its caller a while to put together. */
  source: Channel<string, string>;
  name: string;
  kwargs: unknown;
}

/** The text is a function, which is called with its channel and with what follows. */
export interface FunctionJob extends Traced {
  kind: "function";
  source: string;
  name: string;
  kwargs: unknown;
}

/** The text is a function that gives an iterable: its items are sent. */
export interface StreamJob extends Traced {
  kind: "stream";
  source: string;
  name: string;
  args: readonly unknown[];
}

/** The channel carries calls: {@linkcode CallRequest} there, {@linkcode CallReply} back, in any order. */
export interface CallsJob {
  kind: "calls";
}

/**
 * A program is started: what comes on the channel is its stdin, what goes is its stdout. Its end of input is a
 * half-close, so is the end of its output.
 */
export interface ProgramJob {
  kind: "program";
  /** Its words, the first of which is found on PATH. */
  command: readonly string[];
  /** Carries what it writes to stderr. */
  output: Channel<Uint8Array, Uint8Array>;
  /**
   * Proof, in hexadecimal digits, where its link is not its stdin and stdout: it connects to the agent's door. Its stdin is
   * then its lifeline.
   */
  nonce?: string;
  /** Added to its environment: what stands in its words, all users of that machine may read. */
  env?: Readonly<Record<string, string>>;
  /** Brings {@linkcode ProgramWord}s and takes {@linkcode ProgramNews}. */
  control: Channel<ProgramWord, ProgramNews>;
}

/** What a program may have besides its words. */
export type ProgramExtras = Pick<ProgramJob, "nonce" | "env">;

/**
 * For an agent with a door only: the channel becomes a link that a program has brought besides its first one, as
 * {@linkcode ProgramNews} has told.
 */
export interface LinkJob {
  kind: "link";
  id: string;
}

/** What a program is told. */
export type ProgramWord = "terminate" | "kill";

/** That a program runs, that it has brought a further link, and how it ended. */
export type ProgramNews = { pid: number } | { link: string } | { code: number; signal: string | null };

/** All that can be executed. */
export type Job = TextJob | ModuleJob | FunctionJob | StreamJob | CallsJob | ProgramJob;

/** A function that comes with its text, or with the module of another one. It has that number from now on. */
export interface SentFunction {
  id: number;
  name: string;
  /** The text, if it comes. */
  source?: string;
  /** The number of another export of the same module, which has come before. */
  of?: number;
  /** The source is a module, and the function one of its exports. */
  module?: ModuleExport;
  /** Numbers that are free again. */
  forget?: readonly number[];
}

/** Which export of a module is meant, and what the module's text is. */
export interface ModuleExport {
  export: string;
  /** The text is TypeScript, not JavaScript. */
  typescript: boolean;
}

/** A function that has been sent before on the same channel, by its number, or one that comes. */
export type CalledFunction = number | SentFunction;

/** A call: its number, the function, its arguments, and the trace that it belongs to. */
export type CallRequest = readonly [
  id: number,
  fn: CalledFunction,
  args: readonly unknown[],
  trace?: TraceContext,
];

/** What came of a call: its result, or its error as data; and whether that is why its module is not there. */
export type CallReply = readonly [id: number, failed: boolean, value: unknown, lost?: boolean];

/** Options of an EXEC frame, which the far side's router reads. */
export interface ExecFrameOptions {
  /** Narrower permissions. */
  permissions?: unknown;
  /** The execution serves calls or copies: it counts as nothing, and each of these as an execution. */
  service?: boolean;
  /** The execution runs a program, or is a link of one, in the agent's own isolate. */
  program?: boolean;
}
