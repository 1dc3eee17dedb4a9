/** What is measured, under which names. */

import type { Adder, Meter, Recorder } from "../process/otel.ts";

/** The bounds of the buckets of durations, in seconds: those that the conventions advise for calls. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The instruments of a program. */
export interface Instruments {
  /** Gateways that are there. */
  readonly gateways: Adder;
  /** Seconds that starting a gateway has taken. */
  readonly starts: Recorder;
  /** Channels that are open. */
  readonly channels: Adder;
  /** Bytes that went over connections. */
  readonly bytes: Adder;
  /** Executions that have ended. */
  readonly executions: Adder;
  /** Seconds that they have taken, as their callers see it. */
  readonly durations: Recorder;
}

/** Makes the instruments. */
export function makeInstruments(meter: Meter): Instruments {
  const seconds = { unit: "s", advice: { explicitBucketBoundaries: SECONDS } };
  return {
    gateways: meter.createUpDownCounter("execnet.gateways", {
      description: "Gateways that are there",
      unit: "{gateway}",
    }),
    starts: meter.createHistogram("execnet.gateway.start.duration", {
      description: "How long gateways took to start, or to fail to",
      ...seconds,
    }),
    channels: meter.createUpDownCounter("execnet.channels", {
      description: "Channels that are open",
      unit: "{channel}",
    }),
    bytes: meter.createCounter("execnet.io", {
      description: "Bytes that went over the connections of gateways",
      unit: "By",
    }),
    executions: meter.createCounter("execnet.executions", {
      description: "Executions, streams and calls that have ended",
      unit: "{execution}",
    }),
    durations: meter.createHistogram("execnet.execution.duration", {
      description: "How long executions, streams and calls took, as their callers see it",
      ...seconds,
    }),
  };
}
