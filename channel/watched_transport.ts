/** A transport whose bytes somebody else sees pass. */

import type { Transport } from "./transport.ts";

/** Sees the bytes of one direction. They are valid until it returns. */
export type SeeBytes = (bytes: Uint8Array) => void;

/**
 * The transport, but that bytes are seen: those that are sent before they are written, because afterwards they may be
 * detached, and those that are received before they are handed over.
 */
export function watchTransport(transport: Transport, sent: SeeBytes, received: SeeBytes): Transport {
  const { receiveMessages } = transport;
  return {
    async read(into): Promise<number | null> {
      const count = await transport.read(into);
      if (count !== null) received(into.subarray(0, count));
      return count;
    },
    write(bytes, whole): Promise<void> {
      sent(bytes);
      return transport.write(bytes, whole);
    },
    close: () => transport.close(),
    abort: () => transport.abort(),
    writeBudget: transport.writeBudget,
    ...(receiveMessages === undefined ? {} : {
      receiveMessages: (push, ended) =>
        receiveMessages.call(transport, (bytes) => {
          received(bytes);
          push(bytes);
        }, ended),
    }),
  };
}
