/** OpenTelemetry as Deno has it built in: what both sides use of its interface, by its shape. */

/** What tells a span or a measurement from others. */
export type Attributes = Record<string, string | number | boolean | undefined>;

/** Where a span belongs; only ever passed on. */
export type Context = object;

/** Which side of a request a span is: neither (0), that which serves it (1), or that which asks for it (2). */
export type SpanKind = 0 | 1 | 2;

/** How a span is started. */
export interface SpanOptions {
  kind: SpanKind;
  attributes: Attributes;
  links?: { context: object }[];
  /** Milliseconds since 1970. */
  startTime?: number;
  /** It belongs to no other span. */
  root?: boolean;
}

/** What an error is to a span. */
export interface Failure {
  name: string;
  message: string;
  stack?: string | undefined;
}

/** A piece of work with a beginning and an end. */
export interface Span {
  spanContext(): object;
  setAttributes(attributes: Attributes): unknown;
  setStatus(status: { code: number; message: string }): unknown;
  recordException(failure: Failure): void;
  end(): void;
}

/** What makes spans. */
export interface Tracer {
  startActiveSpan<T>(name: string, options: SpanOptions, context: Context, body: (span: Span) => T): T;
}

/** What adds up, or collects, values. */
export interface Adder {
  add(value: number, attributes?: Attributes): void;
}

/** What collects values for their distribution. */
export interface Recorder {
  record(value: number, attributes?: Attributes): void;
}

/** What an instrument says of itself. */
export interface InstrumentOptions {
  description: string;
  unit: string;
  /** The bounds of a histogram's buckets. */
  advice?: { explicitBucketBoundaries: number[] };
}

/** What makes instruments. */
export interface Meter {
  createCounter(name: string, options: InstrumentOptions): Adder;
  createUpDownCounter(name: string, options: InstrumentOptions): Adder;
  createHistogram(name: string, options: InstrumentOptions): Recorder;
  /** Calls back before measurements are sent. */
  addBatchObservableCallback(callback: () => void, observables: readonly never[]): void;
}

/** What is registered where OpenTelemetry is on; each part may be off. */
export interface Otel {
  trace?: { getTracer(name: string): Tracer };
  context?: { active(): Context; with<T>(context: Context, body: () => T): T };
  metrics?: { getMeter(name: string): Meter };
  propagation?: {
    inject<C>(
      context: Context,
      carrier: C,
      setter: { set(carrier: C, key: string, value: string): void },
    ): void;
    extract(
      context: Context,
      carrier: unknown,
      getter: { get(carrier: unknown, key: string): string | undefined; keys(carrier: unknown): string[] },
    ): Context;
  };
}

/**
 * How an execution belongs to its caller's trace, as it travels: the headers of the W3C's Trace Context, and what the
 * span is called. Untrusted on arrival.
 */
export interface TraceContext {
  /** `exec`, `stream` or `call`. */
  kind: string;
  /** The name of the code, or "". */
  method: string;
  traceparent?: string;
  tracestate?: string;
  baggage?: string;
}

/** What our spans and measurements are from. */
export const SCOPE = "execnet";

/**
 * OpenTelemetry where it is on. Deno registers it where npm:@opentelemetry/api looks for it, so that this takes no
 * permission, and spans of ours and of programs that use that package belong to one another.
 */
export function registered(): Otel | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for("opentelemetry.js.api.1")] as Otel | undefined;
}

/** What a span of an execution is called. */
export function spanName({ kind, method }: TraceContext): string {
  return method === "" ? kind : `${kind} ${method}`;
}

/** What spans of an execution say on both sides. */
export function rpcAttributes({ method }: TraceContext, gateway: string): Attributes {
  return { "rpc.system": SCOPE, "rpc.method": method || undefined, "execnet.gateway.id": gateway };
}

/** A span whose work has failed. */
export function markFailed(span: Span, failure: Failure, type: string = failure.name): void {
  span.recordException(failure);
  span.setAttributes({ "error.type": type });
  // The code for an error.
  span.setStatus({ code: 2, message: failure.message });
}
