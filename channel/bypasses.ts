/** The bypasses of one session: how each begins and ends, whichever side it is. */

import type { Branch } from "./branch.ts";
import { Bypass } from "./bypass.ts";
import type { BypassHost } from "./bypass.ts";
import type { ChannelEnd } from "./channel_end.ts";
import { ProtocolError } from "./errors.ts";
import { FrameType, makeFrame } from "./frame.ts";
import type { Transport } from "./transport.ts";

/** A CLOSE frame with this flag: nothing more is to be read from the execution's bypass. */
export const CUT = 1;

/** Finds the link that showed a token. */
export type FindLink = (token: Uint8Array) => Promise<Transport>;

/** What bypasses need of their session. */
export interface BypassesHost extends BypassHost {
  /** The open channels. */
  readonly ends: Iterable<ChannelEnd>;
  /** The execution with that id, which may have no open channel any more. Throws ProtocolError where it never was. */
  branch(id: number): Branch;
  /** Sends a frame by the connection. */
  control(frame: Uint8Array): void;
  /** An error as the payload of a frame. */
  errorPayload(error: unknown): Uint8Array;
  /** What such a payload says. Throws ProtocolError where that is nothing. */
  readError(payload: Uint8Array, end?: ChannelEnd): Error;
}

/** The bypasses of a session, by their executions. */
export class Bypasses {
  readonly #host: BypassesHost;
  readonly #find: FindLink | undefined;
  readonly #open = new Map<number, Bypass>();

  /** Makes none yet. Only the side that does not execute finds links. */
  constructor(host: BypassesHost, find: FindLink | undefined) {
    this.#host = host;
    this.#find = find;
  }

  /** Opens one from the side that executes. Its end is the end of the session. */
  open(branch: Branch, transport: Transport, token: Uint8Array): void {
    const bypass = this.#add(branch);
    bypass.attach(transport, makeFrame(FrameType.BYPASS, branch.id, token));
    void bypass.drained.then(() => this.#host.fail(undefined));
  }

  /** Takes the mark of the other side: from now on its frames about an execution come by a link of their own. */
  marked(id: number, token: Uint8Array): void {
    const opened = this.#open.get(id);
    if (opened !== undefined && this.#find === undefined) return void opened.read();
    if (opened !== undefined || this.#find === undefined) {
      throw new ProtocolError("Cannot take another bypass");
    }
    const bypass = this.#add(this.#host.branch(id));
    this.#find(token).then((transport) => {
      bypass.attach(transport, makeFrame(FrameType.BYPASS, id));
      void bypass.read();
    }, (error) => {
      this.#host.control(makeFrame(FrameType.KILL, id, this.#host.errorPayload(error)));
      bypass.end();
    });
  }

  /**
   * Takes a CLOSE that came by the connection, if it is a router's last word about an execution: that is over, and
   * whatever is left of its channels closes when all has been read that it had sent.
   */
  lastWord(id: number, flags: number, payload: Uint8Array): boolean {
    const bypass = this.#find && this.#open.get(id);
    if (bypass === undefined) return false;
    const host = this.#host;
    if (payload.length > 0) host.readError(payload);
    const copy = payload.slice();
    // One that was killed may go on and never close its link.
    if (flags & CUT) bypass.end();
    void bypass.drained.then(() => {
      this.#open.delete(id);
      for (const end of [...host.ends]) {
        if (end.branch !== bypass.branch) continue;
        end.closedByPeer(copy.length === 0 ? undefined : host.readError(copy, end));
      }
    });
    return true;
  }

  /** Resolves when nothing is left to write. */
  async flushed(): Promise<void> {
    for (const bypass of this.#open.values()) await bypass.flushed();
  }

  /** Resolves when nothing more comes. */
  async drained(): Promise<void> {
    for (const bypass of this.#open.values()) await bypass.drained;
  }

  /** Ends them at once. */
  end(): void {
    for (const bypass of this.#open.values()) bypass.end();
  }

  #add(branch: Branch): Bypass {
    const bypass = new Bypass(this.#host, branch);
    this.#open.set(branch.id, bypass);
    return bypass;
  }
}
