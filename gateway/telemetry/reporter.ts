/** The way to OpenTelemetry: spans of what this program does, headers for others, and counts that are told now and then. */

import { SCOPE } from "../process/otel.ts";
import type { Context, Otel, Span, SpanOptions, Tracer } from "../process/otel.ts";
import { ErrorTypes } from "./error_types.ts";
import { makeInstruments } from "./instruments.ts";
import type { Instruments } from "./instruments.ts";

/** What is counted, and told when it is asked for. */
export interface Count {
  /** Tells what has been counted since the last time. */
  tell(): void;
}

/** Milliseconds since 1970, in parts. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Reports for all gateways of a program. */
export class Reporter {
  /** Where measurements go, if these are on. */
  readonly instruments: Instruments | undefined;
  /** What errors are to measurements. */
  readonly errorTypes: ErrorTypes = new ErrorTypes();
  readonly #otel: Otel;
  readonly #tracer: Tracer | undefined;
  readonly #counts = new Set<Count>();

  /** Makes the instruments. */
  constructor(otel: Otel) {
    this.#otel = otel;
    if (otel.context !== undefined) this.#tracer = otel.trace?.getTracer(SCOPE);
    const meter = otel.metrics?.getMeter(SCOPE);
    if (meter === undefined) return;
    this.instruments = makeInstruments(meter);
    const tell = (): void => {
      for (const count of this.#counts) count.tell();
    };
    meter.addBatchObservableCallback(tell, []);
    // At its end, Deno sends what was measured, and calls nobody back.
    addEventListener("unload", tell);
  }

  /** Starts a span, as a part of what the program is doing; `body` runs as a part of the span. */
  span<T>(name: string, options: SpanOptions, body: (span: Span, inside: Context) => T): T | undefined {
    const { context } = this.#otel;
    const start = (span: Span): T => body(span, context!.active());
    return this.#tracer?.startActiveSpan(name, options, context!.active(), start);
  }

  /** Runs something as a part of a span. */
  run<T>(inside: Context, body: () => T): T {
    return this.#otel.context!.with(inside, body);
  }

  /** The headers that make spans elsewhere parts of a span; none where nothing is to be told. */
  headers(inside: Context): Record<string, string> | undefined {
    let headers: Record<string, string> | undefined;
    this.#otel.propagation?.inject(inside, undefined, {
      set: (_, key, value) => (headers ??= {})[key] = value,
    });
    return headers;
  }

  /** From now on, a count is told before measurements are sent. */
  add(count: Count): void {
    this.#counts.add(count);
  }

  /** A count is told for the last time. */
  remove(count: Count): void {
    if (this.#counts.delete(count)) count.tell();
  }
}
