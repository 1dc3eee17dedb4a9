/** The agent: greets whoever started it, then serves executions in the model that it was told. */

import { encodeHello, HelloReader } from "../../channel/handshake.ts";
import type { Facts } from "../../channel/handshake.ts";
import { ProtocolError } from "../../channel/errors.ts";
import { PROTOCOL_VERSION } from "../../channel/frame.ts";
import { traceTransport } from "../../channel/trace.ts";
import type { TracePrint } from "../../channel/trace.ts";
import type { Transport } from "../../channel/transport.ts";
import { permissionFlags } from "../../xspec/mod.ts";
import { linkTransport } from "../process/link.ts";
import type { AgentConfig, AgentStart } from "../process/config.ts";
import type { RawLink } from "../process/link.ts";
import { startedPrint } from "../process/trace.ts";
import { after } from "./after.ts";
import { ProcessBackend } from "./backend_process.ts";
import { WorkerBackend } from "./backend_worker.ts";
import { Host, rehearse } from "./host.ts";
import { Router } from "./router.ts";
import { mapStack } from "./run.ts";
import type { RouterCounts } from "./router.ts";
import { catchInMicrotasks, catchUncaught, REHEARSE_AFTER_MS } from "./worker_entry.ts";

/** Serves on a link until it ends; then the process ends. */
export async function serve(link: RawLink, start: AgentStart): Promise<void> {
  const transport = linkTransport(link);
  const greeting = new HelloReader();
  while (true) {
    const buffer = new Uint8Array(64 * 1024);
    // A starter that has gone meanwhile is nothing to complain about.
    const count = await transport.read(buffer).catch(() => null);
    if (count === null) return Deno.exit(0);
    const hello = greeting.push(buffer.subarray(0, count));
    if (hello === undefined) continue;
    const { facts, version, rest } = hello;
    const config = facts as unknown as AgentConfig;
    const print = startedPrint(config.trace, start.trace);
    if (facts.role === "execution") return serveExecution(transport, facts, rest, print);
    await transport.write(encodeHello(describe(config)), true);
    if (version !== PROTOCOL_VERSION) return Deno.exit(0);
    print?.([`${config.name} started agent execmodel=${config.execmodel}`]);
    return serveGateway(traced(transport, config.name, rest, print), config, rest, start);
  }
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
  // Whatever happens from the first turn on is the execution's.
  const fail = (error: unknown): boolean => host.failExecution(error);
  catchUncaught(fail);
  catchInMicrotasks(fail);
  const host: Host = new Host(traced(transport, name, first, print), {
    name,
    firstId: Number(facts.firstId),
    shared: false,
    first,
    handlers: { terminate: () => Deno.exit(0) },
  });
  await transport.write(encodeHello({}), true);
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
  { script, spare, folder }: AgentStart,
): void {
  const { name, permissions, cwd } = config;
  const started = performance.now();
  const answer = (kind: string, counts: RouterCounts): unknown =>
    kind === "info" ? describe(config) : {
      ...counts,
      execmodel: config.execmodel,
      rss: Deno.memoryUsage().rss,
      uptime: performance.now() - started,
    };
  if (config.execmodel === "main") {
    const host: Host = new Host(transport, {
      name,
      firstId: 2,
      shared: true,
      first,
      keepalive: config.keepalive,
      handlers: {
        terminate: () => Deno.exit(0),
        kill: (channel, reason) => host.abandon(channel, reason),
        request: (kind) =>
          answer(kind, {
            numExecuting: host.executing,
            numQueued: 0,
            numChannels: host.session.channelCount,
            numRunaway: 0,
          }),
      },
    });
    catchUncaught((error) => {
      const text = error instanceof Error ? mapStack(error.stack ?? error.message) : String(error);
      console.error(`execnet: an error that nobody caught: ${text}`);
      return true;
    });
    void host.session.ended.then((reason) => {
      if (reason instanceof ProtocolError) console.error(`execnet: ${reason.message}`);
      Deno.exit(reason === undefined ? 0 : 1);
    });
    return;
  }
  const backend = config.execmodel === "worker"
    ? new WorkerBackend({ name, permissions, cwd, script: new TextDecoder().decode(script) }, spare)
    : new ProcessBackend({
      name,
      spawn: {
        deno: config.deno,
        permissions,
        flags: config.flags,
        env: config.env,
        cwd,
        spareWorker: false,
        folder: folder === "" ? undefined : folder,
        print: "inherit",
        trace: config.trace,
        agent: script,
      },
    });
  new Router({ transport, first, backend, answer, keepalive: config.keepalive, ended: () => Deno.exit(0) });
  backend.warm();
}

/** What an agent says of itself. */
function describe(config: AgentConfig): Facts {
  const facts: Facts = {
    pid: Deno.pid,
    cwd: isGranted({ name: "read", path: config.cwd }) ? Deno.cwd() : config.cwd,
    os: Deno.build.os,
    arch: Deno.build.arch,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    typescript: Deno.version.typescript,
    permissions: permissionFlags(config.permissions, Object.keys(config.env ?? {}))
      .filter((flag) => /^--(allow|deny)-/.test(flag)).map((flag) => flag.slice(2)),
  };
  if (isGranted({ name: "sys", kind: "hostname" })) facts.hostname = Deno.hostname();
  return facts;
}

/** Asking is cheap; trying and failing is not. */
function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
