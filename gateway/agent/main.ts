/** The agent: greets whoever started it, then serves executions in the model that it was told. */

import { encodeHello, HelloReader } from "../../channel/handshake.ts";
import type { Facts } from "../../channel/handshake.ts";
import { PROTOCOL_VERSION } from "../../channel/frame.ts";
import { traceTransport } from "../../channel/trace.ts";
import type { TracePrint } from "../../channel/trace.ts";
import type { Transport } from "../../channel/transport.ts";
import { linkTransport } from "../process/link.ts";
import type { AgentConfig, AgentStart } from "../process/config.ts";
import type { BypassPlace, RawLink } from "../process/link.ts";
import { startedPrint } from "../process/trace.ts";
import { after } from "./after.ts";
import { ProcessBackend } from "./backend_process.ts";
import { agentWorkers, WorkerBackend } from "./backend_worker.ts";
import { openLink } from "./bypass.ts";
import { openDoor } from "./door.ts";
import type { Door } from "./door.ts";
import { answers, describe } from "./facts.ts";
import { Host, rehearse } from "./host.ts";
import { RelayBackend } from "./relay.ts";
import { Router } from "./router.ts";
import { serveShared } from "./shared.ts";
import { cutSpans } from "./spans.ts";
import { withoutStorage } from "./storage.ts";
import { catchInMicrotasks, catchUncaught } from "./uncaught.ts";
import { REHEARSE_AFTER_MS } from "./worker_entry.ts";

/** Serves on a link until it ends; then the process ends. */
export async function serve(link: RawLink, start: AgentStart): Promise<void> {
  withoutStorage();
  const transport = linkTransport(link);
  const greeting = new HelloReader();
  while (true) {
    const buffer = new Uint8Array(64 * 1024);
    // A starter that has gone meanwhile is nothing to complain about.
    const count = await transport.read(buffer).catch(() => null);
    if (count === null) return Deno.exit(0);
    const greeted = greeting.push(buffer.subarray(0, count));
    if (greeted === undefined) continue;
    const { facts, version, rest } = greeted;
    const config = facts as unknown as AgentConfig;
    // Elsewhere, nobody but the shell knows where it has started.
    if (config.cwd === "") config.cwd = Deno.cwd();
    const print = startedPrint(config.trace, start.trace);
    if (facts.role === "execution") return serveExecution(transport, facts, rest, print);
    const door = openDoor(config, start);
    const hello = { ...describe(config), ...(door === undefined ? {} : { door: door.path }) };
    await answer(transport, hello);
    if (version !== PROTOCOL_VERSION) return Deno.exit(0);
    print?.([`${config.name} started agent execmodel=${config.execmodel}`]);
    return serveGateway(traced(transport, config.name, rest, print), config, rest, start, door);
  }
}

/** A starter that has gone meanwhile is nothing to complain about here either. */
async function answer(transport: Transport, hello: Facts): Promise<void> {
  await transport.write(encodeHello(hello), true).catch(() => Deno.exit(0));
}

/** The transport itself where nothing is traced. */
function traced(
  transport: Transport,
  name: string,
  first: Uint8Array,
  print: TracePrint | undefined,
): Transport {
  return print === undefined ? transport : traceTransport(transport, name, print, first);
}

/** Serves one execution, in a process of its own. */
async function serveExecution(
  transport: Transport,
  facts: Facts,
  first: Uint8Array,
  print: TracePrint | undefined,
): Promise<void> {
  const name = String(facts.name);
  print?.([`${name} started execution`]);
  const link = facts.bypass === undefined
    ? undefined
    : await openLink(facts.bypass as unknown as BypassPlace, Number(facts.firstId));
  // Whatever happens from the first turn on is the execution's.
  const fail = (error: unknown): boolean => host.failExecution(error);
  catchUncaught(fail);
  catchInMicrotasks(fail);
  const host: Host = new Host(traced(transport, name, first, print), {
    name,
    firstId: Number(facts.firstId),
    shared: false,
    first,
    link,
    handlers: {
      terminate: () => {
        cutSpans();
        Deno.exit(0);
      },
    },
  });
  await answer(transport, {});
  after(REHEARSE_AFTER_MS, () => {
    if (!host.used) void rehearse();
  });
  await host.session.ended;
  Deno.exit(0);
}

function serveGateway(
  transport: Transport,
  config: AgentConfig,
  first: Uint8Array,
  { script, spare, folder, bypass }: AgentStart,
  door: Door | undefined,
): void {
  const { name, permissions, cwd, keepalive } = config;
  if (config.execmodel === "main") return serveShared(transport, config, first, (code) => Deno.exit(code));
  const backend = config.execmodel === "worker"
    ? new WorkerBackend({ name, permissions, cwd, workers: agentWorkers(script, permissions), bypass }, spare)
    : new ProcessBackend({
      name,
      bypass,
      spawn: {
        deno: config.deno.length > 0 ? config.deno : [Deno.execPath()],
        permissions,
        flags: config.flags,
        env: config.env,
        cwd,
        spareWorker: false,
        folder: folder === "" ? undefined : folder,
        // Elsewhere, nobody would remove the folder of a start that is under way when the agent is killed.
        byDescriptor: folder === "",
        print: "inherit",
        trace: config.trace,
        agent: script,
      },
    });
  new Router({
    transport,
    first,
    backend: new RelayBackend(name, permissions, backend, door),
    answer: answers(config),
    keepalive,
    ended: () => Deno.exit(0),
  });
  backend.warm();
}
