/**
 * The steps of a start as seen from outside, in the trace of the system calls of the caller and of all that it starts:
 * nothing of it is in the code that is measured.
 */

import { NUMBER_BYTES } from "../../channel/bypasses.ts";
import type { StepsOf } from "./entry.ts";
import { median } from "./util.ts";

/** A system call as strace prints it: when it ended, but for those that only matter when they begin. */
export interface Call {
  /** Seconds, when it was made. */
  began: number;
  /** Seconds, when its result was there. */
  ended: number;
  /** The thread. */
  thread: number;
  name: string;
  args: string;
  /** As a number; NaN of one that did not come back. */
  result: number;
}

/** Milliseconds over the starts; null of what was in none. */
export interface Step {
  name: string;
  /** What other work on the machine has hardly lengthened. */
  least: number | null;
  median: number | null;
}

/** A start, step by step. */
export interface Steps {
  /** Of what. */
  model: string;
  /** Starts that were seen. */
  starts: number;
  steps: Step[];
  /** All of them. */
  total: Omit<Step, "name">;
}

/** A line of `strace -f -ttt`: thread, time, what happened. */
const LINE = /^(\d+)\s+(\d+\.\d+) (.*)$/;
const WHOLE = /^(\w+)\((.*)\)\s+= (-?\d+|\?)/s;
const UNFINISHED = /^(\w+)\((.*?),?\s*<unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)\)\s+(?:= (-?\d+)|=> \{parent_tid=\[(\d+)\])/;

/** Reads what strace has written. Calls that were interrupted by those of other threads are put together again. */
export function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<number, Call>();
  for (const line of text.split("\n")) {
    const [, id, at, rest = ""] = LINE.exec(line) ?? [];
    const thread = Number(id);
    const time = Number(at);
    const resumed = RESUMED.exec(rest);
    if (resumed !== null) {
      const call = open.get(thread);
      open.delete(thread);
      if (call === undefined || call.name !== resumed[1]) continue;
      call.ended = time;
      call.args += resumed[2]!;
      call.result = Number(resumed[3] ?? resumed[4]);
      continue;
    }
    const whole = WHOLE.exec(rest);
    const [, name = "", args = ""] = whole ?? UNFINISHED.exec(rest) ?? [];
    if (name === "") continue;
    const call = {
      began: time,
      ended: time,
      thread,
      name,
      args,
      result: whole === null ? NaN : Number(whole[3]),
    };
    if (whole === null) open.set(thread, call);
    calls.push(call);
  }
  return calls;
}

/** The processes and threads of a start. */
interface Cast {
  caller: number;
  /** The thread of the process over there that runs its program; its id is that of the process. */
  far: number;
  /** The thread of its Worker, if it has one. */
  worker: number | undefined;
  /** Whichever of the two sends the first item: the Worker, where it has a link of its own. */
  sender: number;
}

/** A moment: the first call of that kind after the moment before. */
interface Mark {
  /** What was done until then. */
  name: string;
  is: (call: Call, cast: Cast) => boolean;
  /** Whether the moment is when the call was made, not when it came back. */
  begins?: boolean;
  /** Only in starts with a Worker. */
  worker?: boolean;
}

/** Bytes of the proof that whoever connects is who was started, and with the number of a further link. */
const PROOF_BYTES = 16;
const LINK_BYTES = PROOF_BYTES + NUMBER_BYTES;

/** The agent is longer than any other message of a start. */
const AGENT_BYTES = 20_000;

