/** How a session is made, and what it leaves to whoever makes it. */

import type { ChannelGateway } from "./channel.ts";
import type { ChannelEnd } from "./channel_end.ts";
import type { OwnIds } from "./channel_table.ts";

/** What a session does with what is not about one channel. What is left out is refused. */
export interface SessionHandlers {
  /** The far side wants to execute something behind `end`; `options` come from it unchecked. */
  exec?: (end: ChannelEnd, options: unknown) => void;
  /** The far side wants the execution behind a channel to end. */
  kill?: (channel: number, reason: unknown) => void;
  /** The far side asks for something. */
  request?: (kind: string) => unknown;
  /** The far side wants this side to end. */
  terminate?: () => void;
  /** The last channel has gone. */
  idle?: () => void;
  /** Someone has begun to wait for the far side, or nobody waits any more. */
  busy?: (busy: boolean) => void;
}

/** What an execution begins with. */
export interface FirstItem {
  /** The first item on its channel. */
  item: unknown;
  /** Rewrites the stacks of the errors of the execution to the lines that its author knows. */
  readStack?: (stack: string) => string;
}

/** How a session is made. */
export interface SessionOptions extends OwnIds {
  /** The gateway's id, for messages and errors. */
  name: string;
  /** What answers the far side. */
  handlers?: SessionHandlers;
  /** Payload bytes of each part of a long item. */
  fragmentBytes?: number;
  /** Whether all executions over there share one session, so that they may exchange their channels. */
  sharedFarSide?: boolean;
  /** Whether executions of the far side bring links of their own; see {@linkcode Session.addLink}. */
  takesLinks?: boolean;
  /** What `channel.gateway` is; by default an object with `id` and `newChannel`. */
  gateway?: ChannelGateway;
  /** Milliseconds after which a silent far side is asked for a sign of life; three of them mean that it is dead. */
  keepalive?: number;
  /** Keeps a timer from keeping the program alive. */
  unrefTimer?: (timer: ReturnType<typeof setInterval>) => void;
  /** Rewrites the stacks of errors that are sent. */
  mapStack?: (stack: string) => string;
  /** Makes the error that every channel ends with, from the first reason. */
  explain?: (reason: unknown) => Error;
}
