/** The server: takes connections, lets in who has the token, and gives each a sandboxed process of its own. */

import { Encoder } from "../../channel/encode.ts";
import { encodeHello } from "../../channel/handshake.ts";
import type { Facts } from "../../channel/handshake.ts";
import { agentScript } from "../_agent_bundle.ts";
import type { ProcessPlan } from "../process/plan.ts";
import { ifThere } from "../process/process.ts";
import type { SpawnedProcess } from "../process/process.ts";
import { spawnDeno } from "../process/spawn.ts";
import { formatAddress } from "../socket/address.ts";
import type { Address } from "../socket/address.ts";
import { Kind } from "../socket/frames.ts";
import { plain } from "../socket/plain.ts";
import { importToken } from "../socket/proof.ts";
import { FrameWriter } from "../socket/wire.ts";
import { within } from "../../channel/wait.ts";
import { admit, NotAdmitted, readStart } from "./admission.ts";
import { listed } from "./containment.ts";
import { listen } from "./listen.ts";
import type { Connection, Listening, Pem } from "./listen.ts";
import type { Log } from "./log.ts";
import { Relay } from "./relay.ts";
import { planRequest } from "./request.ts";
import type { Limits } from "./request.ts";

/** What a server is. */
export interface ServerOptions extends Limits {
  /** Where it listens; port 0 is any free one. */
  readonly address: Address;
  /** Certificate and key in PEM, for TLS. */
  readonly tls?: Pem | undefined;
  /** Whoever has it is let in. */
  readonly token: string;
  /** How many processes there may be. */
  readonly maxConnections: number;
  /** Milliseconds that a connection may take until it has said what to start. */
  readonly handshakeTimeout: number;
  /** Takes a line for the start and the end of each connection. */
  readonly log: Log;
}

/**
 * So many connections may be about to prove themselves. One more takes the place of the oldest: a client proves itself
 * in a moment, so that a flood of others cannot keep it out by just staying.
 */
const MAX_UNPROVEN = 256;

/** How long a refusal may take to be delivered. */
const REFUSAL_TIMEOUT_MS = 2_000;

/** How long the end of all processes is waited for. */
const STOP_TIMEOUT_MS = 4_000;

const NOTHING = new Uint8Array(0);

/** A server that runs. */
export class Server {
  /** Where it listens. */
  readonly address: Address;
  readonly #options: ServerOptions;
  readonly #listening: Listening;
  readonly #token: CryptoKey;
  readonly #unproven = new Set<Connection>();
  readonly #relays = new Set<Relay>();
  readonly #serving = new Set<Promise<void>>();
  #places: number;
  #stopping = false;

  private constructor(options: ServerOptions, token: CryptoKey, listening: Listening) {
    this.#options = options;
    this.#token = token;
    this.#places = options.maxConnections;
    this.#listening = listening;
    this.address = { host: options.address.host, port: listening.port };
  }

