/** What a far side can put into spans and measurements, with a stand-in for OpenTelemetry; the rest runs in programs. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Facts } from "../../channel/handshake.ts";
import { RemoteError } from "../../channel/remote_error.ts";
import type { Attributes, Failure, Otel, Span } from "../../gateway/process/otel.ts";
import { GatewayTelemetry } from "../../gateway/telemetry/gateway_telemetry.ts";
import { Reporter } from "../../gateway/telemetry/reporter.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import { settle } from "../helpers/bounded.ts";

/** What was told of a span. */
interface Told {
  name: string;
  attributes: Attributes;
  texts: string[];
  ended: boolean;
}

/** A gateway that is watched, with the spans and the values of measurements that are told of it. */
function watch(): { telemetry: GatewayTelemetry; spans: Told[]; measured: [string, number, Attributes][] } {
  const spans: Told[] = [];
  const measured: [string, number, Attributes][] = [];
  const keep = (name: string) => (value: number, attributes: Attributes = {}): void =>
    void measured.push([name, value, attributes]);
  const instrument = (name: string) => ({ add: keep(name), record: keep(name) });
  const startSpan = (name: string): Span => {
    const told: Told = { name, attributes: {}, texts: [], ended: false };
    spans.push(told);
    return {
      spanContext: () => ({}),
      setAttributes: (attributes) => Object.assign(told.attributes, attributes),
      setStatus: ({ message }) => told.texts.push(message),
      recordException: (failure: Failure) =>
        void told.texts.push(failure.name, failure.message, failure.stack ?? ""),
      end: () => void (told.ended = true),
    };
  };
  const otel: Otel = {
    trace: { getTracer: () => ({ startActiveSpan: (name, _options, _in, body) => body(startSpan(name)) }) },
    context: { active: () => ({}), with: (_, body) => body() },
    metrics: {
      getMeter: () => ({
        createCounter: instrument,
        createUpDownCounter: instrument,
        createHistogram: instrument,
        addBatchObservableCallback: () => {},
      }),
    },
  };
  const gateway = { id: "gw0", type: "popen", execmodel: "worker", via: undefined };
  return { telemetry: new GatewayTelemetry(new Reporter(otel), gateway, 0), spans, measured };
}

Deno.test("What errors of the far side say is cut in spans, and few of their names are measured", () => {
  const { telemetry, spans, measured } = watch();
  const long = "x".repeat(100_000);
  const fail = (name: string): void =>
    telemetry.work("call", "").end(new RemoteError({ name, message: long, stack: long }, "gw0"));
  for (const name of ["RangeError", "a b", "é", "", "x".repeat(65), "RangeError"]) fail(name);
  const types = (): unknown[] =>
    measured.filter(([name]) => name === "execnet.executions").map(([, , one]) => one["error.type"]);
  assertEquals(types(), ["RangeError", "_OTHER", "_OTHER", "_OTHER", "_OTHER", "RangeError"]);
  for (let i = 0; i < 200; i++) fail(`E${i}`);
  assertEquals(new Set(types()).size, 65);
  assertEquals(types().at(-1), "_OTHER");
  fail(long);
  telemetry.closed({ code: 0, signal: undefined, forced: false, reason: long });
  const texts = spans.flatMap(({ texts, attributes }) => [...texts, String(attributes["error.type"])]);
  assert(texts.length > 800);
  assertEquals(Math.max(...texts.map((text) => text.length)), 8192);
  // Spans are single: they say the name itself.
  assert(spans.some(({ attributes }) => attributes["error.type"] === "E199"));
});

Deno.test("A gateway that is asked to end when it has ended begins no further span", () => {
  const { telemetry, spans } = watch();
  telemetry.failed(new Error("irrelevant"));
  telemetry.closed({ code: 1, signal: undefined, forced: false, reason: "lost" });
  telemetry.closing();
  assertEquals(spans.map(({ name, ended }) => [name, ended]), [["connect popen", true], [
    "close popen",
    true,
  ]]);
});

Deno.test("Bytes are counted where they come as messages, too", async () => {
  const { telemetry, measured } = watch();
  const [transport, far] = memoryTransports({ messages: true });
  const facts = {} as Facts;
  const counted =
    telemetry.connected({ transport, facts, rest: new Uint8Array(2), address: undefined }).transport;
  let got = 0;
  const { receiveMessages } = counted;
  receiveMessages!((bytes) => got += bytes.length, () => {});
  await far.write(new Uint8Array(5), false);
  await counted.write(new Uint8Array(3), false);
  await settle();
  telemetry.closed({ code: 0, signal: undefined, forced: false, reason: "requested" });
  const io = measured.filter(([name]) => name === "execnet.io");
  assertEquals([got, ...io.map(([, value]) => value)], [5, 3, 7]);
  counted.abort();
});
