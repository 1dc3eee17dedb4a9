/** What is told of one gateway: its start, what is executed on it, what passes its connection, and its end. */

import { numberFact } from "../../channel/handshake.ts";
import { EMPTY } from "../../channel/frame.ts";
import type { Facts } from "../../channel/handshake.ts";
import type { Transport } from "../../channel/transport.ts";
import type { LinkTaker } from "../process/link.ts";
import { markFailed, rpcAttributes, spanName } from "../process/otel.ts";
import type { Attributes, Span, SpanOptions, TraceContext } from "../process/otel.ts";
import { now } from "./reporter.ts";
import type { Reporter } from "./reporter.ts";
import { Tally } from "./tally.ts";
import { cut, failureOf, typeOf, Work } from "./work.ts";

/** A gateway that is being started. */
export interface WatchedGateway {
  readonly id: string;
  /** `popen`, `ssh`, … */
  readonly type: string;
  readonly execmodel: string;
  /** The gateway that it is started from. */
  readonly via: string | undefined;
}

/** A connection that has been made. */
export interface WatchedConnection {
  readonly transport: Transport;
  readonly openLinks?: ((taker: LinkTaker) => void) | undefined;
  readonly facts: Facts;
  readonly rest: Uint8Array;
  readonly address: string | undefined;
}

/** How a gateway has ended. */
export interface WatchedEnd {
  readonly code: number;
  readonly signal: string | undefined;
  readonly forced: boolean;
  readonly reason: string;
}

/** A map whose calls belong together. */
export interface MapWork {
  /** Runs something as a part of it. */
  run<T>(body: () => T): T;
  /** It has ended. */
  end(error?: unknown): void;
}

/** Spans of what is asked of gateways, and of what has no other side. */
const CLIENT = 2;
const INTERNAL = 0;

/** What seconds are counted in. */
const MS_PER_S = 1_000;

/** The telemetry of one gateway. */
export class GatewayTelemetry {
  readonly #reporter: Reporter;
  readonly #gateway: WatchedGateway;
  readonly #since: number;
  /** Of measurements: few values, so no ids. */
  readonly #measured: Attributes;
  readonly #connect: Span | undefined;
  #address: string | undefined;
  #tally: Tally | undefined;
  #channels: () => number = () => 0;
  #close: Span | undefined;
  #over = false;

  /** Begins with the start, which began at `since`, in milliseconds since 1970. */
  constructor(reporter: Reporter, gateway: WatchedGateway, since: number) {
    this.#reporter = reporter;
    this.#gateway = gateway;
    this.#since = since;
    const { type, execmodel, via } = gateway;
    this.#measured = { "execnet.gateway.type": type, "execnet.execmodel": execmodel };
    const attributes = { ...this.#spanAttributes(), "execnet.execmodel": execmodel, "execnet.via": via };
    this.#connect = reporter.span(
      `connect ${type}`,
      { kind: CLIENT, attributes, startTime: since },
      (span) => span,
    );
  }

