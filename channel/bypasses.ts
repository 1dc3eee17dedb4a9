/** The bypasses of one session: how each begins and ends, whichever side it is. */

import type { Branch } from "./branch.ts";
import { Bypass } from "./bypass.ts";
import type { BypassHost } from "./bypass.ts";
import type { ChannelEnd } from "./channel_end.ts";
import { ProtocolError } from "./errors.ts";
import { FrameType, makeFrame, readUint48, writeUint48 } from "./frame.ts";
import type { Transport } from "./transport.ts";

/** Flags of a CLOSE frame that is a router's last word about an execution with a bypass. */
export const CloseFlag = {
  /** The execution has a link of its own: the channel closes when all has been read from that. */
  LINKED: 1,
  /** It was killed: nothing more is to be read from there. */
  CUT: 2,
} as const;

/** More links than this that are nobody's yet are taken for an attack: a spare has one, and each execution that has sent nothing. */
const MAX_UNCLAIMED = 16_384;

/** Bytes of a link's number, in a BYPASS frame and on the link behind the proof. */
export const NUMBER_BYTES = 6;

/** What bypasses need of their session. */
export interface BypassesHost extends Omit<BypassHost, "claimed" | "broken"> {
  /** Ends all: the link of an execution of this side has ended, or the other side breaks the protocol. */
  fail(reason: unknown): void;
  /** The open channels. */
  ends(): Iterable<ChannelEnd>;
  /** The execution with that id, which may have no open channel any more. Throws ProtocolError where it never was. */
  branch(id: number): Branch;
  /** Sends a frame by the connection. */
  control(frame: Uint8Array): void;
  /** An error as the payload of a closing frame. */
  errorPayload(error: unknown): Uint8Array;
  /** What the payload of a closing frame says. Throws ProtocolError where that is nothing. */
  readError(payload: Uint8Array, end?: ChannelEnd): Error;
}

/** The bypasses of a session, by their executions. */
export class Bypasses {
  readonly #host: BypassesHost;
  readonly #inner: BypassHost;
  readonly #open = new Map<number, Bypass>();
  /** Links by number that no execution has claimed; those that have ended are kept for its last word. */
  readonly #unclaimed = new Map<number, Bypass | "ended">();
  /** The numbers of the links of executions that have not claimed them yet. */
  readonly #announced = new Map<number, number>();
  /** What is to be done when a link that is still to come has ended, or that it is cut off. */
  readonly #expected = new Map<number, (() => void) | "cut">();
  readonly #takes: boolean;
  #closed = false;

