/** A link past the router: from the program to one execution, for all that belongs to it. See PROTOCOL.md. */

import type { Branch } from "./branch.ts";
import { ProtocolError } from "./errors.ts";
import { FrameType, makeFrame, readUint48 } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import type { FrameHead, FrameSink } from "./frame_reader.ts";
import type { Outbox } from "./outbox.ts";
import type { Transport } from "./transport.ts";
import { Writer } from "./writer.ts";

/** What a bypass needs of its session. */
export interface BypassHost extends FrameSink {
  /** The execution that a channel belongs to, while it is open. */
  branchOf(channel: number): Branch | undefined;
  /** A bypass was broken from the other side: the reason for the end of all. */
  fail(reason: unknown): void;
}

/** What passes a bypass: frames of channels, and nothing about the connection or about the execution itself. */
const PASSING: ReadonlySet<FrameType> = new Set([
  FrameType.OPEN,
  FrameType.DATA,
  FrameType.CREDIT,
  FrameType.CLOSE_WRITE,
  FrameType.CLOSE,
]);

/**
 * The link of one execution. Each direction changes to it at a mark, behind which nothing comes by the connection but the
 * last frames of channels that had been closed before.
 */
export class Bypass implements FrameSink {
  /** Whose link it is. */
  readonly branch: Branch;
  /** Resolves when nothing more comes by it. */
  readonly drained: Promise<void>;
  readonly #host: BypassHost;
  readonly #reader: FrameReader = new FrameReader(this);
  readonly #drain: () => void;
  #transport: Transport | undefined;
  #writer: Writer | undefined;
  #over = false;

  /** Makes a bypass without a link. */
  constructor(host: BypassHost, branch: Branch) {
    this.#host = host;
    this.branch = branch;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.drained = promise;
    this.#drain = resolve;
  }

  /** Whether it has its link already. */
  get attached(): boolean {
    return this.#transport !== undefined;
  }

  /** Gives it its link, by which frames leave as soon as `mark` has been queued behind all that is being written. */
  attach(transport: Transport, mark: Uint8Array): void {
    if (this.#over) return transport.abort();
    this.#transport = transport;
    const { branch } = this;
    const before = branch.writer;
    const writer = this.#writer = new Writer(
      (bytes, whole) => transport.write(bytes, whole),
      transport.writeBudget,
      // That the other side reads no more is told by the connection, with the reason.
      () => this.end(),
    );
    before.between(() => {
      before.control(mark);
      branch.writer = writer;
      const moved = before.withdraw((outbox: Outbox) => this.#host.branchOf(outbox.channel) === branch);
      for (const outbox of moved) writer.ready(outbox);
    });
  }

  /** Reads from its link, now that the other side's mark has come. */
  async read(): Promise<void> {
    const transport = this.#transport!;
    const reader = this.#reader;
    try {
      while (!this.#over) {
        const count = await transport.read(reader.space());
        if (count === null) break;
        if (!this.#over) reader.filled(count);
      }
    } catch (error) {
      if (error instanceof ProtocolError) this.#host.fail(error);
    }
    this.end();
  }

  /** Resolves when nothing is left to write. */
  flushed(): Promise<void> {
    return this.#writer?.idle() ?? Promise.resolve();
  }

  /** Ends both directions at once. Idempotent. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#writer?.stop();
    this.#transport?.abort();
    this.#drain();
  }

  /** Takes a frame from the link. */
  frame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    if (this.#over) return;
    this.#check(head);
    if (head.type === FrameType.OPEN && end - start === 6) {
      const carrier = this.#host.branchOf(readUint48(bytes, start));
      // The carrier may have been closed here while the frame was under way; the new channel is then unreachable.
      if (carrier === undefined) return this.#writer!.control(makeFrame(FrameType.CLOSE, head.channel));
      if (carrier !== this.branch) throw new ProtocolError("Cannot open a channel of another execution");
    }
    this.#host.frame(head, bytes, start, end, owned);
  }

  /** Gives room for a payload that is still coming. */
  place(head: FrameHead, length: number): Uint8Array | undefined {
    this.#check(head);
    return this.#host.place(head, length);
  }

  /** Takes a payload that has filled its room. */
  placed(head: FrameHead, payload: Uint8Array): void {
    if (!this.#over) this.#host.placed(head, payload);
  }

  /** One execution has nothing to say about the channels of another one. */
  #check({ type, channel }: FrameHead): void {
    const branch = this.#host.branchOf(channel);
    if (!PASSING.has(type) || branch !== undefined && branch !== this.branch) {
      throw new ProtocolError(`Cannot take a frame of type ${type} for channel ${channel} by a bypass`);
    }
  }
}
