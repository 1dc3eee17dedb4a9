/**
 * Runs the same work on a gateway of each kind, each within a span that has the kind's name. Gets the kinds as JSON:
 * their names, and the specs of the gateways to make, the last of which does the work.
 */

import { context, propagation, trace } from "npm:@opentelemetry/api@1.9.0";
import { Group } from "../../../mod.ts";
import type job from "./telemetry_job.ts";

const kinds: Record<string, string[]> = JSON.parse(Deno.args[0]!);
const JOB = new URL("./telemetry_job.ts", import.meta.url);
const tracer = trace.getTracer("user");

/** Makes spans over there, where that is on. */
const INNER = `globalThis[Symbol.for("opentelemetry.js.api.1")]?.trace.getTracer("user")`;

async function work(specs: string[]): Promise<void> {
  await using group = new Group();
  for (const spec of specs) await group.makeGateway(spec);
  const gateway = group.get(group.size - 1)!;
  const twice = async (n: number): Promise<number> => {
    await Promise.resolve();
    return 2 * n;
  };
  await gateway.call(twice, 21);
  const quick = gateway.remoteExec(
    `
    await channel.receive();
    ${INNER}.startSpan("in the text").end();
  `,
    { name: "quick" },
  );
  await quick.send(1);
  await quick.waitClose();
  const typed = gateway.remoteExec(
    `
    const n: number = 1;
    ${INNER}.startSpan("in typed text").end();
    await channel.send(n);
  `,
    { name: "typed" },
  );
  await Array.fromAsync(typed);
  const baggage = propagation.createBaggage({ colour: { value: "blue" } });
  await context.with(propagation.setBaggage(context.active(), baggage), async () => {
    console.log(await gateway.remoteExec<typeof job>(JOB).receive());
  });
  for await (
    const n of gateway.stream(async function* count(n: number): AsyncGenerator<number> {
      for (let i = 0; i < n; i++) yield i;
    }, 1_000)
  ) if (n === 2) break;
  const failing = gateway.call((): never => {
    throw new RangeError("too far");
  });
  await failing.catch((error) => console.log(error.message));
}

await Promise.all(
  Object.entries(kinds).map(([name, specs]) =>
    tracer.startActiveSpan(name, async (span) => {
      await work(specs);
      span.end();
    })
  ),
);
