/** What is to become of a cell: a function of its axes, which says no more than what is promised. */

import { hasBeat, modelOf, wayOf } from "./axes.ts";
import type { Cell } from "./axes.ts";
import {
  CONNECT_TIMEOUT_MS,
  EXECUTION_TIMEOUT_MS,
  NAP_MS,
  STOP_KEEPALIVE_MS,
  TERMINATE_TIMEOUT_MS,
} from "./stage.ts";

/** What is expected. */
export interface Expected {
  /** How everything ends that waits at the step: one of these, in the words of an ending. */
  readonly how: readonly RegExp[];
  /** Within so many milliseconds, beyond what a busy machine takes. */
  readonly ms: number;
  /** Whether what waits is let go on. */
  readonly goesOn: boolean;
  /** Whether the program itself ends by the fault. */
  readonly ends: boolean;
  /** How that ends which the fault itself has started. */
  readonly own: readonly RegExp[];
}

/** The system may take so long to end a process that was killed. */
const KILL_MS = 2_000;
/** What the end of the connection and that of the process wait for one another. */
const END_MS = 2_500;
const SILENT_MS = 4 * STOP_KEEPALIVE_MS;
const BEATS_MS = 2_500;
/** It takes so long to run out of memory. */
const HOARD_MS = 5_000;

const GOES_ON = /^goes on$/;
const CLOSED = [
  /^GatewayClosedError/,
  /^ChannelClosedError < GatewayClosedError$/,
  /^Cannot copy: is closed$/,
];
const SILENT = [
  /^GatewayClosedError silent/,
  /^ChannelClosedError < GatewayClosedError$/,
  /^Cannot copy: (no sign of life|is closed)$/,
];
const LOST = [/^RemoteError Error$/, /^ChannelClosedError < RemoteError$/, /^Cannot copy: /];
const LATE = [/^RemoteError TimeoutError$/, /^ChannelClosedError < RemoteError$/, /^TimeoutError$/];

const right = (ms = 0): Expected => ({ how: [GOES_ON], ms, goesOn: true, ends: false, own: [GOES_ON] });
const dead = (how: readonly RegExp[], ms: number): Expected => ({
  how,
  ms,
  goesOn: false,
  ends: false,
  own: how,
});

/** What is expected of a cell. */
export function expectedOf(cell: Cell): Expected {
  const { side } = cell;
  return side === "near" ? near(cell) : side === "far" ? far(cell) : execution(cell);
}

function near({ fault, step, kind, ...rest }: Cell): Expected {
  const apart = wayOf(kind) !== "inside";
  switch (fault) {
    case "kill":
    case "memory":
      return { how: [], ms: SILENT_MS, goesOn: true, ends: true, own: [] };
    case "stop":
      if (!apart || step === "terminate") return right(TERMINATE_TIMEOUT_MS + KILL_MS);
      // Time has gone on: the start may be out of it.
      if (step === "connecting") {
        return { ...right(CONNECT_TIMEOUT_MS + END_MS), how: [GOES_ON, /^ConnectError (timeout|exit)$/] };
      }
      // The far side has given up meanwhile, or both.
      return dead([...SILENT, ...CLOSED], SILENT_MS + END_MS);
    case "nap":
    case "clock":
      return right(NAP_MS);
    case "stderr":
    case "reader":
      return right(hasBeat({ fault, step, kind, ...rest }) ? BEATS_MS : 0);
    case "disk":
      // A start may need a folder for its socket.
      return step === "connecting" ? { ...right(), how: [GOES_ON, /^ConnectError exit$/] } : right();
    case "descriptors":
      // It is the token of a server that cannot be read.
      if (step === "connecting") {
        return dead([wayOf(kind) === "socket" ? /^ConnectError auth$/ : /^ConnectError exit$/], END_MS);
      }
      // The first execution that brings a link of its own for which there is no descriptor, ends.
      return step === "idle" || step === "source"
        ? { ...right(END_MS), how: [GOES_ON, /^RemoteError Error$/] }
        : right();
  }
}

function far({ fault, step, kind }: Cell): Expected {
  switch (fault) {
    case "kill":
      if (step === "terminate") return right(TERMINATE_TIMEOUT_MS + KILL_MS);
      if (step === "connecting") return dead([/^ConnectError exit$/], END_MS);
      return dead(CLOSED, END_MS);
    case "memory":
      // It takes a moment, in which something may have come to its end.
      return { ...right(HOARD_MS), how: [GOES_ON, ...CLOSED], goesOn: false, own: CLOSED };
    case "stop":
      if (step === "terminate") return dead([/^forced$/], TERMINATE_TIMEOUT_MS + KILL_MS);
      if (step === "connecting") return dead([/^ConnectError timeout$/], CONNECT_TIMEOUT_MS + END_MS);
      // An execution may have a link of its own, past its agent.
      return modelOf(kind) === "process"
        ? dead([...SILENT, GOES_ON], SILENT_MS + END_MS)
        : dead(SILENT, SILENT_MS + END_MS);
    case "nap":
      return right(NAP_MS);
    case "disk":
      if (step === "copy") return dead([/^Cannot copy: [Nn]o space left$/], 0);
      return step === "connecting" ? dead([/^ConnectError exit$/], END_MS) : right();
    case "descriptors":
      if (step === "connecting") return { ...dead([/^ConnectError exit$/], END_MS), goesOn: true };
      // Deno ends in many places where it has none left.
      return { ...right(END_MS), how: [GOES_ON, ...CLOSED, ...LOST] };
    case "stderr":
      // What prints is told, and nobody else.
      return {
        ...right(hasBeat({ fault, step, kind, side: "far" }) ? BEATS_MS : 0),
        own: [/^RemoteError BadResource$/],
      };
    case "clock":
      return right(NAP_MS);
    case "reader":
      return right();
  }
}

/**
 * Only what is executed suffers, also where Deno itself ends for want of descriptors. The spare, which waits for the next
 * one, may be hit with it.
 */
function execution({ fault, step }: Cell): Expected {
  if (step === "terminate") return right(TERMINATE_TIMEOUT_MS + KILL_MS);
  switch (fault) {
    case "kill":
      return step === "idle" || step === "source"
        ? { ...right(END_MS), how: [GOES_ON, ...LOST] }
        : dead(LOST, END_MS);
    case "stop":
      return step === "idle"
        ? { ...right(EXECUTION_TIMEOUT_MS), how: [GOES_ON, ...LATE] }
        : dead(LATE, EXECUTION_TIMEOUT_MS + END_MS);
    case "memory":
      return { ...right(HOARD_MS), own: [/^RemoteError Error$/] };
    case "descriptors":
      return { ...right(END_MS), how: [GOES_ON, ...LOST] };
    case "stderr":
      return { ...right(), own: [/^RemoteError BadResource$/] };
    default:
      return right(NAP_MS);
  }
}
