/**
 * A program that sends small items there and back over gateways, and prints what these take of the machine, as a line
 * of JSON for each. Its arguments: how many round trips, and the specs. Around the round trips of each spec it asks for
 * the links {@linkcode BEGIN} and {@linkcode END}, so that whoever traces it knows which system calls are theirs.
 */

import { makeGateway } from "../../../mod.ts";

/** What is printed about a spec. */
export interface Found {
  readonly spec: string;
  /** The processes that its start has made. */
  readonly processes: number;
  /** Descriptors but for files, with one execution: what it takes of this program's, and what its process has. */
  readonly descriptors: readonly [near: number, far: number];
  /** Workers in its process. */
  readonly workers: readonly [idle: number, busy: number];
  /** The threads of this program and of its process, and how often each waited during the round trips. */
  readonly threads: readonly [near: readonly ThreadFound[], far: readonly ThreadFound[]];
}

/** A thread. */
export interface ThreadFound {
  readonly id: number;
  readonly name: string;
  /** Voluntary context switches. */
  readonly waits: number;
}

/** What is asked for before and after the round trips. */
export const BEGIN = "/guard/begin";
export const END = "/guard/end";

/** Round trips before those that count: by then what they run has been compiled. */
const FIRST_TRIPS = 300;

/** Deno opens descriptors for signals at some time or other; whoever listens for one has them at once. */
const SIGNALS = `Deno.addSignalListener("SIGUSR1", () => {});`;

const ECHO = SIGNALS + "for await (const item of channel) await channel.send(item)";

function threads(pid: number): ThreadFound[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name: id }) => {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${id}/status`);
    return {
      id: Number(id),
      name: /^Name:\s*(.*)/.exec(status)![1]!,
      waits: Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)![1]),
    };
  });
}

/** Workers, by their names: what they start is called like them at first. */
function workers(pid: number): number {
  return new Set(threads(pid).map(({ name }) => name).filter((name) => name.startsWith("worker-"))).size;
}

/** What threads have waited since they were looked at before. */
function since(before: readonly ThreadFound[], after: readonly ThreadFound[]): ThreadFound[] {
  const waited = new Map(before.map(({ id, waits }) => [id, waits]));
  return after.map((one) => ({ ...one, waits: one.waits - (waited.get(one.id) ?? 0) }));
}

/** How many processes a process has started, and these in turn; those that have ended meanwhile have none. */
function processesUnder(pid: number): number {
  try {
    const children = [...Deno.readDirSync(`/proc/${pid}/task`)].flatMap(({ name: id }) =>
      Deno.readTextFileSync(`/proc/${pid}/task/${id}/children`).split(" ").filter((child) => child !== "")
    );
    return children.reduce((sum, child) => sum + 1 + processesUnder(Number(child)), 0);
  } catch {
    return 0;
  }
}

function targets(pid: number): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      // The folder's own.
      return "/";
    }
  });
}

/** What this program was started with, and may pass on: pipes and sockets bear their numbers. */
const INHERITED: ReadonlySet<string> = new Set(targets(Deno.pid).filter((one) => /\d/.test(one)));

/** Descriptors that are no files, and of the program's own making. */
function descriptors(pid: number): number {
  return targets(pid).filter((one) => !one.startsWith("/") && !INHERITED.has(one)).length;
}

function mark(name: string): void {
  try {
    Deno.readLinkSync(name);
  } catch {
    // It was asked for, and that is all.
  }
}

async function look(spec: string, trips: number): Promise<Found> {
  const open = descriptors(Deno.pid);
  const running = processesUnder(Deno.pid);
  // A sign of life in between would be a round trip more.
  await using gateway = await makeGateway(`${spec}//keepalive=0`);
  const { pid } = await gateway.remoteInfo();
  const processes = processesUnder(Deno.pid) - running;
  const idle = workers(pid);
  const channel = gateway.remoteExec(ECHO);
  const passTo = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await channel.send(i & 127);
      await channel.receive();
    }
  };
  await passTo(FIRST_TRIPS);
  const before = [threads(Deno.pid), threads(pid)] as const;
  mark(BEGIN);
  await passTo(trips);
  mark(END);
  const after = [threads(Deno.pid), threads(pid)] as const;
  const found: Found = {
    spec,
    processes,
    descriptors: [descriptors(Deno.pid) - open, descriptors(pid)],
    workers: [idle, workers(pid)],
    threads: [since(before[0], after[0]), since(before[1], after[1])],
  };
  await channel.close();
  return found;
}

if (import.meta.main) {
  const [trips, ...specs] = Deno.args;
  new Function(SIGNALS)();
  // Things that a program opens once, and keeps, are there when the first one that counts is looked at.
  await look("popen//execmodel=main", 1);
  for (const spec of specs) {
    // deno-lint-ignore no-console
    console.log(JSON.stringify(await look(spec, Number(trips))));
  }
  Deno.exit();
}