const MARKS: readonly Mark[] = [
  {
    name: "the caller makes a process",
    is: ({ name, args, thread }, { far }) => thread === far && name === "execve" && args.includes("/bin/sh"),
  },
  {
    name: "the shell has its lifeline, and becomes Deno",
    is: ({ name, thread }, { far }) => thread === far && name === "execve",
  },
  {
    name: "Deno, until its first line connects",
    is: ({ name, args, thread }, { far }) => thread === far && name === "connect" && isMeeting(args),
    begins: true,
  },
  {
    name: "connected and proved",
    is: ({ name, thread, result }, { far }) => thread === far && name === "sendto" && result === PROOF_BYTES,
  },
  {
    name: "the constructor of the Worker",
    is: ({ name, thread }, { far }) => thread === far && name === "recvfrom",
    begins: true,
    worker: true,
  },
  {
    name: "the agent's text is there",
    is: ({ name, thread, result }, { far }) => thread === far && name === "recvfrom" && result > AGENT_BYTES,
  },
  {
    name: "the agent is compiled, and reads",
    is: ({ name, thread }, { far }) => thread === far && name === "recvfrom",
    begins: true,
  },
  {
    name: "it answers the greeting",
    is: ({ name, thread }, { far }) => thread === far && name === "sendto",
  },
  {
    name: "the caller asks for an execution",
    is: ({ name, thread, result }, { caller }) => thread === caller && name === "sendto" && result > 0,
  },
  {
    name: "the agent reads that",
    is: ({ name, thread, result }, { far }) => thread === far && name === "recvfrom" && result > 0,
  },
  {
    name: "the Worker has a link of its own",
    is: ({ name, thread, result }, { worker }) =>
      thread === worker && name === "sendto" && result === LINK_BYTES,
    worker: true,
  },
  {
    name: "the first item is sent",
    is: ({ name, thread, result }, { sender }) =>
      thread === sender && name === "sendto" && result > 0 && result !== LINK_BYTES,
  },
  {
    name: "the caller has it",
    is: ({ name, thread, result }, { caller }) => thread === caller && name === "recvfrom" && result > 0,
  },
];

/** Finds the starts of one caller in a trace, each of which begins with its socket, and takes the medians. */
export function stepsOf(calls: readonly Call[], model: StepsOf): Steps {
  const begins = calls.flatMap((call, at) => call.name === "bind" && isMeeting(call.args) ? [at] : []);
  const marks = MARKS.filter(({ worker = false }) => !worker || model === "worker");
  const starts = begins.map((begin, number) => timesOf(calls.slice(begin, begins[number + 1]), marks));
  const whole = starts.filter((times) => times !== undefined);
  const steps = marks.map(({ name }, at) => {
    return { name, ...overall(whole.map((one) => one[at]).filter((ms) => ms !== undefined)) };
  });
  const totals = whole.map((times) => times.reduce<number>((all, ms) => all + (ms ?? 0), 0));
  return { model, starts: whole.length, steps, total: overall(totals) };
}

function overall(times: readonly number[]): Omit<Step, "name"> {
  return times.length === 0
    ? { least: null, median: null }
    : { least: Math.min(...times), median: median(times) };
}

/** Milliseconds of each step of a start, counted from the one before that was seen; undefined when it has no process. */
function timesOf(calls: readonly Call[], marks: readonly Mark[]): (number | undefined)[] | undefined {
  const caller = calls[0]!.thread;
  const far = calls.find(({ name, args }) => name === "execve" && args.includes("/bin/sh"))?.thread;
  if (far === undefined) return undefined;
  const worker = calls.find(({ name, args, thread }) =>
    thread !== caller && name === "prctl" && /PR_SET_NAME, "worker-/.test(args)
  )?.thread;
  const linked = calls.some(({ name, thread, result }) =>
    thread === worker && name === "sendto" && result === LINK_BYTES
  );
  const cast: Cast = { caller, far, worker, sender: linked ? worker! : far };
  let at = 0;
  let last = calls[0]!.began;
  return marks.map(({ is, begins = false }) => {
    const found = calls.findIndex((call, index) => index > at && is(call, cast));
    if (found < 0) return undefined;
    // A call that began before another one may end after it.
    const time = Math.max(last, begins ? calls[found]!.began : calls[found]!.ended);
    const ms = (time - last) * 1000;
    // What began is looked at again: its end may be the next moment.
    at = begins ? found - 1 : found;
    last = time;
    return ms;
  });
}

function isMeeting(args: string): boolean {
  return /"[^"]*\/execnet-[^"]*\/s"/.test(args);
}

/** The steps as lines of text. */
export function formatSteps({ model, starts, steps, total }: Steps): string[] {
  const text = (ms: number | null): string => ms === null ? "not seen" : ms.toFixed(1);
  const lines = [
    ["least", "median", `ms of ${starts} starts (${model}), by strace, which makes all longer`],
    ...[...steps, { name: "all", ...total }].map((
      { name, least, median },
    ) => [text(least), text(median), name]),
  ];
  return lines.map(([least, median, name]) => `${least!.padStart(8)}  ${median!.padStart(8)}  ${name}`);
}
