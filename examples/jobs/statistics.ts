/** Answers each series of numbers with what describes it. Shipped by typed_job.ts, together with what it imports. */

import type { Channel } from "../../mod.ts";
import { mean, median } from "./averages.ts";

/** What describes a series. */
export interface Summary {
  mean: number;
  median: number;
  range: [low: number, high: number];
}

/** How the job works. */
export interface Options {
  digits: number;
}

export default async function describe(
  channel: Channel<Float64Array, Summary>,
  { digits }: Options,
): Promise<void> {
  const round = (value: number): number => Number(value.toFixed(digits));
  for await (const series of channel) {
    await channel.send({
      mean: round(mean(series)),
      median: round(median(series)),
      range: [round(Math.min(...series)), round(Math.max(...series))],
    });
  }
}
