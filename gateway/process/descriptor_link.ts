/** Starts a process whose descriptor 3 is one end of a pair of sockets: the link that needs no permission over there. */

import { guardScript } from "./guard.ts";
import { linkTransport, stageZeroUrl } from "./link.ts";
import type { RawLink } from "./link.ts";
import { Control, denoCommand, keepAlive, makeNonce, markedEnv, sendAgent, showsProof } from "./process.ts";
import type { ProcessEnd, SpawnedProcess, SpawnOptions } from "./process.ts";

/** Starts a process with such a descriptor. */
export async function spawnWithDescriptor(options: SpawnOptions): Promise<SpawnedProcess> {
  const { spawn } = await import("node:child_process");
  const nonce = makeNonce();
  const url = stageZeroUrl({
    kind: "descriptor",
    path: "",
    revoke: [],
    nonce,
    worker: options.spareWorker,
    trace: options.stageTrace,
  });
  const script = guardScript(denoCommand(options, options.permissions, url), {
    nice: options.nice,
    mark: options.mark,
  });
  const child = spawn("/bin/sh", ["-c", script], {
    cwd: options.cwd,
    env: { ...Deno.env.toObject(), ...markedEnv(options) },
    stdio: ["pipe", "ignore", options.print === "piped" ? "pipe" : "inherit", "pipe"],
    detached: true,
  });
  const { Readable } = await import("node:stream");
  const socket = child.stdio[3] as unknown as import("node:net").Socket;
  const link = socketLink(socket);
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  const control = new Control(() => child.stdin!.destroy(), () => child.kill("SIGTERM"));
  child.on("exit", (code, signal) => {
    control.ended();
    resolve({ code: code ?? 137, signal });
  });
  const started = Promise.withResolvers<void>();
  child.on("spawn", () => started.resolve());
  child.on("error", (error) => started.reject(error));
  await started.promise;
  const connected = (async () => {
    if (!await showsProof(link, nonce)) {
      throw new Deno.errors.InvalidData("The process ended before it connected, or did not prove itself");
    }
    await sendAgent(link, options);
    return linkTransport(link);
  })();
  connected.catch(() => {});
  return {
    pid: child.pid!,
    ended,
    output: child.stderr === null
      ? undefined
      : Readable.toWeb(child.stderr) as ReadableStream<Uint8Array<ArrayBuffer>>,
    connected,
    terminate: () => control.terminate(),
    kill: () => control.kill(),
    get forced() {
      return control.forced;
    },
    keepAlive: keepAlive([child, socket], ended),
  };
}

/** Reads and writes a node socket as a Deno connection is read and written. */
function socketLink(socket: import("node:net").Socket): RawLink {
  let chunk: Uint8Array | undefined;
  let ended = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  // It flows a chunk at a time, so that the kernel holds what nobody wants yet.
  socket.on("data", (data: Uint8Array) => {
    chunk = data;
    socket.pause();
    notify();
  });
  for (const event of ["end", "close", "error"]) {
    socket.on(event, () => {
      ended = true;
      notify();
    });
  }
  return {
    async read(into): Promise<number | null> {
      while (chunk === undefined) {
        if (ended) return null;
        socket.resume();
        await new Promise<void>((resolve) => wake = resolve);
      }
      const count = Math.min(into.length, chunk.length);
      into.set(chunk.subarray(0, count));
      chunk = count < chunk.length ? chunk.subarray(count) : undefined;
      return count;
    },
    write(bytes): Promise<number> {
      return new Promise((resolve, reject) =>
        socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length))
      );
    },
    close: () => void socket.destroy(),
  };
}
