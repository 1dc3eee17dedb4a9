/** Calls of functions: many at once over one channel, to an execution that serves them. */

import { Channel } from "../channel/channel.ts";
import type { ChannelEnd } from "../channel/channel_end.ts";
import { DumpError, ProtocolError, relativeTo } from "../channel/errors.ts";
import { readErrorData, RemoteError } from "../channel/remote_error.ts";
import type { CallReply, CallRequest } from "./process/job.ts";
import { SentFunctions } from "./sent_functions.ts";
import type { Shipment } from "./shipping/shipping.ts";
import type { GatewayTelemetry } from "./telemetry/gateway_telemetry.ts";
import type { Work } from "./telemetry/work.ts";

/** Where arguments are in a {@linkcode CallRequest}. */
const ARGUMENTS = "$[2]";

/** Where the only argument is. */
export const ONLY_ARGUMENT = "$[2][0]";

/** A call that has no answer yet. */
interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly shipment: Shipment;
  /** The function's number. */
  readonly number: number;
  readonly work: Work | undefined;
}

/** An execution that serves calls, as its caller sees it. */
export class CallServer {
  readonly #channel: Channel;
  readonly #end: ChannelEnd;
  readonly #telemetry: GatewayTelemetry | undefined;
  readonly #waiting = new Map<number, Waiting>();
  readonly #functions = new SentFunctions();
  #nextCall = 1;
  #reading = false;
  #oldestSince = 0;

  /** Takes the channel of a service. */
  constructor(channel: Channel, telemetry: GatewayTelemetry | undefined) {
    this.#channel = channel;
    this.#telemetry = telemetry;
    this.#end = Channel.endOf(channel);
  }

  /** Calls that have no answer yet. */
  get outstanding(): number {
    return this.#waiting.size;
  }

  /** Whether it can serve no more. */
  get ended(): boolean {
    return this.#channel.isClosed();
  }

  /** For how many milliseconds there has been no answer, though one is waited for. */
  get silentFor(): number {
    return this.#waiting.size === 0 ? 0 : performance.now() - this.#oldestSince;
  }

  /**
   * Calls a function. Rejects with RemoteError, or with the end of the execution. `root` is what stands for the arguments
   * in the path of a DumpError.
   *
   * @throws {DumpError} when the arguments cannot be sent on its channel
   */
  call(shipment: Shipment, args: readonly unknown[], root: string = ARGUMENTS): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = this.#nextCall++;
    if (this.#waiting.size === 0) this.#oldestSince = performance.now();
    const work = this.#telemetry?.work("call", shipment.name);
    const fn = this.#functions.find(shipment);
    const number = typeof fn === "number" ? fn : fn.id;
    this.#waiting.set(id, { resolve, reject, shipment, number, work });
    const trace = work?.traceContext;
    const request: CallRequest = trace === undefined ? [id, fn, args] : [id, fn, args, trace];
    try {
      // What fails later is the end of the channel, which is noticed where answers are read.
      this.#end.post(request).catch(() => {});
    } catch (error) {
      this.#waiting.delete(id);
      throw relativeTo(error, root);
    }
    if (typeof fn === "object") this.#functions.sent(fn, shipment);
    if (!this.#reading) void this.#read();
    return promise;
  }

  /** Ends it, whatever it does. */
  kill(): void {
    if (this.#waiting.size > 0) this.#channel.kill();
    else void this.#channel.close();
  }

  /** Reads only while somebody waits, so that an idle service does not keep the program alive. */
  async #read(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#waiting.size > 0) {
        const [id, failed, value, lost] = readReply(await this.#channel.receive());
        this.#oldestSince = performance.now();
        const call = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (call === undefined) continue;
        if (lost) this.#functions.lost(call.shipment, call.number);
        if (failed) {
          const data = readErrorData(value, (stack) => call.shipment.readStack(stack));
          const error = new RemoteError(data, this.#channel.gateway.id);
          call.work?.end(error);
          call.reject(error);
        } else {
          call.work?.end();
          call.resolve(value);
        }
      }
    } catch (error) {
      const calls = [...this.#waiting.values()];
      this.#waiting.clear();
      void this.#channel.close();
      for (const { reject, work } of calls) {
        work?.end(error);
        reject(error);
      }
    }
    this.#reading = false;
  }
}

/** What an execution sends that its users do not write may come from their code all the same. */
function readReply(reply: unknown): CallReply {
  if (Array.isArray(reply) && typeof reply[1] === "boolean") return reply as unknown as CallReply;
  throw new ProtocolError("Cannot take what is no reply to a call");
}

/** A service that has not answered for so long may be busy with one call: further ones go elsewhere. */
const BUSY_AFTER_MS = 30;

/** The calls of one gateway: to one service, and to more of them when that is busy. */
export class Calls {
  readonly #start: () => CallServer;
  readonly #limit: number;
  #servers: CallServer[] = [];

  /** `start` starts a service, of which there will be `limit` at the most. */
  constructor(start: () => CallServer, limit: number) {
    this.#start = start;
    this.#limit = limit;
  }

  /** Calls a function on the service that has the least to do, or on that to which a channel among `args` leads. */
  call(shipment: Shipment, args: readonly unknown[]): Promise<unknown> {
    const best = this.#pick();
    try {
      return best.call(shipment, args);
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return this.#callElsewhere(best, shipment, args, error);
    }
  }

  /** Calls on another service than the one that refused. Throws that refusal when all refuse. */
  #callElsewhere(
    refuser: CallServer,
    shipment: Shipment,
    args: readonly unknown[],
    refusal: DumpError,
  ): Promise<unknown> {
    for (const server of this.#servers) {
      if (server === refuser) continue;
      try {
        return server.call(shipment, args);
      } catch (error) {
        if (!(error instanceof DumpError)) throw error;
      }
    }
    throw refusal;
  }

  #pick(): CallServer {
    if (this.#servers.some((server) => server.ended)) {
      this.#servers = this.#servers.filter((server) => !server.ended);
    }
    let best: CallServer | undefined;
    for (const server of this.#servers) {
      if (best === undefined || server.outstanding < best.outstanding) best = server;
    }
    const busy = best === undefined || best.outstanding > 0 && best.silentFor > BUSY_AFTER_MS;
    if (!busy || this.#servers.length >= this.#limit) return best!;
    const server = this.#start();
    this.#servers.push(server);
    return server;
  }
}
