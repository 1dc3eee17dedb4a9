/** Executes what a caller sent: text, a module, a function, a stream, or a series of calls. */

import type { Channel } from "../../channel/channel.ts";
import { relativeTo } from "../../channel/errors.ts";
import { errorData } from "../../channel/remote_error.ts";
import type { ErrorData } from "../../channel/remote_error.ts";
import type { CalledFunction, CallReply, CallRequest, Job, SentFunction } from "../process/job.ts";
import { compileFunction, functionOf, loadExports, mapStack, runModule, runText } from "./run.ts";
import type { Exports, RunOptions } from "./run.ts";
import { runProgram } from "./program.ts";
import { spanned } from "./spans.ts";

/** Where a job runs. */
export interface JobPlace {
  /** The channel of the execution. */
  channel: Channel;
  /** Other executions run in this isolate, so that `channel` cannot be a global. */
  shared: boolean;
}

/** Runs a job to its end. What comes from the far side is unchecked. */
export async function runJob(value: unknown, { channel, shared }: JobPlace): Promise<void> {
  if (typeof value !== "object" || value === null) throw new TypeError("Cannot execute: nothing was sent");
  const job = value as Job;
  const options = (job: { name: string }): RunOptions => ({ name: String(job.name ?? ""), channel, shared });
  const text = (source: unknown): string => {
    if (typeof source !== "string") throw new TypeError("Cannot execute: no source was sent");
    return source;
  };
  // A channel that carries results is not for their makers.
  if (!shared && (job.kind === "stream" || job.kind === "calls")) {
    Reflect.deleteProperty(globalThis, "channel");
  }
  switch (job.kind) {
    case "text":
      await runText(text(job.source), options(job));
      return;
    case "module": {
      const exports = await runModule(
        text(await job.source?.receive()),
        options(job),
        "application/javascript",
      );
      if (typeof exports.default === "function") await exports.default(channel, job.kwargs);
      return;
    }
    case "function":
      await compileFunction(text(job.source), options(job))(channel, job.kwargs);
      return;
    case "stream":
      await runStream(
        compileFunction(text(job.source), { ...options(job), channel: undefined })(...job.args),
        channel,
      );
      return;
    case "calls":
      await serveCalls(channel);
      return;
    case "program":
      await runProgram(job, channel);
      return;
    default: {
      const never: never = job;
      throw new TypeError(`Cannot execute a ${(never as Job).kind}`);
    }
  }
}

/** Sends what an iterable gives. A reader that ends its direction stops it, also while it works on its next item. */
async function runStream(result: unknown, channel: Channel): Promise<void> {
  const items = await result as AsyncIterable<unknown> & Iterable<unknown>;
  const make = items?.[Symbol.asyncIterator] ?? items?.[Symbol.iterator];
  if (typeof make !== "function") {
    throw new TypeError("Cannot stream: the function returned nothing that can be iterated");
  }
  const iterator = make.call(items) as AsyncIterator<unknown> | Iterator<unknown>;
  let stopped: Promise<unknown> | undefined;
  void channel.waitClose().catch(() => {}).then(() => {
    stopped = Promise.resolve(iterator.return?.());
    stopped.catch(() => {
      // Told to the caller by the loop below.
    });
  });
  while (stopped === undefined) {
    const { done, value } = await iterator.next();
    if (done) return;
    if (stopped === undefined) await channel.send(value as never);
  }
  await stopped;
}

/** Where a result is in a {@linkcode CallReply}. */
const RESULT = "$[2]";

/** Any function. */
type Fn = (...args: unknown[]) => unknown;

/** A function that was sent. */
interface Sent {
  /** That of a module is there when the module has run. */
  readonly fn: Fn | Promise<Fn>;
  /** What its module exports. */
  readonly exports?: Promise<Exports>;
}

/** Functions that were sent on one channel, by their numbers. */
type Functions = Map<number, Sent>;

/** Serves calls until the caller ends them. Calls run concurrently in this isolate. */
async function serveCalls(channel: Channel): Promise<void> {
  const functions: Functions = new Map();
  const { gateway } = channel;
  const answer = async (
    id: number,
    fn: CalledFunction,
    args: readonly unknown[],
    trace?: unknown,
  ): Promise<void> => {
    let reply: CallReply;
    let sent: Sent | undefined;
    try {
      sent = findFunction(functions, fn);
      const call = typeof sent.fn === "function" ? sent.fn : await sent.fn;
      const traced = trace !== undefined;
      reply = [
        id,
        false,
        await (traced ? spanned(trace, gateway.id, async () => await call(...args)) : call(...args)),
      ];
      // What cannot be sent is an error of the call.
      await channel.send(reply as never);
      return;
    } catch (error) {
      const data = callError(error);
      const lost = await sent?.exports?.then(() => false, () => true);
      reply = lost ? [id, true, data, true] : [id, true, data];
    }
    await channel.send(reply as never);
  };
  for await (const request of channel as unknown as AsyncIterable<CallRequest>) {
    answer(...request).catch(() => {
      // The caller has gone: nobody waits for the answer.
    });
  }
}

/** An error of a call as data. What is thrown may be a trap for whoever only asks for its class. */
function callError(error: unknown): ErrorData {
  try {
    return errorData(relativeTo(error, RESULT), mapStack);
  } catch {
    return errorData(error, mapStack);
  }
}

function findFunction(functions: Functions, fn: CalledFunction): Sent {
  if (typeof fn === "object") {
    for (const number of fn.forget ?? []) functions.delete(number);
    const sent = makeFunction(functions, fn);
    functions.set(fn.id, sent);
    return sent;
  }
  const known = functions.get(fn);
  if (known === undefined) throw new TypeError("Cannot call: the function was never sent");
  return known;
}

function makeFunction(functions: Functions, { source = "", name, of, module }: SentFunction): Sent {
  if (module === undefined) return { fn: compileFunction(source, { name, channel: undefined }) };
  const exports = of === undefined ? loadExports(source, name, module) : functions.get(of)?.exports;
  if (exports === undefined) throw new TypeError("Cannot call: the function's module was never sent");
  const fn = exports.then((exports) => functionOf(exports, module));
  fn.catch(() => {}); // Each call says so.
  return { fn, exports };
}
