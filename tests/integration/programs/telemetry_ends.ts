/**
 * Lets gateways and executions end in every way, each within a span of a name of its own. The first argument is the URL
 * of the receiver.
 */

import { trace } from "npm:@opentelemetry/api@1.9.0";
import { spanned } from "../../../gateway/agent/spans.ts";
import { Group } from "../../../mod.ts";

const [receiver] = Deno.args as [string];
const tracer = trace.getTracer("user");

/** Does something within a span; what it throws is expected. */
function within(name: string, work: () => Promise<unknown>): Promise<void> {
  return tracer.startActiveSpan(name, async (span) => {
    await work().catch((error) => console.log(`${name}: ${error.name}`));
    span.end();
  });
}

const WAITS = "await channel.receive()";

await using group = new Group();
await within("no start", () => group.makeGateway("command=false//id=never"));

const gateway = await group.makeGateway("popen//execmodel=worker//id=a", { stderr: "null" });
await within("throws", async () => {
  await gateway.remoteExec("await 0;\nthrow new RangeError('too far')").receive();
});
await within("killed", async () => {
  const channel = gateway.remoteExec(`await channel.send(1); ${WAITS}`, { name: "endless" });
  await channel.receive();
  channel.kill();
  await channel.waitClose();
});
await within("late", () => gateway.remoteExec(WAITS, { timeout: 1 }).waitClose());
await within("abandoned", async () => {
  const channel = gateway.remoteExec(`await channel.send(1); ${WAITS}`);
  await channel.receive();
  await channel.close();
});
await within("refused", () => gateway.call((x: unknown) => x, () => {}));
await within("quiet", async () => {
  for await (
    const n of gateway.stream(function* (): Generator<number> {
      yield 1;
      yield 2;
    })
  ) if (n === 1) break;
});
await within("bytes", async () => {
  const channel = gateway.remoteExec("for await (const _ of channel);");
  await channel.send(new Uint8Array(1 << 20));
  await channel.closeWrite();
  await channel.waitClose();
});
const doomed = await group.makeGateway("popen//execmodel=main//id=b", { stderr: "null" });
await within("dies", () => doomed.call(() => Deno.exit(3)));
await doomed.closed;

const asked = await group.makeGateway("popen//execmodel=main//id=c", { stderr: "null" });
await within("cut", async () => {
  const channel = asked.remoteExec(`await channel.send(1); ${WAITS}`);
  await channel.receive();
  await asked[Symbol.asyncDispose]();
});

await within("fetches", async () => {
  const { host } = new URL(receiver);
  const reaching = await group.makeGateway(`popen//execmodel=main//id=d//allow-net=${host}`);
  await reaching.call(async (url: string) => await (await fetch(url)).text(), `${receiver}/echo`);
});

// What comes over the wire may be anything: it is no reason to fail, and is nobody's trace.
const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
const hostile: unknown[] = [
  null,
  1,
  "x",
  [],
  {},
  { kind: {}, method: [], traceparent: 1 },
  { traceparent: `${traceparent}-`, tracestate: "x".repeat(1 << 20) },
  { traceparent: traceparent.replaceAll("b", "0") },
  { traceparent: traceparent.toUpperCase(), baggage: "\0=\0,;;=" },
  { traceparent: "é", method: "x".repeat(1 << 20) },
  { traceparent: "", baggage: "a=%zz" },
];
const done = await Promise.all(hostile.map((one, i) => spanned(one, "hostile", () => Promise.resolve(i))));
console.log(`hostile: ${done}`);
await spanned({ kind: "exec", method: "mine", traceparent }, "hostile", () => Promise.resolve());
