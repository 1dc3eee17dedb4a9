/** A receiver of OpenTelemetry on loopback, which keeps what programs send to it. */

/** A value as OTLP writes it in JSON. */
type OtlpValue = Record<string, unknown>;

interface OtlpAttribute {
  key: string;
  value: OtlpValue;
}

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  attributes?: OtlpAttribute[];
  events?: { name: string; attributes: OtlpAttribute[] }[];
  links?: { traceId: string; spanId: string }[];
  status?: { code: number; message: string };
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

interface OtlpPoint {
  attributes: OtlpAttribute[];
  asDouble?: number;
  count?: string;
  sum?: number;
}

interface OtlpBody {
  resourceSpans?: { resource: { attributes: OtlpAttribute[] }; scopeSpans: OtlpScope<"spans", OtlpSpan>[] }[];
  resourceMetrics?: { scopeMetrics: OtlpScope<"metrics", OtlpMetric>[] }[];
}

type OtlpScope<K extends string, T> = { scope: { name: string } } & Record<K, T[]>;

interface OtlpMetric {
  name: string;
  unit: string;
  sum?: { dataPoints: OtlpPoint[]; isMonotonic: boolean };
  histogram?: { dataPoints: OtlpPoint[] };
}

/** A span that was received. */
export interface ReceivedSpan {
  readonly trace: string;
  readonly id: string;
  readonly parent: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client";
  /** The tracer's name. */
  readonly scope: string;
  /** The `service.name` of the process that sent it. */
  readonly service: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** The attributes of the exceptions that it has recorded. */
  readonly exceptions: readonly Readonly<Record<string, unknown>>[];
  /** The ids of the spans that it refers to. */
  readonly links: readonly string[];
  /** Its status, 2 being an error. */
  readonly status: { code: number; message: string };
  readonly start: bigint;
  readonly end: bigint;
}

/** A value that was measured, for one set of attributes. */
export interface ReceivedPoint {
  readonly unit: string;
  readonly monotonic: boolean | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** A sum, or the number of values of a histogram. */
  readonly value: number;
  /** The sum of the values of a histogram. */
  readonly sum: number | undefined;
}

const KINDS = ["unspecified", "internal", "server", "client"] as const;

/** Receives until it is disposed of. */
export class OtlpReceiver implements AsyncDisposable {
  /** All spans, of ours and of others, in the order of their coming. */
  readonly spans: ReceivedSpan[] = [];
  /** The headers of requests to `/echo`. */
  readonly echoed: Headers[] = [];
  readonly #points = new Map<string, ReceivedPoint>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** Listens on a free port. */
  constructor() {
    this.#server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      (request) => this.#take(request),
    );
  }

  /** Where it is. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** The environment of programs that send to it. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: this.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_SERVICE_NAME: "near",
    };
  }

  /** The spans of one tracer. */
  of(scope: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.scope === scope);
  }

  /** The last values of a measurement. */
  points(name: string): ReceivedPoint[] {
    return [...this.#points].filter(([key]) => key.startsWith(`${name}\n`)).map(([, point]) => point);
  }

  async #take(request: Request): Promise<Response> {
    switch (new URL(request.url).pathname) {
      case "/v1/traces":
      case "/v1/metrics":
        this.#keep(await request.json());
        return Response.json({});
      case "/v1/logs":
        await request.body?.cancel();
        return Response.json({});
      case "/echo":
        this.echoed.push(request.headers);
        return new Response("echo");
      default:
        return new Response(null, { status: 404 });
    }
  }

  #keep({ resourceSpans = [], resourceMetrics = [] }: OtlpBody): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(valuesOf(resource.attributes)["service.name"]);
      for (const { scope, spans } of scopeSpans) {
        for (const span of spans) this.spans.push(readSpan(span, scope?.name ?? "", service));
      }
    }
    for (const { scopeMetrics } of resourceMetrics) {
      for (const { scope, metrics } of scopeMetrics) {
        if (scope?.name === "execnet") { for (const metric of metrics) this.#keepMetric(metric); }
      }
    }
  }

  #keepMetric({ name, unit, sum, histogram }: OtlpMetric): void {
    for (const point of sum?.dataPoints ?? histogram?.dataPoints ?? []) {
      const attributes = valuesOf(point.attributes);
      const key = Object.entries(attributes).sort().join();
      this.#points.set(`${name}\n${key}`, {
        unit,
        monotonic: sum?.isMonotonic,
        attributes,
        value: Number(point.asDouble ?? point.count),
        sum: point.sum,
      });
    }
  }

  /** Stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function readSpan(span: OtlpSpan, scope: string, service: string): ReceivedSpan {
  const { traceId: trace, spanId: id, parentSpanId: parent, name, status, links = [], events = [] } = span;
  return {
    trace,
    id,
    parent,
    name,
    kind: KINDS[span.kind] as ReceivedSpan["kind"],
    scope,
    service,
    attributes: valuesOf(span.attributes),
    exceptions: events.filter(({ name }) => name === "exception").map(({ attributes }) =>
      valuesOf(attributes)
    ),
    links: links.map(({ spanId }) => spanId),
    status: { code: status?.code ?? 0, message: status?.message ?? "" },
    start: BigInt(span.startTimeUnixNano),
    end: BigInt(span.endTimeUnixNano),
  };
}

/** Attributes as plain values. Whole numbers are texts in OTLP's JSON. */
function valuesOf(attributes: readonly OtlpAttribute[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => {
    const [[kind, plain]] = Object.entries(value) as [[string, unknown]];
    return [key, kind === "intValue" ? Number(plain) : plain];
  }));
}

/** Spans as a tree of texts, siblings in the order of their names. */
export type Tree = [label: string, ...children: Tree[]];

/** The spans below one, as a tree. */
export function treeOf(spans: readonly ReceivedSpan[], root: ReceivedSpan): Tree {
  const children = spans.filter(({ parent, trace }) => parent === root.id && trace === root.trace)
    .map((span) => treeOf(spans, span));
  children.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return [`${root.name} (${root.kind}, ${root.service})`, ...children];
}
