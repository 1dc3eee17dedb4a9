/** Starts a gateway inside of its caller's process: what an agent is elsewhere, in Workers. */

import { encodeHello } from "../../channel/handshake.ts";
import { EMPTY } from "../../channel/frame.ts";
import type { Transport } from "../../channel/transport.ts";
import { WorkerBackend } from "../agent/backend_worker.ts";
import { answers, describe } from "../agent/facts.ts";
import { RelayBackend } from "../agent/relay.ts";
import { Router } from "../agent/router.ts";
import type { WorkerStart } from "../agent/worker_entry.ts";
import type { AgentConfig } from "../process/config.ts";
import { keepAlive } from "../process/process.ts";
import type { ProcessEnd, SpawnedProcess } from "../process/process.ts";
import { memoryLink, MemoryPipe, memoryTransport } from "./memory_link.ts";
import { Printed } from "./printed.ts";
import { InsideWorkers } from "./workers.ts";

/** The exit code of a process that was killed. */
const KILLED = 137;

/**
 * Starts it, with the agent's text.
 *
 * - With `execmodel=worker` the router is in this isolate and each execution has a Worker.
 * - With `execmodel=main` one Worker is the gateway.
 *
 * @throws {Deno.errors.NotCapable} when it would hold a permission that this program does not hold
 * @throws {XSpecError} when its permissions are none that a Worker can have
 */
export function startInside(config: AgentConfig, agent: Uint8Array): SpawnedProcess {
  const printed = new Printed();
  const workers = new InsideWorkers(agent, config.permissions, (text) => printed.print(text));
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  let killed = false;
  const finish = (): void => {
    killed = workers.living > 0;
    workers.terminate();
    printed.end();
    resolve({ code: killed ? KILLED : workers.exitCode, signal: null });
  };
  // One that never yields is given up when the gateway is killed, which is in the time of whoever ends it.
  const finishWhenEmpty = (): void => void workers.empty().then(finish);
  const transport = config.execmodel === "main"
    ? startMain(config, workers, finishWhenEmpty)
    : startRouter(config, workers, finishWhenEmpty);
  const connected = workers.ready.then(() => transport);
  connected.catch(finish);
  return {
    pid: Deno.pid,
    ended,
    output: printed.stream,
    connected,
    // There is no signal for a Worker: it was asked already.
    terminate: () => {},
    kill: finish,
    get forced() {
      return killed;
    },
    keepAlive: keepAlive([workers], ended),
  };
}

function startRouter(config: AgentConfig, workers: InsideWorkers, ended: () => void): Transport {
  const { name, permissions, cwd, keepalive } = config;
  const [here, there] = memoryLink();
  const backend = new WorkerBackend({ name, permissions, cwd, workers });
  backend.warm();
  void there.write(encodeHello(describe(config)), true);
  new Router({
    transport: there,
    first: EMPTY,
    backend: new RelayBackend(name, permissions, backend),
    answer: answers(config),
    keepalive,
    ended,
  });
  return here;
}

function startMain(config: AgentConfig, workers: InsideWorkers, ended: () => void): Transport {
  const worker = workers.make();
  const incoming = new MemoryPipe();
  worker.addEventListener("message", ({ data }: MessageEvent) => {
    if (data instanceof Uint8Array) incoming.push(data);
  });
  worker.postMessage(
    { name: config.name, firstId: 2, ...workers.start(worker), gateway: config } satisfies WorkerStart,
  );
  void workers.empty().then(() => {
    incoming.end();
    ended();
  });
  return memoryTransport(incoming, (bytes, whole) => {
    const message = whole ? bytes : bytes.slice();
    worker.postMessage(message, [message.buffer as ArrayBuffer]);
  }, () => worker.terminate());
}
