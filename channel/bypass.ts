/** A link past the router: from the program to one execution, for all that belongs to it. See PROTOCOL.md. */

import type { Branch } from "./branch.ts";
import { ProtocolError } from "./errors.ts";
import { FrameType, isInBlock, makeFrame, MAX_BYPASS_PAYLOAD_BYTES, readUint48 } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import type { FrameHead, FrameSink } from "./frame_reader.ts";
import type { Outbox } from "./outbox.ts";
import type { Transport } from "./transport.ts";
import { Writer } from "./writer.ts";

/** What a bypass needs of its session. */
export interface BypassHost extends FrameSink {
  /** The execution that a channel belongs to, while it is open. */
  branchOf(channel: number): Branch | undefined;
  /** The execution that has come by `bypass`, as it says by the first frame. Throws ProtocolError where that cannot be. */
  claimed(bypass: Bypass, id: number): Branch;
  /** What came by `bypass` breaks the protocol. */
  broken(bypass: Bypass, error: ProtocolError): void;
}

/** What passes a bypass: frames of channels, and nothing about the connection or about the execution itself. */
const PASSING: ReadonlySet<FrameType> = new Set([
  FrameType.OPEN,
  FrameType.DATA,
  FrameType.CREDIT,
  FrameType.CLOSE_WRITE,
  FrameType.CLOSE,
]);

/** The longest part of an item with what goes before it, so that both leave in one write. */
const LONGEST_BYTES = MAX_BYPASS_PAYLOAD_BYTES + 64;

/** The link of one execution. */
export class Bypass implements FrameSink {
  /** What the link has said it is, and no other link: the first of the ids that its execution has. */
  readonly number: number;
  /** Resolves when nothing more comes by it. */
  readonly drained: Promise<void>;
  /** Whether the router has said whose link it is. */
  announced = false;
  /** Whether its execution has said by it that it has ended. */
  closed = false;
  readonly #host: BypassHost;
  readonly #transport: Transport;
  readonly #writer: Writer;
  readonly #reader: FrameReader = new FrameReader(this, MAX_BYPASS_PAYLOAD_BYTES);
  readonly #drain: () => void;
  #branch: Branch | undefined;
  /** Whether the execution is on this side. */
  #own = false;
  #over = false;
  /** What has come while frames about the execution still leave by the connection, and when they do no longer. */
  #held: { frames: (() => void)[]; moved: Promise<void> } | undefined;

