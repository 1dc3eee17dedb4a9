/** Tells which frames pass a transport. Only bytes of headers are looked at: what items hold is never told. */

import { EMPTY, FrameType, HEADER_BYTES, isChannelFrame, readUint32, readUint48 } from "./frame.ts";
import type { Transport } from "./transport.ts";
import { watchTransport } from "./watched_transport.ts";

/** Takes lines, without their ends, that belong together. Must not throw, and is done with them when it returns. */
export type TracePrint = (lines: readonly string[]) => void;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(FrameType).map(([name, type]) => [type, isChannelFrame(type) ? `CHANNEL_${name}` : name]),
);

/**
 * The transport, but for a line about each frame that passes: `gw0 sent CHANNEL_DATA channel=1 bytes=42`, where `bytes`
 * is the payload's length. Without tracing nobody calls this, and then it costs nothing.
 *
 * - A line is printed as soon as a frame's header has passed: before its bytes are written, and before they are
 *   handed over as read.
 * - The frames of one read or write are printed by one call.
 * - A header that breaks the protocol is told as it is; to end the connection is the session's affair.
 *
 * @param first bytes that were read already, behind the greeting; they are told at once
 */
export function traceTransport(
  transport: Transport,
  name: string,
  print: TracePrint,
  first: Uint8Array = EMPTY,
): Transport {
  const sent = new HeaderWatch(`${name} sent`, print);
  const received = new HeaderWatch(`${name} received`, print);
  received.look(first);
  return watchTransport(transport, (bytes) => sent.look(bytes), (bytes) => received.look(bytes));
}

/** Follows one direction: headers are gathered, payloads skipped, cut wherever they are. */
class HeaderWatch {
  readonly #prefix: string;
  readonly #print: TracePrint;
  readonly #header = new Uint8Array(HEADER_BYTES);
  /** Bytes of the current header that have come. */
  #got = 0;
  /** Bytes of the current payload that have not come yet. */
  #skip = 0;

  constructor(prefix: string, print: TracePrint) {
    this.#prefix = prefix;
    this.#print = print;
  }

  look(bytes: Uint8Array): void {
    const lines: string[] = [];
    for (let at = 0; at < bytes.length;) {
      if (this.#skip > 0) {
        const part = Math.min(this.#skip, bytes.length - at);
        this.#skip -= part;
        at += part;
        continue;
      }
      const part = bytes.subarray(at, at + HEADER_BYTES - this.#got);
      this.#header.set(part, this.#got);
      this.#got += part.length;
      at += part.length;
      if (this.#got < HEADER_BYTES) break;
      this.#got = 0;
      this.#skip = readUint32(this.#header, 8);
      lines.push(this.#line());
    }
    if (lines.length > 0) this.#print(lines);
  }

  #line(): string {
    const type = this.#header[0]!;
    const channel = isChannelFrame(type) ? ` channel=${readUint48(this.#header, 2)}` : "";
    return `${this.#prefix} ${NAMES.get(type) ?? `UNKNOWN_${type}`}${channel} bytes=${this.#skip}`;
  }
}
