/** Where the server takes connections, with TLS or without. */

import { inTurns } from "../../channel/turn.ts";
import { socketLink } from "../process/node_link.ts";
import type { Address } from "../socket/address.ts";
import type { Wire } from "../socket/wire.ts";

/** A connection that was taken. */
export interface Connection extends Wire {
  /** Where it comes from. */
  readonly peer: Address;
  /** Ends it at once, whatever state it is in. */
  close(): void;
}

/** What takes connections. */
export interface Listening {
  readonly port: number;
  /** Takes no more. */
  close(): void;
}

/** What is done with what comes. */
export interface Takers {
  /** A connection has come. */
  taken(connection: Connection): void;
  /** One could not be taken. */
  failed(error: Error): void;
}

/** Certificate and key, in PEM. */
export interface Pem {
  readonly cert: string;
  readonly key: string;
}

/** When the system has no descriptor left for a connection, the next is not tried at once. */
const ACCEPT_PAUSE_MS = 100;

/** Listens. Throws what the system says when that is impossible. */
export function listen(address: Address, tls: Pem | undefined, takers: Takers): Promise<Listening> {
  return tls === undefined ? Promise.resolve(listenPlain(address, takers)) : listenTls(address, tls, takers);
}

function listenPlain({ host: hostname, port }: Address, { taken, failed }: Takers): Listening {
  const listener = Deno.listen({ hostname, port });
  let closed = false;
  void (async () => {
    while (!closed) {
      try {
        const connection = await listener.accept();
        connection.setNoDelay(true);
        const { hostname: host, port } = connection.remoteAddr as Deno.NetAddr;
        taken({
          peer: { host, port },
          read: inTurns((into) => connection.read(into)),
          write: (bytes) => connection.write(bytes),
          close: () => connection.close(),
        });
      } catch (error) {
        if (closed) return;
        failed(error as Error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    close(): void {
      closed = true;
      listener.close();
    },
  };
}

/**
 * By node's sockets: Deno 2.9.6 lets go of a connection whose handshake has not been finished only when its client does,
 * so that who cannot prove anything could use up the server's descriptors. They are as fast here as Deno's.
 */
async function listenTls({ host, port }: Address, pem: Pem, { taken, failed }: Takers): Promise<Listening> {
  const [{ createServer }, { createSecureContext, TLSSocket }] = await Promise.all([
    import("node:net"),
    import("node:tls"),
  ]);
  const secureContext = createSecureContext({ ...pem });
  const server = createServer({ noDelay: true }, (plain) => {
    plain.on("error", () => {});
    const secured = new TLSSocket(plain, { isServer: true, secureContext });
    const link = socketLink(secured, secured);
    taken({
      peer: { host: plain.remoteAddress ?? "", port: plain.remotePort ?? 0 },
      read: (into) => link.read(into),
      write: (bytes) => link.write(bytes),
      close(): void {
        link.close();
        plain.destroy();
      },
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      server.on("error", failed);
      resolve();
    });
  });
  return {
    port: (server.address() as { port: number }).port,
    close: () => void server.close(),
  };
}