  /** Makes a bypass of a link, for no execution yet. */
  constructor(host: BypassHost, transport: Transport, number: number) {
    this.#host = host;
    this.number = number;
    this.#transport = transport;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.drained = promise;
    this.#drain = resolve;
    this.#writer = new Writer(
      (bytes, whole) => transport.write(bytes, whole),
      Math.max(transport.writeBudget, LONGEST_BYTES),
      () => this.#unheard(),
    );
  }

  /** Whose link it is. */
  get branch(): Branch | undefined {
    return this.#branch;
  }

  /**
   * Moves an execution to it, of which nothing has been sent yet, and says so with the first thing that is sent: a write
   * of its own would hold that up until the event loop turns.
   */
  begin(branch: Branch): void {
    this.#own = true;
    this.#branch = branch;
    this.#writer.precede(makeFrame(FrameType.BYPASS, branch.id));
    this.#move(branch);
  }

  /** From now on frames leave by this link, and as long ones as it may carry: they hold up nobody else. */
  #move(branch: Branch): void {
    branch.writer = this.#writer;
    branch.fragmentBytes = MAX_BYPASS_PAYLOAD_BYTES;
  }

  /** Reads from its link. */
  async read(): Promise<void> {
    const transport = this.#transport;
    const reader = this.#reader;
    try {
      while (!this.#over) {
        const count = await transport.read(reader.space());
        if (count === null) break;
        if (!this.#over) reader.filled(count);
        if (this.#held !== undefined) await this.#release(this.#held);
      }
    } catch (error) {
      if (error instanceof ProtocolError && !this.#over) this.#host.broken(this, error);
    }
    this.end();
  }

  /** Resolves when nothing is left to write. */
  flushed(): Promise<void> {
    return this.#writer.idle();
  }

  /** The other side reads no more. What an execution had sent before it ended is still to be read. */
  #unheard(): void {
    if (this.#own) this.end();
    else this.#writer.stop();
  }

  /** Ends both directions at once. Idempotent. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#writer.stop();
    this.#transport.abort();
    this.#drain();
  }

  /** Takes a frame from the link. */
  frame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    if (this.#over) return;
    if (this.#held !== undefined) {
      const own = bytes.slice(start, end);
      const kept = { ...head };
      this.#held.frames.push(() => this.frame(kept, own, 0, own.length, true));
      return;
    }
    if (this.#branch === undefined) return this.#claim(head, end - start);
    this.#check(head);
    if (head.type === FrameType.OPEN && end - start === 6) {
      if (!this.#own && !isInBlock(head.channel, this.number)) {
        throw new ProtocolError(`Cannot open channel ${head.channel}: the id is another execution's to give`);
      }
      const carrier = this.#host.branchOf(readUint48(bytes, start));
      // The carrier may have been closed here while the frame was under way; the new channel is then unreachable.
      if (carrier === undefined) return this.#writer.control(makeFrame(FrameType.CLOSE, head.channel));
      if (carrier !== this.#branch) throw new ProtocolError("Cannot open a channel of another execution");
    }
    if (head.type === FrameType.CLOSE && head.channel === this.#branch.id) this.closed = true;
    this.#host.frame(head, bytes, start, end, owned);
  }

  /**
   * Hands on what was held. The connection's way leads through a router, which knows nothing of channels that were opened by
   * this link: whatever is said about these has to leave by it, too.
   */
  async #release({ frames, moved }: { frames: (() => void)[]; moved: Promise<void> }): Promise<void> {
    await Promise.race([moved, this.drained]);
    this.#held = undefined;
    for (const frame of frames) frame();
  }

  /** Gives room for a payload that is still coming. */
  place(head: FrameHead, length: number): Uint8Array | undefined {
    if (this.#held !== undefined) return undefined;
    this.#check(head);
    return this.#host.place(head, length);
  }

  /** Takes a payload that has filled its room. */
  placed(head: FrameHead, payload: Uint8Array): void {
    if (!this.#over) this.#host.placed(head, payload);
  }

  /**
   * Takes the first frame: whose link it is. What is sent to that execution leaves by it as soon as what is being written
   * has left, and behind a mark. Until then nothing more is taken from it.
   */
  #claim({ type, flags, channel }: FrameHead, length: number): void {
    if (type !== FrameType.BYPASS || flags !== 0 || length !== 0) {
      throw new ProtocolError(`Cannot take a frame of type ${type} by a link that is nobody's yet`);
    }
    const branch = this.#branch = this.#host.claimed(this, channel);
    const before = branch.writer;
    const { promise, resolve } = Promise.withResolvers<void>();
    before.between(() => {
      before.control(makeFrame(FrameType.BYPASS, channel));
      this.#move(branch);
      const moved = before.withdraw((outbox: Outbox) => this.#host.branchOf(outbox.channel) === branch);
      for (const outbox of moved) this.#writer.ready(outbox);
      resolve();
    });
    if (branch.writer === before) this.#held = { frames: [], moved: promise };
  }

  /** One execution has nothing to say about the channels of another one. */
  #check({ type, channel }: FrameHead): void {
    const branch = this.#host.branchOf(channel);
    if (!PASSING.has(type) || this.#branch === undefined || branch !== undefined && branch !== this.#branch) {
      throw new ProtocolError(`Cannot take a frame of type ${type} for channel ${channel} by a bypass`);
    }
  }
}
