/**
 * Measures what Deno itself can do, with no library: two processes and a link, and how fast processes and Workers
 * start. Run by the driver; see player.ts.
 */

import { serve } from "./player.ts";
import type { Figures, Task } from "./player.ts";
import type { FarMode } from "./raw_far.ts";
import { socketLink, streamLink, timeEcho } from "./raw_link.ts";
import type { Link } from "./raw_link.ts";
import { bulkSshIn, bulkSshOut, pingSsh, startOverSsh } from "./raw_ssh.ts";
import { BLOCK_BYTES, expect, expectBlock, markBlock, rssOf, sleep } from "./util.ts";

/** Script files, so that starting one costs what it costs everybody. */
const folder = Deno.makeTempDirSync({ prefix: "bench-" });
const EMPTY_SCRIPT = `${folder}/empty.js`;
const IDLE_SCRIPT = `${folder}/idle.js`;
const BYTE_SCRIPT = `${folder}/byte.js`;
Deno.writeTextFileSync(EMPTY_SCRIPT, "");
Deno.writeTextFileSync(BYTE_SCRIPT, "Deno.stdout.writeSync(Uint8Array.of(1));");
Deno.writeTextFileSync(IDLE_SCRIPT, "await Deno.stdin.read(new Uint8Array(1));");

const BARE = ["run", "--quiet", "--no-config", "--no-lock"];

const links = new Map<string, Promise<Link>>();

/** The link to a far side, the same for all rounds; of more than one with that number. */
function linkTo(mode: FarMode, kind: "socket" | "pipe", number = 0): Promise<Link> {
  const key = `${mode} ${kind} ${number}`;
  const made = links.get(key) ?? (kind === "socket" ? connectSocket(mode, number) : connectPipe(mode));
  links.set(key, made);
  return made;
}

const FAR_SCRIPT = new URL("./raw_far.ts", import.meta.url).pathname;

async function connectSocket(mode: FarMode, number: number): Promise<Link> {
  const path = `${folder}/${mode}${number}.sock`;
  using listener = Deno.listen({ transport: "unix", path });
  new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", FAR_SCRIPT, mode, path],
    stdin: "null",
    stdout: "null",
  }).spawn();
  return socketLink(await listener.accept());
}

function connectPipe(mode: FarMode): Promise<Link> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", FAR_SCRIPT, mode],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  return Promise.resolve(streamLink(child.stdin.getWriter(), child.stdout));
}

async function ping({ kind, size }: Task): Promise<number> {
  const [linkKind, hop] = kind.split("+");
  const link = await linkTo(hop === undefined ? "echo" : "echo-worker", linkKind as "socket" | "pipe");
  return await timeEcho(link, size);
}

/** Round trips through sockets to so many far sides in turn, as their number is the kind. */
async function pingInTurn({ kind, size }: Task): Promise<number> {
  const all = await Promise.all(
    Array.from({ length: Number(kind) }, (_, number) => linkTo("echo", "socket", number)),
  );
  let total = 0;
  for (let i = 0; i < size; i++) total += await timeEcho(all[i % all.length]!, 1);
  return total / size;
}

async function bulkIn({ kind, size }: Task): Promise<number> {
  const link = await linkTo("blocks", kind as "socket" | "pipe");
  const began = performance.now();
  await link.write(new Uint8Array(Uint32Array.of(size).buffer));
  for (let i = 0; i < size; i++) expectBlock(await link.readExactly(BLOCK_BYTES), i);
  return size * 1000 / (performance.now() - began);
}

async function bulkOut({ kind, size }: Task): Promise<number> {
  const link = await linkTo("take-blocks", kind as "socket" | "pipe");
  const block = new Uint8Array(BLOCK_BYTES);
  const began = performance.now();
  await link.write(new Uint8Array(Uint32Array.of(size).buffer));
  for (let i = 0; i < size; i++) {
    markBlock(block, i);
    await link.write(block);
  }
  expect((await link.readExactly(1))?.[0], 1, "the far side's verdict");
  return size * 1000 / (performance.now() - began);
}

async function denoRun({ kind, size }: Task): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < size; i++) {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: [...BARE, EMPTY_SCRIPT],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    expect(success, true, "the empty script");
  }
  const time = performance.now() - began;
  return kind === "time" ? time / size : size * 1000 / time;
}

async function worker({ size }: Task): Promise<number> {
  const url = URL.createObjectURL(new Blob(["postMessage(1)"], { type: "text/javascript" }));
  const began = performance.now();
  for (let i = 0; i < size; i++) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
    expect(await promise, 1, "the message");
    worker.terminate();
  }
  const result = size * 1000 / (performance.now() - began);
  URL.revokeObjectURL(url);
  await sleep(200);
  return result;
}

/** Bare processes that start at the same time and end. */
async function denoRuns({ size }: Task): Promise<number> {
  const began = performance.now();
  await Promise.all(Array.from({ length: size }, () => denoRun({ task: "", kind: "time", size: 1 })));
  return performance.now() - began;
}

/** Bare Workers, each of which echoes one message; and what each of them holds while it is idle. */
async function workers({ size }: Task): Promise<Figures> {
  const source = "onmessage = ({ data }) => postMessage(data)";
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const before = rssOf(Deno.pid);
  const began = performance.now();
  const made = await Promise.all(Array.from({ length: size }, async (_, i) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(i);
    expect(await promise, i, "the echo");
    return worker;
  }));
  const started = performance.now() - began;
  await sleep(1000);
  const rss = (rssOf(Deno.pid) - before) / size;
  const ending = performance.now();
  for (const worker of made) worker.terminate();
  URL.revokeObjectURL(url);
  return { time: started + performance.now() - ending, rss };
}

async function memory(): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...BARE, IDLE_SCRIPT],
    stdin: "piped",
    stdout: "null",
  }).spawn();
  await sleep(1000);
  const result = rssOf(child.pid);
  await child.stdin.close();
  await child.status;
  return result;
}

await serve({
  ping,
  "ping-in-turn": pingInTurn,
  "bulk-in": bulkIn,
  "bulk-out": bulkOut,
  "deno-run": denoRun,
  "deno-runs": denoRuns,
  worker,
  workers,
  memory,
  "start-ssh": (task) => startOverSsh(BYTE_SCRIPT, task),
  "ping-ssh": pingSsh,
  "bulk-ssh-in": (task) => bulkSshIn(folder, task),
  "bulk-ssh-out": bulkSshOut,
}, () => Deno.remove(folder, { recursive: true }));
