/** A job with types, a local import and a package. See module_test.ts. */

import { equal } from "jsr:@std/assert@^1.0.19";
import { basename } from "node:path";
import type { Channel } from "../../../mod.ts";
import { Doubler } from "./lib/doubler.ts";

/** What the job is told. */
export interface Kwargs {
  /** How often. */
  times: number;
}

export default async function (channel: Channel<number, unknown>, { times }: Kwargs): Promise<void> {
  const doubler = new Doubler(times);
  await channel.send(doubler.apply(await channel.receive()));
  await channel.send([equal([1], [1]), basename("/a/b")]);
}
