/** The bypasses of one session: how each begins and ends, whichever side it is. */

import type { Branch } from "./branch.ts";
import { Bypass } from "./bypass.ts";
import type { BypassHost } from "./bypass.ts";
import type { ChannelEnd } from "./channel_end.ts";
import { ProtocolError } from "./errors.ts";
import { FrameType, makeFrame } from "./frame.ts";
import type { Transport } from "./transport.ts";

/** Flags of a CLOSE frame that is a router's last word about an execution with a bypass. */
export const CloseFlag = {
  /** The execution has a link of its own: the channel closes when all has been read from that. */
  LINKED: 1,
  /** It was killed: nothing more is to be read from there. */
  CUT: 2,
} as const;

/** More links than this that are nobody's yet are refused: a spare has one, and each execution that has sent nothing. */
const MAX_UNCLAIMED = 16_384;

/** What bypasses need of their session. */
export interface BypassesHost extends Omit<BypassHost, "claimed"> {
  /** The open channels. */
  readonly ends: Iterable<ChannelEnd>;
  /** The execution with that id, which may have no open channel any more. Throws ProtocolError where it never was. */
  branch(id: number): Branch;
  /** Sends a frame by the connection. */
  control(frame: Uint8Array): void;
  /** What the payload of a closing frame says. Throws ProtocolError where that is nothing. */
  readError(payload: Uint8Array, end?: ChannelEnd): Error;
}

/** The bypasses of a session, by their executions. */
export class Bypasses {
  readonly #host: BypassesHost;
  readonly #inner: BypassHost;
  readonly #open = new Map<number, Bypass>();
  readonly #unclaimed = new Set<Bypass>();
  /** What is to be done when the link of an execution has ended that has not come yet; with nothing, that is cut off. */
  readonly #expected = new Map<number, (() => void) | undefined>();
  #state: "none" | "taking" | "closed" = "none";

  /** Makes none yet. */
  constructor(host: BypassesHost) {
    this.#host = host;
    this.#inner = { ...host, claimed: (bypass, id) => this.#claimed(bypass, id) };
  }

  /** Moves an execution of this side to its link. The end of that is the end of the session. */
  open(branch: Branch, transport: Transport): void {
    const bypass = new Bypass(this.#inner, transport);
    this.#open.set(branch.id, bypass);
    this.#host.control(makeFrame(FrameType.BYPASS, branch.id));
    bypass.begin(branch);
    void bypass.drained.then(() => this.#host.fail(undefined));
  }

  /** Takes the other side's mark: what it sends to an execution of this side comes by the link now. */
  marked(id: number): void {
    const bypass = this.#open.get(id);
    if (bypass === undefined || this.#state === "taking") {
      throw new ProtocolError("Cannot take a bypass here");
    }
    void bypass.read();
  }

  /** Takes a link that an execution of the other side has brought, or will have. */
  add(transport: Transport): void {
    if (this.#unclaimed.size >= MAX_UNCLAIMED || this.#state === "closed") return transport.abort();
    this.#state = "taking";
    const bypass = new Bypass(this.#inner, transport);
    this.#unclaimed.add(bypass);
    void bypass.read().finally(() => this.#unclaimed.delete(bypass));
  }

  /** No further link comes. */
  noMore(): void {
    this.#state = "closed";
    for (const over of this.#expected.values()) over?.();
    this.#expected.clear();
  }

  #claimed(bypass: Bypass, id: number): Branch {
    if (this.#open.has(id)) throw new ProtocolError(`Cannot take another bypass for execution ${id}`);
    const branch = this.#host.branch(id);
    this.#unclaimed.delete(bypass);
    this.#open.set(id, bypass);
    if (this.#expected.has(id)) {
      const over = this.#expected.get(id);
      this.#expected.delete(id);
      if (over === undefined) bypass.end();
      void bypass.drained.then(over ?? (() => void this.#open.delete(id)));
    }
    return branch;
  }

  /**
   * Takes a router's last word about an execution with a bypass: it is over, and whatever is left of its channels closes
   * when all has been read that it had sent.
   */
  lastWord(id: number, flags: number, payload: Uint8Array): void {
    const { LINKED, CUT } = CloseFlag;
    if (flags & ~(LINKED | CUT)) throw new ProtocolError(`Cannot read a last word: flags ${flags}`);
    const branch = this.#host.branch(id);
    const reason = payload.slice();
    if (reason.length > 0) this.#host.readError(reason);
    const over = (): void => {
      this.#open.delete(id);
      this.#close(branch, reason);
    };
    const bypass = this.#open.get(id);
    // What was killed may go on and never close its link.
    if (flags & CUT) bypass?.end();
    if (bypass !== undefined) void bypass.drained.then(over);
    else if (flags & CUT) {
      this.#expect(id, undefined);
      over();
    } else if (this.#state === "closed") over();
    else this.#expect(id, over);
  }

  #expect(id: number, over: (() => void) | undefined): void {
    if (this.#state === "closed") return;
    if (this.#expected.size >= MAX_UNCLAIMED) {
      // The oldest ones are of executions that had no time to show their links.
      const [oldest, waiting] = this.#expected.entries().next().value!;
      this.#expected.delete(oldest);
      waiting?.();
    }
    this.#expected.set(id, over);
  }

  #close(branch: Branch, reason: Uint8Array): void {
    for (const end of [...this.#host.ends]) {
      if (end.branch?.id !== branch.id) continue;
      end.closedByPeer(reason.length === 0 ? undefined : this.#host.readError(reason, end));
    }
  }

  /** Resolves when nothing is left to write. */
  async flushed(): Promise<void> {
    for (const bypass of this.#open.values()) await bypass.flushed();
  }

  /** Resolves when nothing more comes. */
  async drained(): Promise<void> {
    for (const bypass of [...this.#open.values(), ...this.#unclaimed]) await bypass.drained;
  }

  /** Ends them at once. */
  end(): void {
    this.#state = "closed";
    this.#expected.clear();
    for (const bypass of [...this.#open.values(), ...this.#unclaimed]) bypass.end();
  }
}
