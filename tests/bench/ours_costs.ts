/** Measures what gateways cost the program that makes them, by kind. Run as a part of ours.ts. */

import { Group } from "../../mod.ts";
import {
  descriptorCount,
  mainThreadTime,
  mapCount,
  privateMemory,
  processesUnder,
  processTime,
  workerThreads,
} from "../helpers/footprint.ts";
import { until } from "../helpers/wait.ts";
import { sshAlias, sshConfig } from "./far_host.ts";
import { textLines } from "./player.ts";
import type { Figures, Task } from "./player.ts";
import { expect, rssOf, sleep } from "./util.ts";

/** How long all comes to rest: threads that have nothing to do, memory that was needed for the start. */
const REST_MS = 1000;

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * 1024;

/** Of all Workers that have ended, Deno keeps those of one event queue. */
const KEPT_DESCRIPTORS = 2;

/** A kind of gateways. */
interface Place {
  spec: string;
  /** What it takes is there already: a hop, a server. Their processes are not the gateways' own. */
  base?: number;
}

/** Something that is made for a task and has an end. */
type Ending = AsyncDisposable & { readonly port: number; readonly pid: number };

/** Starts a server for `socket` gateways. */
async function startServer(folder: string): Promise<Ending> {
  const agent = new URL("../../agent.ts", import.meta.url).pathname;
  const words = ["--listen", "127.0.0.1:0", "--token-file", `${folder}/token`];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", agent, ...words],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = textLines(child.stdout).getReader();
  const port = Number(/:(\d+)/.exec((await lines.read()).value ?? "")?.[1]);
  return {
    port,
    pid: child.pid,
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGTERM");
      await child.status;
      await lines.cancel();
    },
  };
}

async function placeOf(kind: string, group: Group, resources: AsyncDisposableStack): Promise<Place> {
  const main = "execmodel=main";
  switch (kind) {
    case "ssh shared":
      return { spec: `ssh=${sshAlias()}//ssh_config=${sshConfig("fresh")}//${main}` };
    case "ssh own":
      return {
        spec: `ssh=-o ControlMaster=no ${sshAlias()}//ssh_config=${sshConfig("fresh")}//${main}`,
      };
    case "socket": {
      const folder = await Deno.makeTempDir({ prefix: "bench-" });
      resources.defer(() => Deno.remove(folder, { recursive: true }));
      const server = resources.use(await startServer(folder));
      const token = `${folder}/token`;
      return { spec: `socket=127.0.0.1:${server.port}//token_file=${token}//${main}`, base: server.pid };
    }
    case "via": {
      const hop = await group.makeGateway("popen//id=hop//allow-run=sh");
      return { spec: `popen//via=hop//${main}`, base: (await hop.remoteInfo()).pid };
    }
    default:
      return { spec: kind };
  }
}

/** Collects what is garbage. */
async function settle(): Promise<void> {
  await sleep(REST_MS);
  (globalThis as { gc?: () => void }).gc!();
}

/** What is there at a moment. */
interface Moment {
  descriptors: number;
  workers: number;
  maps: number;
  heap: number;
  rss: number;
  /** Milliseconds of the thread that runs the program. */
  thread: number;
  /** Milliseconds of this process and of all under it. */
  time: number;
  processes: number[];
  /** Memory of the processes. */
  memory: number;
  /** Descriptors of what they hang on. */
  baseDescriptors: number;
  /** Memory of what they hang on. */
  baseMemory: number;
}

/** `base` is what the gateways hang on. */
function look(base?: number): Moment {
  const processes = processesUnder();
  return {
    descriptors: descriptorCount(),
    workers: workerThreads(),
    maps: mapCount(),
    heap: Deno.memoryUsage().heapUsed,
    rss: rssOf(Deno.pid) * MEBIBYTE,
    thread: mainThreadTime(),
    time: [Deno.pid, ...processes].reduce((sum, pid) => sum + processTime(pid), 0),
    processes,
    memory: processes.reduce((sum, pid) => sum + (pid === base ? 0 : privateMemory(pid)), 0),
    baseDescriptors: base === undefined ? 0 : descriptorCount(base),
    baseMemory: base === undefined ? 0 : privateMemory(base),
  };
}

/** What each of `size` gateways costs that start at the same time and are ready; none has executed anything. */
export async function gatewayCosts({ kind, size }: Task): Promise<Figures> {
  await using resources = new AsyncDisposableStack();
  const group = resources.use(new Group());
  const { spec, base } = await placeOf(kind, group, resources);
  // What is loaded once, and compiled.
  await (await group.makeGateway(spec)).terminate();
  await settle();
  const there = group.size;
  const before = look(base);
  const began = performance.now();
  await Promise.all(Array.from({ length: size }, () => group.makeGateway(spec)));
  const started = performance.now() - began;
  const busy = look(base);
  await settle();
  const after = look(base);
  expect(group.size, there + size, "gateways");
  const of = (field: Exclude<keyof Moment, "processes">, end = after): number =>
    (end[field] - before[field]) / size;
  // What hangs on a hop or a server is under it, now as before.
  const far = base === undefined ? 0 : (after.processes.length - before.processes.length) / size;
  return {
    descriptors: of("descriptors"),
    workers: of("workers"),
    maps: of("maps"),
    heap: of("heap") / KIBIBYTE,
    rss: of("rss") / KIBIBYTE,
    processes: base === undefined ? (after.processes.length - before.processes.length) / size : 0,
    far,
    memory: of("memory") / MEBIBYTE,
    start: started / size,
    thread: of("thread", busy),
    time: of("time", busy),
    baseDescriptors: of("baseDescriptors"),
    baseMemory: of("baseMemory") / KIBIBYTE,
  };
}

/**
 * What `size` `worker` gateways cost each, for the comparison of many with few; each has called something. In the end
 * their threads and descriptors have to be gone.
 */
export async function workersEach({ size }: Task): Promise<Figures> {
  const group = new Group();
  await (await group.makeGateway("worker")).terminate();
  await until("the first Worker has ended", () => workerThreads() === 0);
  await settle();
  const before = look();
  const began = performance.now();
  await Promise.all(Array.from({ length: size }, () => group.makeGateway("worker")));
  const start = performance.now() - began;
  const answers = [...group].map((gateway) => gateway.call((x: number) => x + 1, 1));
  for (const answer of answers) expect(await answer, 2, "the answer");
  const running = look();
  const ending = performance.now();
  // Isolates that end at the same time share the processors.
  const ends = await group.terminate({ timeout: 60_000 });
  expect(ends.every(({ forced }) => !forced), true, "ended by themselves");
  await until("the Workers have ended", () => workerThreads() === 0, 60_000);
  const end = performance.now() - ending;
  expect(running.workers - before.workers, size, "Workers");
  const left = descriptorCount() - before.descriptors;
  if (left > KEPT_DESCRIPTORS) throw new Error(`${left} descriptors are left`);
  return {
    start: start / size,
    end: end / size,
    rss: (running.rss - before.rss) / size / MEBIBYTE,
    heap: (running.heap - before.heap) / size / KIBIBYTE,
    descriptors: (running.descriptors - before.descriptors) / size,
    maps: (running.maps - before.maps) / size,
  };
}
