/** OpenTelemetry: which spans there are and whose parts they are, what is measured, and nothing of it where it is off. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { dumps } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { OtlpReceiver, treeOf } from "../helpers/otlp_receiver.ts";
import type { ReceivedSpan, Tree } from "../helpers/otlp_receiver.ts";
import { until } from "../helpers/wait.ts";
import { end, start } from "./program.ts";

const LIMIT_MS = 60_000;

/** Runs a program that reports to a receiver, and gives what it prints. */
async function run(
  receiver: OtlpReceiver,
  name: string,
  args: string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const program = start(name, args, ["-A", "--unstable-worker-options"], { ...receiver.env, ...env });
  const { code } = await end(program, LIMIT_MS);
  assertEquals([code, program.stderr.text], [0, ""]);
  return program.stdout.text;
}

const FAR = "env:OTEL_SERVICE_NAME=far";

/** A command behind which nothing of this program's environment is left, as behind ssh. */
const BARE = `command=env -i PATH=${Deno.env.get("PATH")}//deno=${Deno.execPath()}`;

function told(receiver: OtlpReceiver): string {
  return Object.entries({ ...receiver.env, OTEL_SERVICE_NAME: "far" })
    .map(([name, value]) => `env:${name}=${value.replaceAll("/", "%2F")}`).join("//");
}

test("Executions, streams and calls are spans on both sides, whatever is between the sides", async () => {
  await using receiver = new OtlpReceiver();
  const kinds: Record<string, string[]> = {
    "popen": [`popen//${FAR}`],
    "main": [`popen//execmodel=main//${FAR}`],
    "process": [`popen//execmodel=process//${FAR}`],
    "worker": ["worker//allow-all"],
    "worker main": ["worker//allow-all//execmodel=main"],
    "via": ["popen//id=hop//allow-run=sh", `popen//via=hop//${FAR}`],
    "command": [`${BARE}//${told(receiver)}`],
    "untold": [BARE],
  };
  const printed = await run(receiver, "telemetry.ts", [JSON.stringify(kinds)]);
  const spans = receiver.spans;
  for (const [name, specs] of Object.entries(kinds)) {
    const root = spans.find((span) => span.name === name)!;
    const type = specs.at(-1)!.match(/^\w+/)![0];
    const service = type === "worker" ? "near" : "far";
    const both = (label: string, ...inner: string[]): Tree => [
      `${label} (client, near)`,
      ...(name === "untold" ? [] : [[
        `${label} (server, ${service})`,
        ...inner.map((one): Tree => [`${one} (internal, ${service})`]),
      ] as Tree]),
    ];
    assertEquals(treeOf(spans.filter(({ scope }) => scope !== "deno"), root), [
      `${name} (internal, near)`,
      both("call"),
      both("call twice"),
      ...specs.map((): Tree => [`close ${type} (client, near)`]),
      ...specs.map((): Tree => [`connect ${type} (client, near)`]),
      both("exec quick", "in the text"),
      both("exec telemetry_job.ts", "in the module"),
      both("exec typed", "in typed text"),
      both("stream count"),
    ]);
  }
  // Baggage went with the trace.
  assertEquals(printed.match(/^(blue|undefined)$/gm)?.sort(), [...Array(7).fill("blue"), "undefined"]);
}, LIMIT_MS);

