/** A client of a real server that sends what it likes, before it is let in and afterwards. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Kind, writeHeader } from "../../gateway/socket/frames.ts";
import { importToken, makeHello, PROOF_BYTES, prove, VERDICT } from "../../gateway/socket/proof.ts";
import { readExactly, readFields, readFrame, readHello, writeAll } from "../../gateway/socket/wire.ts";
import { concat } from "../helpers/sessions.ts";
import { limited, until } from "../helpers/wait.ts";
import type { RunningServer } from "../integration/server_process.ts";
import { item } from "./raw_agent.ts";

const LIMIT_MS = 15_000;

/** What a server answers to a start. */
export interface Answer {
  readonly kind: number;
  readonly fields: Record<string, unknown>;
}

/** A frame between client and server, whose header may promise more than there is. */
export function serverFrame(
  kind: number,
  payload: Uint8Array = new Uint8Array(0),
  length: number = payload.length,
): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(4);
  writeHeader(head, kind, length);
  return concat(head, payload);
}

/** A connection to a server. */
export class RawClient implements Disposable {
  readonly #server: RunningServer;
  readonly #connection: Deno.TcpConn;
  /** Where what the log says of it begins: its port may have been another one's before. */
  readonly #from: number;

  private constructor(server: RunningServer, connection: Deno.TcpConn, from: number) {
    this.#server = server;
    this.#connection = connection;
    this.#from = from;
  }

  /** Connects, and says nothing. */
  static async connect(server: RunningServer): Promise<RawClient> {
    const from = server.log.text.length;
    return new RawClient(server, await Deno.connect({ hostname: "127.0.0.1", port: server.port }), from);
  }

  /** The same, and proves that it has the token. */
  static async admitted(server: RunningServer): Promise<RawClient> {
    const client = await RawClient.connect(server);
    const token = await importToken((await Deno.readTextFile(`${server.folder}/token`)).trim());
    const hello = makeHello();
    await client.send(hello);
    const theirs = await readHello(client.#connection);
    await client.send(await prove(token, "client", hello, theirs));
    const [verdict] = await readExactly(client.#connection, 1 + PROOF_BYTES);
    assertEquals(verdict, VERDICT.granted);
    return client;
  }

  /** Sends bytes; says whether they were taken. */
  async send(...parts: readonly Uint8Array[]): Promise<boolean> {
    try {
      for (const part of parts) await writeAll(this.#connection, part);
      return true;
    } catch {
      return false;
    }
  }

  /** Reads exactly so many bytes. */
  read(count: number): Promise<Uint8Array> {
    return readExactly(this.#connection, count);
  }

  /** Asks for a process. */
  async start(spec: string, name = "raw"): Promise<Answer> {
    await this.send(serverFrame(Kind.START, item({ name, spec })));
    const { kind, payload } = await limited("an answer", readFrame(this.#connection), LIMIT_MS);
    return { kind, fields: readFields(payload) };
  }

  /** Asks for a process, which is to run this text as its agent: its first lines call `startAgent` of what it gives. */
  async run(agent: string): Promise<void> {
    const { kind, fields } = await this.start("popen//execmodel=main");
    assert(kind === Kind.STARTED, String(fields.message));
    const text = new TextEncoder().encode(agent);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, text.length);
    await this.send(serverFrame(Kind.DATA, concat(length, text)));
  }

  /** Reads to the end, which the server makes. Gives how much there was. */
  async end(): Promise<number> {
    const drain = async (): Promise<number> => {
      let total = 0;
      const buffer = new Uint8Array(64 * 1024);
      try {
        for (let n; (n = await this.#connection.read(buffer)) !== null;) total += n;
      } catch {
        // It was reset.
      }
      return total;
    };
    return await limited("the end of a connection", drain(), LIMIT_MS);
  }

  /** The lines of the server's log about this connection, when there are so many. */
  async log(count: number): Promise<string[]> {
    const { port } = this.#connection.localAddr as Deno.NetAddr;
    const lines = (): string[] =>
      this.#server.log.text.slice(this.#from).split("\n").filter((line) =>
        line.includes(` 127.0.0.1:${port} `)
      );
    await until(`${count} lines about ${port}: ${lines()}`, () => lines().length >= count, LIMIT_MS);
    return lines();
  }

  /** Goes. */
  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed.
    }
  }
}