  /** Starts a server. Throws what the system says when it cannot listen there. */
  static async start(options: ServerOptions): Promise<Server> {
    const token = await importToken(options.token);
    const started = Promise.withResolvers<Server>();
    const listening = await listen(options.address, options.tls, {
      taken: (connection) => void started.promise.then((server) => server.#take(connection)),
      failed: (error) => options.log(`cannot accept a connection: ${plain(error.message)}`),
    });
    const server = new Server(options, token, listening);
    started.resolve(server);
    return server;
  }

  /** Ends the server and every process, in bounded time. */
  async stop(): Promise<void> {
    this.#stopping = true;
    ifThere(() => this.#listening.close());
    for (const connection of this.#unproven) ifThere(() => connection.close());
    const ending = [...[...this.#relays].map((relay) => relay.stop()), ...this.#serving];
    await within(Promise.allSettled(ending), STOP_TIMEOUT_MS);
  }

  #take(connection: Connection): void {
    if (this.#stopping) return ifThere(() => connection.close());
    const serving: Promise<void> = this.#serve(connection).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  async #serve(connection: Connection): Promise<void> {
    const peer = formatAddress(connection.peer);
    const log = (words: string): void => this.#options.log(`${peer} ${plain(words)}`);
    const started = performance.now();
    let place = false;
    try {
      const fields = await this.#handshake(connection);
      const writer = new FrameWriter(connection);
      place = this.#places > 0;
      if (!place) {
        throw new Refused("its connections are all in use (--max-connections)", undefined, writer);
      }
      this.#places--;
      const [process, plan] = await this.#start(fields, writer);
      const relay = new Relay(connection, process, writer);
      this.#relays.add(relay);
      try {
        const { name, permissions, execmodel, keepalive } = plan.config;
        log(
          `started gateway ${JSON.stringify(name)} pid=${process.pid} execmodel=${execmodel}: ${
            listed(permissions)
          }`,
        );
        if (this.#stopping) void relay.stop();
        const how = await relay.run(keepalive);
        log(`ended gateway ${JSON.stringify(name)} pid=${process.pid} ${how} after ${since(started)}`);
      } finally {
        this.#relays.delete(relay);
      }
    } catch (error) {
      if (error instanceof Refused) {
        log(`refused after ${since(started)}: ${error.message}`);
        await within(error.writer.send(Kind.REFUSED, error.payload).catch(() => {}), REFUSAL_TIMEOUT_MS);
      } else {
        log(`rejected after ${since(started)}: ${(error as Error).message}`);
      }
    } finally {
      if (place) this.#places++;
      ifThere(() => connection.close());
    }
  }

  /** Lets the client prove itself and say what it wants, in the time that there is for that. */
  async #handshake(connection: Connection): Promise<Record<string, unknown>> {
    let reason: string | undefined;
    const giveUp = (why: string): () => void => (): void => {
      reason ??= why;
      ifThere(() => connection.close());
    };
    const timeout = setTimeout(giveUp("it took too long"), this.#options.handshakeTimeout);
    this.#unproven.add(connection);
    if (this.#unproven.size > MAX_UNPROVEN) {
      const oldest = this.#unproven.values().next().value!;
      this.#unproven.delete(oldest);
      ifThere(() => oldest.close());
    }
    try {
      await admit(connection, this.#token);
      return await readStart(connection);
    } catch (error) {
      const pushed = !this.#unproven.has(connection) ? "there were too many others" : undefined;
      reason ??= this.#stopping ? "the server ends" : pushed;
      throw reason === undefined ? error : new NotAdmitted(reason, { cause: error });
    } finally {
      clearTimeout(timeout);
      this.#unproven.delete(connection);
    }
  }

  async #start(
    fields: Record<string, unknown>,
    writer: FrameWriter,
  ): Promise<[process: SpawnedProcess, plan: ProcessPlan]> {
    let process: SpawnedProcess | undefined;
    try {
      const plan = planRequest(fields, this.#options);
      const { config, spawn } = plan;
      // The agent of processes may do more than its executions, so that one is the server's own. Everything else runs
      // what its client sends.
      const own = config.execmodel === "process";
      process = await spawnDeno({
        ...spawn,
        agent: own ? agentScript() : NOTHING,
        hello: own ? encodeHello(config as unknown as Facts) : NOTHING,
      });
      process.connected.catch(() => {});
      const payload = new Encoder().encode({ pid: process.pid, cwd: config.cwd, agent: own });
      await writer.send(Kind.STARTED, payload);
      return [process, plan];
    } catch (error) {
      process?.kill();
      const { message, key } = error as Error & { key?: unknown };
      throw new Refused(message, typeof key === "string" ? key : undefined, writer);
    }
  }
}

/** A client that has the token is told why there is no process for it. */
class Refused extends Error {
  readonly writer: FrameWriter;
  readonly payload: Uint8Array;

  constructor(message: string, key: string | undefined, writer: FrameWriter) {
    super(message);
    this.writer = writer;
    this.payload = new Encoder().encode({
      message: message.slice(0, 4_000),
      ...(key === undefined ? {} : { key }),
    });
  }
}

function since(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
