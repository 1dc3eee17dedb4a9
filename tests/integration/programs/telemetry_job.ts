/** A module that is shipped with the package that makes spans, and tells what it sees of its caller's trace. */

import { context, propagation, trace } from "npm:@opentelemetry/api@1.9.0";
import type { Channel } from "../../../mod.ts";

export default async function job(channel: Channel<number, string>): Promise<void> {
  await trace.getTracer("user").startActiveSpan("in the module", async (span) => {
    const baggage = propagation.getBaggage(context.active())?.getEntry("colour")?.value;
    await channel.send(String(baggage));
    span.end();
  });
}
