/** Runs a program here for a gateway that is reached through this one: its streams go through channels. */

import type { Channel } from "../../channel/channel.ts";
import type { ProgramJob } from "../process/job.ts";
import { ifThere } from "../process/process.ts";

/** Bytes of one item. */
const CHUNK_BYTES = 256 * 1024;

/** Runs a program to its end. What its starter still reads has the window's size; the program waits for the rest. */
export async function runProgram(job: ProgramJob, channel: Channel): Promise<void> {
  const { command, output, control } = job;
  const child = start(command, (error) => {
    for (const one of [output, control]) void one.close(error);
  });
  const bytes = channel as unknown as Channel<Uint8Array, Uint8Array>;
  const stdin = child.stdin.getWriter();
  const kill = (): void => {
    ifThere(() => child.kill("SIGKILL"));
    stdin.abort().catch(() => {});
  };
  let over = false;
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
  void (async () => {
    for await (const chunk of bytes) await stdin.write(chunk);
    await stdin.close();
  })().catch(() => {
    // It reads no more, or has ended.
    stdin.abort().catch(() => {});
  });
  const drained = Promise.all([
    pass(child.stdout, bytes),
    pass(child.stderr, output).then(() => output.closeWrite()),
  ]).catch(kill);
  const { code, signal } = await child.status;
  over = true;
  await drained;
  await control.send({ code, signal });
  await Promise.all([output.close(), control.close()]);
}

/** Starts a program. Whoever waits for it hears why that is impossible. */
function start(command: readonly string[], failed: (error: Error) => void): Deno.ChildProcess {
  const [program, ...args] = command.map(String);
  try {
    const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    return new Deno.Command(program!, { args, ...streams, detached: true }).spawn();
  } catch (error) {
    failed(error as Error);
    throw error;
  }
}

/** Passes on what a program writes, as fast as it is taken. */
async function pass(
  stream: ReadableStream<Uint8Array>,
  channel: Channel<unknown, Uint8Array>,
): Promise<void> {
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  while (true) {
    const { value, done } = await reader.read(new Uint8Array(buffer));
    if (done || value === undefined) return;
    await channel.send(value);
    buffer = value.buffer as ArrayBuffer;
  }
}