  /** Makes none yet. `takes`: executions of the other side bring links here. */
  constructor(host: BypassesHost, takes: boolean) {
    this.#host = host;
    this.#takes = takes;
    this.#inner = {
      ...host,
      claimed: (bypass, id) => this.#claimed(bypass, id),
      broken: (bypass, error) => this.#broken(bypass, error),
    };
  }

  /** Moves an execution of this side to its link with that number. The end of that is the end of the session. */
  open(branch: Branch, transport: Transport, number: number): void {
    const bypass = new Bypass(this.#inner, transport, number);
    this.#open.set(branch.id, bypass);
    const payload = new Uint8Array(NUMBER_BYTES);
    writeUint48(payload, 0, number);
    this.#host.control(makeFrame(FrameType.BYPASS, branch.id, payload));
    bypass.begin(branch);
    void bypass.drained.then(() => this.#host.fail(undefined));
  }

  /**
   * Takes a BYPASS that came by the connection. Of an execution of this side: what is sent to it comes by the link now. Of
   * one of the other side: the number of its link.
   */
  marked(id: number, payload: Uint8Array): void {
    const bypass = this.#open.get(id);
    if (payload.length === 0 && !this.#takes && bypass !== undefined) return void bypass.read();
    if (payload.length !== NUMBER_BYTES || !this.#takes) {
      throw new ProtocolError("Cannot take a bypass here");
    }
    this.#host.branch(id);
    // The link may have been faster.
    if (bypass === undefined) this.#announced.set(id, readUint48(payload, 0));
    else bypass.announced = true;
  }

  /** Takes the link with that number, which an execution of the other side has brought, or will have. */
  add(transport: Transport, number: number): void {
    if (this.#unclaimed.has(number) || this.#closed) return transport.abort();
    if (this.#unclaimed.size >= MAX_UNCLAIMED) {
      transport.abort();
      return this.#host.fail(new ProtocolError(`There are ${MAX_UNCLAIMED} links that are nobody's`));
    }
    const bypass = new Bypass(this.#inner, transport, number);
    if (this.#expected.get(number) === "cut") bypass.end();
    this.#unclaimed.set(number, bypass);
    void bypass.read();
    void bypass.drained.then(() => {
      const over = this.#expected.get(number);
      if (over !== undefined) this.#unclaimed.delete(number);
      else if (this.#unclaimed.get(number) === bypass) this.#unclaimed.set(number, "ended");
      this.#expected.delete(number);
      if (over !== "cut") over?.();
    });
  }

  /** No further link comes. */
  noMore(): void {
    this.#closed = true;
    for (const [number, over] of this.#expected) {
      if (this.#hasCome(number)) continue;
      this.#expected.delete(number);
      if (over !== "cut") over();
    }
  }

  /** Whether the link with that number is there. What is expected of it is done when it ends. */
  #hasCome(number: number): boolean {
    return this.#unclaimed.has(number) || this.#open.values().some((bypass) => bypass.number === number);
  }

  /** Whether the router has said of that execution that it has a link. */
  isAnnounced(id: number): boolean {
    return this.#announced.has(id) || (this.#open.get(id)?.announced ?? false);
  }

  /** Whether that execution, which the router has said to have a link, has not ended as far as is known here. */
  executes(id: number): boolean {
    const bypass = this.#open.get(id);
    return bypass === undefined ? this.#announced.has(id) : !bypass.closed;
  }

  /** Whether that execution has ended by a link that is here. */
  hasEnded(id: number): boolean {
    return this.#open.get(id)?.closed ?? false;
  }

  #claimed(bypass: Bypass, id: number): Branch {
    const branch = this.#host.branch(id);
    const { number } = bypass;
    const announced = this.#announced.get(id);
    if (this.#open.has(id) || announced !== undefined && announced !== number) {
      throw new ProtocolError(`Cannot take another bypass for execution ${id}`);
    }
    bypass.announced = this.#announced.delete(id);
    this.#unclaimed.delete(number);
    this.#open.set(id, bypass);
    return branch;
  }

  #broken(bypass: Bypass, error: ProtocolError): void {
    bypass.end();
    if (bypass.branch !== undefined) this.blame(bypass.branch, error);
  }

  /**
   * What breaks the protocol has an end of its own: here at once, and there by the router.
   *
   * @returns whether executions of the far side have links, so that the others are not to end with it
   */
  blame(branch: Branch, error: ProtocolError): boolean {
    if (!this.#takes) return false;
    this.#open.get(branch.id)?.end();
    const payload = this.#host.errorPayload(error);
    this.#host.control(makeFrame(FrameType.KILL, branch.id, payload));
    this.#close(branch, payload);
    return true;
  }

  /**
   * Takes a router's last word about an execution with a bypass: it is over, and whatever is left of its channels closes
   * when all has been read that it had sent.
   */
  lastWord(id: number, flags: number, payload: Uint8Array): void {
    const { LINKED, CUT } = CloseFlag;
    if (flags & ~(LINKED | CUT)) throw new ProtocolError(`Cannot read a last word: flags ${flags}`);
    const branch = this.#open.get(id)?.branch ?? this.#host.branch(id);
    const reason = payload.slice();
    if (reason.length > 0) this.#host.readError(reason);
    const over = (): void => {
      // It may have claimed another link than it was said to have.
      this.#open.get(id)?.end();
      this.#open.delete(id);
      this.#close(branch, reason);
    };
    const number = this.#announced.get(id);
    this.#announced.delete(id);
    const bypass = this.#open.get(id) ?? this.#unclaimed.get(number!);
    if (bypass === "ended") this.#unclaimed.delete(number!);
    if (bypass instanceof Bypass) {
      // What was killed may go on and never close its link.
      if (flags & CUT) bypass.end();
      void bypass.drained.then(() => {
        // It may have ended before it was claimed, and its last word is this.
        this.#unclaimed.delete(bypass.number);
        over();
      });
    } else if (bypass === "ended" || number === undefined || this.#closed) {
      over();
    } else if (flags & CUT) {
      this.#expect(number, "cut");
      over();
    } else {
      this.#expect(number, over);
    }
  }

  #expect(number: number, over: (() => void) | "cut"): void {
    if (this.#expected.size >= MAX_UNCLAIMED) throw new ProtocolError("Too many links are still to come");
    this.#expected.set(number, over);
  }

  #close(branch: Branch, reason: Uint8Array): void {
    if (branch.open === 0) return;
    // Most of very many channels are ones that nobody has received: they share an error, because making one takes long.
    let shared: Error | undefined;
    const errorFor = (end: ChannelEnd): Error | undefined => {
      if (reason.length === 0) return undefined;
      if (end.facade !== undefined) return this.#host.readError(reason, end);
      return shared ??= this.#host.readError(reason, end);
    };
    for (const end of [...this.#host.ends()]) {
      if (end.branch?.id === branch.id) end.closedByPeer(errorFor(end));
    }
  }

  /** Resolves when nothing is left to write. */
  async flushed(): Promise<void> {
    for (const bypass of this.#open.values()) await bypass.flushed();
  }

  /** Resolves when nothing more comes. */
  async drained(): Promise<void> {
    for (const bypass of this.#all()) await bypass.drained;
  }

  /** Ends them at once. */
  end(): void {
    this.#closed = true;
    this.#expected.clear();
    for (const bypass of this.#all()) bypass.end();
  }

  #all(): Bypass[] {
    return [...this.#open.values(), ...this.#unclaimed.values()].filter((one) => one instanceof Bypass);
  }
}
