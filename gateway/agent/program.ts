/** Runs a program here for a gateway that is reached through this one: its streams go through channels. */

import type { Channel } from "../../channel/channel.ts";
import { inTurns, Stint } from "../../channel/turn.ts";
import type { LinkJob, ProgramJob } from "../process/job.ts";
import { ifThere, killLater } from "../process/process.ts";
import type { Door } from "./door.ts";

/** Bytes of one item. */
const CHUNK_BYTES = 256 * 1024;

/** The way to a program and back. */
interface Streams {
  /** Passes on what it is sent, to the end. */
  feed(bytes: Channel<Uint8Array, Uint8Array>): Promise<void>;
  /** Passes on what it sends, to the end. */
  drain(bytes: Channel<Uint8Array, Uint8Array>): Promise<void>;
  /** Ends the program. */
  kill(): void;
  /** It has ended. */
  ended(): void;
}

/** Runs a program to its end. What its starter still reads has the window's size; the program waits for the rest. */
export async function runProgram(job: ProgramJob, channel: Channel, door?: Door): Promise<void> {
  const { output, control } = job;
  // Nobody reads any more what it writes: a shell hears of that, where it is behind a pipe that is full, in no other way.
  const gone = new AbortController();
  let child: Deno.ChildProcess;
  let streams: Streams;
  try {
    child = start(job);
    streams = job.nonce === undefined ? ownStreams(child, gone.signal) : linked(child, door!, job);
  } catch (error) {
    for (const one of [output, control]) void one.close(error as Error);
    throw error;
  }
  const bytes = channel as unknown as Channel<Uint8Array, Uint8Array>;
  let over = false;
  const kill = (): void => {
    streams.kill();
    gone.abort();
  };
  void (async () => {
    // Whoever started it has gone without a word where this throws.
    for await (const word of control) {
      if (over) return;
      if (word === "terminate") ifThere(() => child.kill("SIGTERM"));
      else kill();
    }
  })().catch(() => {}).finally(() => {
    if (!over) kill();
  });
  await control.send({ pid: child.pid });
  void streams.feed(bytes);
  const drained = Promise.all([
    streams.drain(bytes),
    pass(child.stderr, output, gone.signal).then(() => output.closeWrite()),
  ]).catch(kill);
  const { code, signal } = await child.status;
  over = true;
  streams.ended();
  await drained;
  await control.send({ code, signal });
  await Promise.all([output.close(), control.close()]);
}

/** Starts a program. Throws why that is impossible. */
function start({ command, nonce, env = {} }: ProgramJob): Deno.ChildProcess {
  const [program, ...args] = command.map(String);
  const stdout = nonce === undefined ? "piped" : "null";
  return new Deno.Command(program!, { args, env, stdin: "piped", stdout, stderr: "piped", detached: true })
    .spawn();
}

/** A program whose stdin and stdout are the way. */
function ownStreams(child: Deno.ChildProcess, gone: AbortSignal): Streams {
  const stdin = child.stdin.getWriter();
  const abort = (): void => void stdin.abort().catch(() => {});
  return {
    async feed(bytes): Promise<void> {
      try {
        for await (const chunk of bytes) await stdin.write(chunk);
        await stdin.close();
      } catch {
        // It reads no more, or has ended.
        abort();
      }
    },
    drain: (bytes) => pass(child.stdout, bytes, gone),
    kill(): void {
      ifThere(() => child.kill("SIGKILL"));
      abort();
    },
    ended: () => {},
  };
}

/** Passes on what a program brings by a further link, and what is for it. */
export async function runLink({ id }: LinkJob, channel: Channel, door: Door | undefined): Promise<void> {
  const connection = door?.collect(id);
  if (connection === undefined) return;
  using _ = connection;
  const bytes = channel as unknown as Channel<Uint8Array, Uint8Array>;
  const drained = drain(connection, bytes);
  // What reads no more may have sent before.
  const fed = feed(bytes, connection).catch(() => bytes.isClosed() ? undefined : drained);
  await Promise.race([fed, drained]);
}

/** A program that connects to the door. Its stdin is its lifeline: when that ends, it is killed with all that it started. */
function linked(child: Deno.ChildProcess, door: Door, { nonce, control }: ProgramJob): Streams {
  const gone = new AbortController();
  const letGo = (): void => {
    gone.abort();
    child.stdin.close().catch(() => {});
  };
  let late: (() => void) | undefined;
  const first = Promise.withResolvers<Deno.UnixConn | undefined>();
  gone.signal.addEventListener("abort", () => first.resolve(undefined));
  let connected = false;
  door.expect(nonce!, gone.signal, (connection) => {
    if (connected) return void control.send({ link: door.leave(connection, gone.signal) }).catch(() => {});
    connected = true;
    first.resolve(connection);
  });
  return {
    async feed(bytes): Promise<void> {
      const connection = await first.promise;
      if (connection === undefined) return;
      try {
        await feed(bytes, connection);
        await connection.closeWrite();
      } catch {
        // It has ended, or is about to.
      }
    },
    async drain(bytes): Promise<void> {
      const connection = await first.promise;
      if (connection === undefined) return;
      using _ = connection;
      await drain(connection, bytes);
    },
    kill(): void {
      letGo();
      late ??= killLater(child.pid, () => child.kill("SIGKILL"));
    },
    ended(): void {
      late?.();
      letGo();
    },
  };
}

async function feed(bytes: Channel<Uint8Array, Uint8Array>, connection: Deno.UnixConn): Promise<void> {
  for await (const chunk of bytes) {
    for (let offset = 0; offset < chunk.length;) {
      offset += await connection.write(offset === 0 ? chunk : chunk.subarray(offset));
    }
  }
}

async function drain(connection: Deno.UnixConn, bytes: Channel<Uint8Array, Uint8Array>): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  const read = inTurns((into) => connection.read(into));
  while (true) {
    const count = await read(buffer).catch(() => null);
    if (count === null) return;
    await bytes.send(buffer.subarray(0, count));
  }
}

/** Passes on what a program writes, as fast as it is taken, until `gone`. */
async function pass(
  stream: ReadableStream<Uint8Array>,
  channel: Channel<unknown, Uint8Array>,
  gone: AbortSignal,
): Promise<void> {
  const reader = stream.getReader({ mode: "byob" });
  gone.addEventListener("abort", () => void reader.cancel().catch(() => {}));
  const stint = new Stint();
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  while (true) {
    const { value, done } = await stint.take(() => reader.read(new Uint8Array(buffer)));
    if (done || value === undefined) return;
    await channel.send(value);
    buffer = value.buffer as ArrayBuffer;
  }
}
