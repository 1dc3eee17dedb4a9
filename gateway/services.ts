/** Executions of the library's own, which users are not to see: they serve calls, or one copy after the other. */

import type { Channel } from "../channel/channel.ts";
import type { ChannelEnd } from "../channel/channel_end.ts";
import type { Session } from "../channel/session.ts";
import { CallServer } from "./calls.ts";
import type { Executions } from "./executions.ts";
import type { GatewayTelemetry } from "./telemetry/gateway_telemetry.ts";
import type { Work } from "./telemetry/work.ts";

/** What an execution of a text is wanted for. */
export interface Trade {
  /** What users see of it: each piece of its work is an execution of this name. */
  readonly name: string;
  /** Its text: it does one piece of work after the other, over its channel, and ends with that. */
  readonly source: string;
  /** So many milliseconds it waits for further work before it is ended. */
  readonly idleMs: number;
}

/** An execution for one piece of work. */
export interface Lent {
  /** Leads to it. Closing it ends the execution. */
  readonly channel: Channel;
  /** The work is done, and nothing of it is left on the channel: the execution may do the next one. */
  giveBack(): void;
}

/** An execution of a text, which is at work or waits for it. */
interface Labourer {
  readonly trade: Trade;
  readonly channel: Channel;
  readonly end: ChannelEnd;
  /** As what users see what it does, or has done last. */
  work: Work | undefined;
  /** Ends it when it has waited for long. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The services of one gateway. */
export class Services {
  readonly #session: Session;
  readonly #executions: Executions;
  readonly #telemetry: GatewayTelemetry | undefined;
  /** All of them. The far side does not count them as executions. */
  readonly #ends = new Set<ChannelEnd>();
  readonly #callServers = new Set<CallServer>();
  readonly #busy = new Set<Labourer>();
  /** Those that wait, one at the most for each name. */
  readonly #idle = new Map<string, Labourer>();

  /** Starts none yet. */
  constructor(session: Session, executions: Executions, telemetry: GatewayTelemetry | undefined) {
    this.#session = session;
    this.#executions = executions;
    this.#telemetry = telemetry;
  }

  /** Work that is under way: it counts as executions. */
  get outstanding(): number {
    let count = this.#busy.size;
    for (const server of this.#callServers) count += server.outstanding;
    return count;
  }

  /** Whether a channel is that of a service. */
  has(end: ChannelEnd): boolean {
    return this.#ends.has(end);
  }

  /** Starts one that serves calls. */
  calls(): CallServer {
    const end = this.#executions.service();
    const server = new CallServer(this.#channelOf(end), this.#telemetry);
    this.#callServers.add(server);
    end.onEnd(() => this.#callServers.delete(server));
    return server;
  }

  /**
   * Lends an execution for a piece of work: one that has done such work before and waits, or else a new one. Nobody reads
   * from one that waits, so that it does not keep the program alive.
   */
  lend(trade: Trade): Lent {
    const labourer = this.#idle.get(trade.name) ?? this.#start(trade);
    this.#wake(labourer);
    this.#busy.add(labourer);
    const work = this.#telemetry?.work("exec", trade.name);
    labourer.work = work;
    let back = false;
    const giveBack = (): void => {
      if (back || !this.#busy.delete(labourer)) return;
      back = true;
      work?.end();
      this.#wait(labourer);
    };
    return { channel: labourer.channel, giveBack };
  }

  #start(trade: Trade): Labourer {
    const end = this.#executions.service(trade);
    const channel = this.#channelOf(end);
    const labourer: Labourer = { trade, channel, end, work: undefined, timer: undefined };
    end.onEnd((error) => {
      this.#wake(labourer);
      if (this.#busy.delete(labourer)) labourer.work?.end(error, end.closedHere);
    });
    return labourer;
  }

  /** Keeps an execution for a while, unless there is another one. */
  #wait(labourer: Labourer): void {
    const { trade: { name, idleMs }, channel } = labourer;
    if (this.#idle.has(name)) {
      void channel.close();
      return;
    }
    this.#idle.set(name, labourer);
    labourer.timer = setTimeout(() => {
      this.#wake(labourer);
      void channel.close();
    }, idleMs);
    Deno.unrefTimer(labourer.timer);
  }

  /** It waits no longer. */
  #wake(labourer: Labourer): void {
    clearTimeout(labourer.timer);
    const { name } = labourer.trade;
    if (this.#idle.get(name) === labourer) this.#idle.delete(name);
  }

  #channelOf(end: ChannelEnd): Channel {
    this.#ends.add(end);
    end.onEnd(() => this.#ends.delete(end));
    const channel = this.#session.facade(end);
    // It carries more than the items of its users.
    channel.reconfigure({});
    return channel;
  }
}