/** A span as what matters of its end. */
function ending(span: ReceivedSpan): unknown[] {
  const { attributes: { "execnet.outcome": outcome, "error.type": type }, status, exceptions } = span;
  const at = exceptions.map((one) =>
    `${one["exception.type"]}: ${one["exception.message"]}`.replace(/[;(].*/, "")
  );
  return [span.name, outcome ?? null, type ?? null, status.code, ...at];
}

test("Ends of gateways and executions are told as what they are, and measured", async () => {
  await using receiver = new OtlpReceiver();
  const printed = await run(receiver, "telemetry_ends.ts", [receiver.url]);
  assertEquals(printed.split("\n"), [
    "no start: ConnectError",
    "throws: RemoteError",
    "killed: RemoteError",
    "late: RemoteError",
    "refused: DumpError",
    "dies: GatewayClosedError",
    "hostile: 0,1,2,3,4,5,6,7,8,9,10",
    "",
  ]);
  const ours = receiver.of("execnet");
  const below = (parent: string): ReceivedSpan[] =>
    ours.filter(({ parent: id }) => id === receiver.spans.find(({ name }) => name === parent)!.id)
      .sort((a, b) => a.name < b.name ? -1 : 1);
  const far = (parent: string): ReceivedSpan[] =>
    ours.filter(({ parent: id }) => below(parent).some((span) => span.id === id));
  const told = (...names: string[]): unknown =>
    Object.fromEntries(
      names.map((name) => [name, { near: below(name).map(ending), far: far(name).map(ending) }]),
    );
  const ended = ["exec", null, "Ended", 2, "Ended: The execution was ended"];
  assertEquals(
    told("no start", "throws", "killed", "abandoned", "refused", "quiet", "dies", "cut"),
    {
      "no start": {
        near: [["connect command", null, "ConnectError", 2, 'ConnectError: Cannot start gateway "never" ']],
        far: [],
      },
      "throws": {
        near: [["exec", "error", "RangeError", 2, "RemoteError: RangeError: too far"]],
        far: [["exec", null, "RangeError", 2, "RangeError: too far"]],
      },
      "killed": {
        near: [["exec endless", "error", "Killed", 2, "RemoteError: Killed: The execution was killed"]],
        far: [["exec endless", ...ended.slice(1)]],
      },
      "abandoned": { near: [["exec", "abandoned", null, 0]], far: [["exec", null, null, 0]] },
      // Nothing was sent.
      "refused": { near: [], far: [] },
      "quiet": { near: [["stream", "ok", null, 0]], far: [["stream", null, null, 0]] },
      "dies": {
        near: [
          [
            "call",
            "error",
            "GatewayClosedError",
            2,
            'GatewayClosedError: Gateway "b" is closed: its process ended with code 3',
          ],
        ],
        far: [],
      },
      "cut": {
        near: [["close popen", null, null, 0], ["exec", "abandoned", null, 0]],
        far: [ended],
      },
    },
  );
  // Whether it has begun over there is a matter of luck.
  assertEquals(below("late").map((span) => ending(span).slice(0, 4)), [["exec", "error", "TimeoutError", 2]]);
  // The far side's own lines.
  assertMatch(String(far("throws")[0]!.exceptions[0]!["exception.stacktrace"]), /at <remote exec>:2:7/);
  const closed = ours.filter(({ name }) => name === "close popen").map(({ parent, attributes }) => [
    attributes["execnet.gateway.id"],
    attributes["execnet.exit.code"],
    attributes["error.type"],
    parent === "",
  ]);
  assertEquals(closed.sort(), [
    ["a", 0, undefined, true],
    ["b", 3, "GatewayClosedError", true],
    ["c", 0, undefined, false],
    ["d", 0, undefined, true],
  ]);
  // What is done on a gateway refers to its start.
  const start = ours.find(({ name, attributes }) =>
    name === "connect popen" && attributes["execnet.gateway.id"] === "a"
  )!;
  const [exec] = below("throws");
  assertEquals(exec!.links, [start.id]);
  assertEquals(exec!.attributes["rpc.system"], "execnet");
  assert(start.start < start.end && start.end < exec!.start);
  // What remote code asks others for carries the trace on.
  const [call] = far("fetches").filter(({ name }) => name === "call");
  const fetched = receiver.spans.find(({ parent }) => parent === call!.id)!;
  assertEquals(receiver.echoed.map((headers) => headers.get("traceparent")), [
    `00-${call!.trace}-${fetched.id}-01`,
  ]);
  // A trace context that is none makes a span of nobody's trace.
  const strays = ours.filter(({ attributes }) => attributes["execnet.gateway.id"] === "hostile");
  assertEquals(strays.map(({ name, parent }) => `${name}:${parent}`).sort(), [
    `exec mine:${"b".repeat(16)}`,
    ...Array(11).fill("exec:"),
  ]);

  const measured = (name: string): unknown[] =>
    receiver.points(name).map(({ attributes, value }) => {
      const model = [attributes["execnet.gateway.type"], attributes["execnet.execmodel"]];
      const how = [attributes["execnet.kind"], attributes["execnet.outcome"], attributes["error.type"]];
      return [...model, ...how, value].filter((one) => one !== undefined).join(" ");
    }).sort();
  const executions = [
    "popen main call error GatewayClosedError 1",
    "popen main call ok 1",
    "popen main exec abandoned 1",
    "popen worker exec abandoned 1",
    "popen worker exec error Killed 1",
    "popen worker exec error RangeError 1",
    "popen worker exec error TimeoutError 1",
    "popen worker exec ok 1",
    "popen worker stream ok 1",
  ];
  assertEquals(measured("execnet.executions"), executions);
  assertEquals(measured("execnet.execution.duration"), executions);
  assertEquals(measured("execnet.gateway.start.duration"), [
    "command worker ConnectError 1",
    "popen main 3",
    "popen worker 1",
  ]);
  assertEquals(measured("execnet.gateways"), ["popen main 0", "popen worker 0"]);
  for (const { value } of receiver.points("execnet.channels")) assertEquals(value, 0);
  const bytes = Object.fromEntries(
    receiver.points("execnet.io").map(({ attributes, value, unit, monotonic }) => {
      assertEquals([unit, monotonic], ["By", true]);
      return [`${attributes["execnet.execmodel"]} ${attributes["network.io.direction"]}`, value];
    }),
  );
  assertEquals(Object.keys(bytes).sort(), [
    "main receive",
    "main transmit",
    "worker receive",
    "worker transmit",
  ]);
  const sent = bytes["worker transmit"]! - 2 ** 20;
  assert(sent > 0 && sent < 8_192, `${sent} bytes besides the item`);
  assert(bytes["worker receive"]! < 16_384, `${bytes["worker receive"]} bytes received`);
}, LIMIT_MS);

test("Channels and bytes are measured while they are there", async () => {
  await using receiver = new OtlpReceiver();
  const env = { ...receiver.env, OTEL_METRIC_EXPORT_INTERVAL: "50" };
  const program = start("telemetry_live.ts", [], ["-A"], env);
  const sum = (name: string): number => receiver.points(name).reduce((all, { value }) => all + value, 0);
  try {
    await until("what is there is told", () => sum("execnet.channels") === 3, LIMIT_MS / 2);
    assertEquals(sum("execnet.gateways"), 1);
    assert(sum("execnet.io") > 0);
  } finally {
    // Deno.exit() hangs where Deno is collecting at that moment, which it does all the time with this interval.
    program.process.kill("SIGKILL");
    await end(program);
  }
}, LIMIT_MS);

/** What a program has sent. */
interface Sent {
  /** The text of the function that it calls. */
  source: string;
  /** The payload bytes of the frames of each type. */
  frames: Record<string, { bytes: number }>;
}

/** Runs a program and gives what it has sent, as its trace tells it. */
async function sentBy(env: Record<string, string>, map?: string): Promise<Sent> {
  const flags = map === undefined ? [] : [`--import-map=${map}`];
  const program = start("telemetry_off.ts", [], ["-A", ...flags], { ...env, EXECNET_DEBUG: "2" });
  const { code } = await end(program, LIMIT_MS);
  const [one, two, ...source] = program.stdout.text.trimEnd().split("\n");
  assertEquals([code, one, two], [0, "1", "42"], program.stderr.text);
  const { pid } = program.process;
  const line = new RegExp(`^\\[${pid}\\] gw0 sent CHANNEL_(EXEC|DATA) channel=\\d+ bytes=(\\d+)$`, "gm");
  const frames: Sent["frames"] = {};
  for (const [, type, bytes] of program.stderr.text.matchAll(line)) {
    (frames[type!] ??= { bytes: 0 }).bytes += Number(bytes);
  }
  return { source: source.join("\n"), frames };
}

test("Where OpenTelemetry is off nothing of it is loaded, and nothing more is sent", async () => {
  await using receiver = new OtlpReceiver();
  const root = new URL("../../", import.meta.url);
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  // With this map, what tells OpenTelemetry of gateways cannot be loaded.
  const trap = { [new URL("gateway/telemetry/telemetry.ts", root).href]: "data:text/javascript,throw 1" };
  const map = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(map, JSON.stringify({ imports: { ...imports, ...trap } }));
    const [off, trapped, on] = await Promise.all([
      sentBy({ ...receiver.env, OTEL_DENO: "false" }, map),
      sentBy(receiver.env, map),
      sentBy(receiver.env),
    ]);
    const size = (...items: unknown[]): number =>
      items.reduce((all: number, item) => all + dumps(item).length, 0);
    const text = { kind: "text", source: "await channel.send(1)", name: "one" };
    const call = [1, { id: 1, source: off.source, name: "twice" }, [21]];
    assertEquals(off.frames.DATA, { bytes: size(text, { kind: "calls" }, call) });
    // No gateway fails for want of it.
    assertEquals(trapped, off);
    const traceparent = "x".repeat(55);
    const traced = [
      { ...text, traceContext: { kind: "exec", method: "one", traceparent } },
      [...call, { kind: "call", method: "twice", traceparent }],
    ];
    assertEquals(on, {
      ...off,
      frames: { ...off.frames, DATA: { bytes: size({ kind: "calls" }, ...traced) } },
    });
    // Those of the one program to which nothing was in the way.
    assertEquals(receiver.of("execnet").map(({ name, kind }) => `${name} ${kind}`).sort(), [
      "call twice client",
      "call twice server",
      "close popen client",
      "connect popen client",
      "exec one client",
      "exec one server",
    ]);
  } finally {
    await Deno.remove(map);
  }
}, LIMIT_MS);