  /** The start has succeeded. Gives the connection, whose bytes are counted from here on. */
  connected<C extends WatchedConnection>(connection: C): C {
    const { facts, address, transport, openLinks, rest } = connection;
    this.#address = address;
    this.#connect?.setAttributes({
      "server.address": address,
      "execnet.gateway.pid": numberFact(facts, "pid"),
    });
    this.#connect?.end();
    const { instruments } = this.#reporter;
    if (instruments === undefined) return connection;
    instruments.starts.record((now() - this.#since) / MS_PER_S, this.#measured);
    instruments.gateways.add(1, this.#measured);
    const tally = this.#tally = new Tally(instruments, this.#measured, () => this.#channels());
    this.#reporter.add(tally);
    return {
      ...connection,
      transport: tally.count(transport, rest),
      openLinks: openLinks && ((taker) =>
        openLinks({
          link: (link, number) => taker.link(tally.count(link, EMPTY), number),
          noMore: () => taker.noMore(),
        })),
    };
  }

  /** The start has failed. */
  failed(error: unknown): void {
    const type = typeOf(error);
    if (this.#connect !== undefined) markFailed(this.#connect, failureOf(error), type);
    this.#connect?.end();
    const seconds = (now() - this.#since) / MS_PER_S;
    this.#reporter.instruments?.starts.record(seconds, {
      ...this.#measured,
      "error.type": this.#reporter.errorTypes.of(type),
    });
  }

  /** Is told who knows how many channels are open. */
  watchChannels(count: () => number): void {
    this.#channels = count;
  }

  /** Something is about to be executed: `exec`, `stream` or `call`. It may be let go when it is not, after all. */
  work(kind: string, method: string, more: Attributes = {}): Work {
    const since = now();
    const trace: TraceContext = { kind, method };
    const attributes = { ...rpcAttributes(trace, this.#gateway.id), ...this.#spanAttributes(), ...more };
    const told = (outcome: string, type: string | undefined): void => {
      const { instruments } = this.#reporter;
      const measured = {
        ...this.#measured,
        "execnet.kind": kind,
        "execnet.outcome": outcome,
        "error.type": type === undefined ? undefined : this.#reporter.errorTypes.of(type),
      };
      instruments?.executions.add(1, measured);
      instruments?.durations.record((now() - since) / MS_PER_S, measured);
    };
    const options = this.#linked(CLIENT, attributes);
    return this.#reporter.span(spanName(trace), options, (span, inside) => {
      const headers = this.#reporter.headers(inside);
      return new Work(headers === undefined ? undefined : { ...trace, ...headers }, span, told);
    }) ?? new Work(undefined, undefined, told);
  }

  /** A map over several gateways, of which this is the first, is about to begin. */
  map(method: string, gateways: number): MapWork | undefined {
    const attributes = { "rpc.method": method || undefined, "execnet.map.gateways": gateways };
    const name = spanName({ kind: "map", method });
    return this.#reporter.span(name, { kind: INTERNAL, attributes }, (span, inside) => ({
      run: (body) => this.#reporter.run(inside, body),
      end: (error) => {
        if (error !== undefined) markFailed(span, failureOf(error), typeOf(error));
        span.end();
      },
    }));
  }

  /** The gateway is being asked to end, which means nothing once it has ended. */
  closing(): void {
    if (this.#over) return;
    this.#close = this.#startClose({});
  }

  /** The gateway has ended. */
  closed({ code, signal, forced, reason }: WatchedEnd): void {
    this.#over = true;
    const asked = this.#close !== undefined;
    const span = this.#close ?? this.#startClose({ root: true });
    span?.setAttributes({
      "execnet.exit.code": code,
      "execnet.exit.signal": signal,
      "execnet.exit.forced": forced,
    });
    if (!asked && span !== undefined) {
      markFailed(span, { name: "GatewayClosedError", message: cut(reason) });
    }
    span?.end();
    this.#reporter.instruments?.gateways.add(-1, this.#measured);
    if (this.#tally !== undefined) this.#reporter.remove(this.#tally);
  }

  #startClose(more: Partial<SpanOptions>): Span | undefined {
    const options = { ...this.#linked(CLIENT, this.#spanAttributes()), ...more };
    return this.#reporter.span(`close ${this.#gateway.type}`, options, (span) => span);
  }

  #spanAttributes(): Attributes {
    const { id, type } = this.#gateway;
    return { "execnet.gateway.id": id, "execnet.gateway.type": type, "server.address": this.#address };
  }

  /** What happens on a gateway refers to its start, which most often is in another trace. */
  #linked(kind: SpanOptions["kind"], attributes: Attributes): SpanOptions {
    const links = this.#connect === undefined ? [] : [{ context: this.#connect.spanContext() }];
    return { kind, attributes, links };
  }
}
