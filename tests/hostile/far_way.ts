/** The ways by which a scripted far side is reached: a Unix socket, as a local process is, and TCP, as a server is. */

import { Encoder } from "../../channel/encode.ts";
import { writeUint48 } from "../../channel/frame.ts";
import { NUMBER_BYTES } from "../../channel/bypasses.ts";
import { admit, readStart } from "../../gateway/server/admission.ts";
import { creditOf, Kind, OUTPUT_WINDOW_BYTES } from "../../gateway/socket/frames.ts";
import { Sifter } from "../../gateway/socket/sifter.ts";
import { FrameWriter, writeAll } from "../../gateway/socket/wire.ts";

/** Both directions of the connection that a caller believes to lead to an agent. */
export interface Way {
  /** Reads what the caller has sent to its agent; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Sends bytes as the agent. Rejects when the caller has gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** Prints up to 64 KiB as the process does. */
  print(bytes: Uint8Array): Promise<void>;
  /** Ends it, and the process that the caller believes in. */
  close(): Promise<void>;
  /** Brings a further link with the process's proof and that number; only where links are taken. */
  link(number: number): Promise<Deno.Conn>;
  /** Sends a frame of the protocol between client and server; only over TCP. */
  serverFrame(bytes: Uint8Array): Promise<void>;
}

/** The length of a frame has 24 bits. */
const CHUNK_BYTES = 1024 * 1024;

const NOWHERE = (): never => {
  throw new Error("This way has no such thing");
};

/** What the first lines of a process are told, which stands in their URL. */
interface StageZero {
  readonly path: string;
  readonly nonce: string;
}

/** Goes where a process is expected that `name.url` was to start. */
export async function unixWay(folder: string, name: string): Promise<Way> {
  const url = decodeURIComponent(await Deno.readTextFile(`${folder}/${name}.url`));
  const zero: StageZero = JSON.parse(/const Z=(\{.*?\}),U=/s.exec(url)![1]!);
  const printed = await Deno.open(`${folder}/${name}.printed`, { write: true });
  const connect = async (): Promise<Deno.UnixConn> => {
    const connection = await Deno.connect({ transport: "unix", path: zero.path });
    await writeAll(connection, Uint8Array.fromHex(zero.nonce));
    return connection;
  };
  const connection = await connect();
  return {
    read: (into) => connection.read(into).catch(() => null),
    write: (bytes) => writeAll(connection, bytes),
    print: (bytes) => writeAll(printed, bytes),
    close(): Promise<void> {
      connection.close();
      printed.close();
      return Promise.resolve();
    },
    async link(number): Promise<Deno.Conn> {
      const link = await connect();
      const words = new Uint8Array(NUMBER_BYTES);
      writeUint48(words, 0, number);
      await writeAll(link, words);
      return link;
    },
    serverFrame: NOWHERE,
  };
}

/** Lets a client in, as a server does, and says that it has started what the client asks for. */
export async function serverWay(connection: Deno.Conn, token: CryptoKey): Promise<[name: string, Way]> {
  await admit(connection, token);
  const { name } = await readStart(connection);
  const writer = new FrameWriter(connection);
  const encoder = new Encoder();
  await writer.send(Kind.STARTED, encoder.encode({ pid: Deno.pid, cwd: "/", agent: false }));
  let over = false;
  let credit = OUTPUT_WINDOW_BYTES;
  let wake = (): void => {};
  const sifter = new Sifter((kind, payload) => {
    if (kind === Kind.CREDIT) credit += creditOf(payload);
    else over = true;
    wake();
  });
  return [String(name), {
    async read(into): Promise<number | null> {
      while (!over) {
        const count = await connection.read(into).catch(() => null);
        if (count === null) return null;
        const kept = sifter.sift(into.subarray(0, count));
        if (kept > 0) return kept;
      }
      return null;
    },
    async write(bytes): Promise<void> {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        await writer.send(Kind.DATA, bytes.subarray(at, at + CHUNK_BYTES));
      }
    },
    async print(bytes): Promise<void> {
      while (credit < bytes.length && !over) await new Promise<void>((resolve) => wake = resolve);
      credit -= bytes.length;
      await writer.send(Kind.OUTPUT, bytes);
    },
    async close(): Promise<void> {
      await writer.send(Kind.EXIT, encoder.encode({ code: 0, signal: null })).catch(() => {});
      connection.close();
    },
    link: NOWHERE,
    serverFrame: (bytes) => writeAll(connection, bytes),
  }];
}
