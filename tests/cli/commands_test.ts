/** The commands with real gateways, in the process of the test. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { withFolder } from "../helpers/folder.ts";
import { plain } from "../../cli/plain.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { limited } from "../helpers/wait.ts";
import { execnet, type Outcome } from "./scripted_terminal.ts";

const SHOUT = new URL("./code/shout.ts", import.meta.url).pathname;

/** How long a test may take: generous, for the machine may be slow. */
const LIMIT_MS = 60_000;

/** Commands that do not need one another run at the same time. */
function test(name: string, body: () => Promise<void>): void {
  Deno.test(name, async () => {
    const leaks = new LeakCheck();
    await limited(name, body(), LIMIT_MS);
    await leaks.done();
  });
}

function done(out: string): Outcome {
  return { code: 0, out, err: "" };
}

test("exec passes lines in and items out, and ends when the code does", async () => {
  const each = "for await (const item of channel) await channel.send(item)";
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode(`${"x".repeat(50_000)}\n`)),
  });
  const [lines, jsons, bytes, module, unread, kwargs, script] = await Promise.all([
    execnet(["exec", "popen", "-e", each], { input: "a\nb c" }),
    execnet(["exec", "popen", "-e", each, "--in", "json"], { input: '[1]\n{"$bigint":"7"}\n' }),
    execnet(["exec", "popen", "-e", each, "--in=bytes", "--out=text"], { input: "a\n" }),
    execnet(["exec", "popen", SHOUT, "--kwargs", '{"mark":"?"}', "--out", "text"], { input: "hi\nho\n" }),
    execnet(["exec", "popen", "-e", "await channel.send(await channel.receive())", "--out", "text"], {
      input: endless,
    }),
    execnet(["exec", "popen", "-k", '{"a":[1]}', "-e", "await channel.send(kwargs.a)"]),
    execnet(["exec", "popen", "-"], { input: "await channel.send([...channel.gateway.id].length)" }),
  ]);
  assertEquals(lines, done('"a"\n"b c"\n'));
  assertEquals(jsons, done('[1]\n{"$bigint":"7"}\n'));
  assertEquals(bytes, done('{"$bytes":"YQo="}\n'));
  assertEquals(module, done("HI?\nHO?\n"));
  assertEquals(unread.out.length, 50_001);
  assertEquals(kwargs, done("[1]\n"));
  assertEquals(script, done("3\n"));
});

test("exec says what has failed, where, and what to do, by its exit code as well", async () => {
  const [thrown, refused, late, code, zero, gone, line, file, two] = await Promise.all([
    execnet(["exec", "popen", SHOUT, "-k", '{"mark":"!!"}'], { input: "a" }),
    execnet(["exec", "popen", "-e", 'await Deno.readTextFile("/etc/passwd")']),
    execnet(["exec", "popen", "-e", "await new Promise(() => {})", "-t", "200"]),
    execnet(["exec", "popen//execmodel=process", "-e", "Deno.exit(7)"]),
    execnet(["exec", "popen//execmodel=main", "-e", "Deno.exit(0)"]),
    execnet(["exec", "popen//execmodel=main", "-e", "Deno.exit(9)"]),
    execnet(["exec", "popen", "-e", "for await (const _ of channel);", "--in", "json"], {
      input: "1\nnot\n",
    }),
    execnet(["exec", "popen", "/nowhere.ts"]),
    execnet(["exec", "popen", "x.ts", "-e", "1"]),
  ]);
  assertEquals([thrown.code, thrown.out], [1, '"A!!"\n']);
  assertMatch(
    thrown.err,
    /^execnet: Remote error .*\nRangeError: too loud\n {4}at .*code\/shout\.ts:9:\d+\)?\n$/,
  );
  assertEquals(refused.code, 1);
  assertMatch(refused.err, /\n {2}To allow that, add allow-read=\/etc\/passwd to the spec\n$/);
  assertEquals(late.code, 1);
  assertMatch(late.err, /^execnet: The execution took longer than 200 ms\n {2}--timeout/);
  assertEquals([code.code, code.err], [
    7,
    "execnet: The process of the execution ended with code 7\n" +
    "  Code there ended its own process, e.g. by Deno.exit\n",
  ]);
  assertEquals(zero, done(""));
  assertEquals(gone.code, 9);
  assertMatch(line.err, /^execnet: Cannot read line 2 of standard input as JSON.*\n {2}.*\n$/);
  assertEquals(line.code, 1);
  assertMatch(file.err, /^execnet: Cannot run "\/nowhere.ts": there is no such file\n/);
  assertEquals([file.code, two.code], [1, 2]);
  const unawaited = await Promise.all(
    ["worker", "process"].map((model) =>
      execnet(["exec", `popen//execmodel=${model}`, "-e", "channel.send(() => {})"])
    ),
  );
  for (const { code, err } of unawaited) {
    assertEquals(code, 1);
    assertMatch(err, /^execnet: Remote error .*\nDumpError: Cannot send \$: it is a function\n/);
  }
});

test("a slow reader of the output slows the code, and slow code its input", async () => {
  const blocked = Promise.withResolvers<void>();
  const read = Promise.withResolvers<void>();
  const input = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const going = execnet([
    ...["exec", "popen", "--out", "text", "-e"],
    'let n = 0, go = false; channel.receive().then(() => go = true); const item = "x".repeat(500_000);' +
    "while (!go) { await channel.send(item); n++ } await channel.send(`sent ${n}`)",
  ], {
    input: input.readable,
    async write(): Promise<void> {
      blocked.resolve();
      await read.promise;
    },
  });
  await blocked.promise;
  // Code that nothing slows sends hundreds meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 200));
  await input.writable.getWriter().write(new TextEncoder().encode("go\n"));
  read.resolve();
  const { code, out } = await going;
  assertEquals(code, 0);
  const sent = Number(/sent (\d+)\n$/.exec(out)![1]);
  assert(sent < 40, `${sent} items of 500 kB were sent to nobody`);

  let pulled = 0;
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      pulled += 50_000;
      controller.enqueue(new TextEncoder().encode(`${"x".repeat(49_999)}\n`));
    },
  });
  await execnet(["exec", "popen", "-e", "await new Promise(() => {})", "--timeout", "300"], {
    input: endless,
  });
  assert(pulled > 500_000 && pulled < 2_000_000, `${pulled} bytes were read that nobody wanted`);
});

test("call prints what a function returns", async () => {
  const [module, text, nothing, argument, thrown, late, steering] = await Promise.all([
    execnet(["call", "popen", `${SHOUT}#once`, "-s", "1"]),
    execnet([
      "call",
      "popen//allow-env=HOME",
      "-e",
      "(a: number, b: unknown) => [a, b]",
      "-1",
      '{"$date":"1970-01-01T00:00:00.000Z"}',
    ]),
    execnet(["call", "popen", "-e", "() => {}"]),
    execnet(["call", "popen", "-e", "x => x", "text"]),
    execnet(["call", "popen", `${SHOUT}#nothing`]),
    execnet(["call", "popen", "-e", "() => new Promise(() => {})", "--timeout", "200"]),
    execnet([
      ...["call", "popen", "-e"],
      '() => { throw Object.assign(new Error("Requires read access to \\"\\x1b[2J\\u202e\\""), { name: "NotCapable" }) }',
    ]),
  ]);
  assertEquals(module, done('"1"\n'));
  assertEquals(text, done('[-1,{"$date":"1970-01-01T00:00:00.000Z"}]\n'));
  assertEquals(nothing, done(""));
  assertEquals([argument.code, argument.out], [2, ""]);
  assertMatch(thrown.err, /exports no function "nothing"; it exports default, once/);
  assertMatch(steering.err, /\n {2}To allow that, add allow-read=\ufffd\[2J\ufffd to the spec\n$/);
  assertEquals(plain(steering.err), steering.err);
  assertMatch(late.err, /^execnet: No result after 200 ms\n/);
});

test("map works through lines, JSON and words, in order and on several gateways", async () => {
  const [lines, words, jsons, none, failed] = await Promise.all([
    execnet(["map", "2*popen", `${SHOUT}#once`, "-o", "--out=text"], { input: "a\nb\nc\n" }),
    execnet(["map", "2*popen", "-e", "(s: string) => s.length", "-c", "2", "--", "a", "--", "ccc"]),
    execnet(["map", "popen", "-e", "(n) => n + 1n", "--in", "json"], { input: '{"$bigint":"1"}' }),
    execnet(["map", "popen", "-e", "(s) => s", "--"], { input: "unread\n" }),
    execnet(["map", "popen", "-e", "(s) => { if (s === '2') throw new Error('two'); return s }"], {
      input: "1\n2\n3",
      // Slower than the input that fails.
      write: () => new Promise((resolve) => setTimeout(resolve, 300)),
    }),
  ]);
  assertEquals(none, done(""));
  assertEquals(lines, done("A\nB\nC\n"));
  assertEquals([words.code, words.out.split("\n").sort()], [0, ["", "1", "2", "3"]]);
  assertEquals(jsons, done('{"$bigint":"2"}\n'));
  assertEquals([failed.code, failed.out], [1, '"1"\n']);
  assertMatch(
    failed.err,
    /^execnet: Input 2, "2": Remote error on gateway "gw0":\nError: two\n {4}at .*<remote exec>:1:31/,
  );
});

test("info and status say what is there, for people and for programs", async () => {
  const shown = Promise.withResolvers<void>();
  // The code goes on until a status has been shown.
  const lines = new ReadableStream<string>({
    async start(controller): Promise<void> {
      controller.enqueue(`${"x".repeat(2_000)}\n`.repeat(10));
      await shown.promise;
      controller.enqueue("end\n");
      controller.close();
    },
  });
  const [info, facts, status, watched, brief] = await Promise.all([
    execnet(["info", "popen//allow-read=/srv"]),
    execnet(["info", "popen//via=gate", "--hop", "popen//id=gate//allow-run", "--json"]),
    execnet(["status", "popen"]),
    execnet([
      ...["status", "popen", "--json", "--watch", "50", "--in", "lines", "-e"],
      'await channel.send(1); for await (const line of channel) if (line === "end") break',
    ], {
      input: lines.pipeThrough(new TextEncoderStream()),
      write: () => Promise.resolve(shown.resolve()),
    }),
    // The test would fail because of a timer that is left.
    execnet([
      "status",
      "popen",
      "--json",
      "--watch",
      "60000",
      "-e",
      "await new Promise((resolve) => setTimeout(resolve, 300))",
    ]),
  ]);
  assertMatch(info.out, /^permissions +allow-read=\/srv$/m);
  const { deno, permissions } = JSON.parse(facts.out);
  assertEquals([facts.code, deno, permissions], [0, Deno.version.deno, []]);
  assertMatch(
    status.out,
    /^executions +0 running, .*execmodel=worker\)\nmemory +\d.*MiB\nuptime .*\nchannels +0 open\n$/,
  );
  const states = watched.out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(watched.code, 0);
  const last = states.at(-1);
  assertEquals([last.numExecuting, last.channels, last.received], [0, [], 1]);
  assert(last.sent >= 10, String(last.sent));
  assertEquals(brief.code, 0);
  assertEquals(Object.keys(states[0].channels[0]), ["id", "state", "sendCredit", "waiting", "unread"]);
});

test("rsync copies to several targets, and says what went wrong on each", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/from/skipped`, { recursive: true });
    for (const name of ["a", "b.log", "skipped/c"]) await Deno.writeTextFile(`${folder}/from/${name}`, name);
    const source = `${folder}/from`;
    const both = [`popen:${folder}/one`, `popen//chdir=${folder}:two`];
    const dry = await execnet(["rsync", source, ...both, "-n", "-x", "*.log", "-x", "skipped/"]);
    assertEquals(dry.code, 0);
    assertMatch(dry.out, /^popen:.*one: 1 file \(1 B\), 1 would be sent, 0 would be removed, .* s\npopen/);
    const copied = await execnet(["rsync", source, ...both, "-x", "*.log", "-x", "skipped/", "--json"]);
    assertEquals([copied.code, copied.err], [0, ""]);
    const results = copied.out.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(
      results.map(({ target, files, transferred, errors }) => [target, files, transferred, errors]),
      [
        [both[0], 1, 1, []],
        [both[1], 1, 1, []],
      ],
    );
    for (const name of ["one", "two"]) {
      assertEquals([...Deno.readDirSync(`${folder}/${name}`)].map((one) => one.name), ["a"]);
    }

    await Deno.writeTextFile(`${folder}/one/more`, "");
    const wrong = await execnet([
      "rsync",
      source,
      both[0]!,
      `popen//allow-read=${folder}:${folder}/three`,
      "--delete",
    ]);
    assertEquals(wrong.code, 1);
    assertMatch(wrong.out, /one: 3 files .*, 2 sent .*, 1 removed, .*\n.*three: .* 1 error\n$/);
    assertMatch(
      wrong.err,
      new RegExp(`^execnet: .*three: Cannot .*add allow-write=${folder}/three to its spec\\n {2}.*\\n$`),
    );
    const none = await execnet(["rsync", `${folder}/nothing`, both[0]!]);
    assertEquals([none.code, none.out], [1, ""]);
    assertStringIncludes(none.err, "No such file");
    assertEquals((await execnet(["rsync", "", both[0]!])).code, 2);

    const single = await execnet(["rsync", `${folder}/from/a`, `popen:${folder}/new/copy`]);
    assertEquals([single.code, single.err], [0, ""]);
    assertEquals(await Deno.readTextFile(`${folder}/new/copy`), "a");
    const gone = ["command=false:/x", "popen//via=hop:/x"];
    const [some, nobody] = await Promise.all([
      execnet(["rsync", source, ...gone, `popen:${folder}/four`, "--json", "--hop", "command=false//id=hop"]),
      execnet(["rsync", source, gone[0]!]),
    ]);
    assertEquals([some.code, nobody.code, nobody.out], [1, 3, ""]);
    const told = some.out.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(
      told.map(({ target, gateway, errors }) => [target, gateway === null, errors.length]),
      [[gone[0], true, 1], [gone[1], true, 1], [`popen:${folder}/four`, false, 0]],
    );
    assertMatch(
      some.err,
      /^execnet: command=false:\/x: Cannot start .*\n {2}.*\nexecnet: popen\/\/via=hop:\/x: Cannot start gateway "hop" /,
    );
    assertEquals(await Deno.readTextFile(`${folder}/four/a`), "a");
  });
});

test("what cannot be reached is told in two lines, with an exit code of its own", async () => {
  const outcomes = await Promise.all([
    execnet(["info", "socket=localhost:1//token_file=/nowhere"]),
    execnet(["call", "ssh=nowhere.invalid", "-e", "() => 1"]),
    execnet(["exec", "command=false", "-e", "1"]),
  ]);
  for (const { code, err } of outcomes) {
    assertEquals(code, 3);
    assertMatch(err, /^execnet: Cannot start gateway .*\n {2}\S.*\n$/);
  }
  const specs = await Promise.all([execnet(["info", "popn"]), execnet(["info", "popen", "--hop", "popen"])]);
  assertEquals(specs.map(({ code }) => code), [2, 2]);
});

test("a signal ends a command, whatever its gateway does", async () => {
  const busy: readonly string[][] = [
    ["exec", "popen", "-e", "await channel.send(1); while (true);"],
    ["call", "popen", "-e", "() => { while (true); }"],
    ["map", "popen", "-e", "() => { while (true); }", "--", "1"],
    ["status", "popen", "--watch", "10"],
    ["exec", "popen", "-"],
  ];
  await Promise.all(busy.map(async (args) => {
    const { signal, abort } = signals();
    const timer = setTimeout(abort, 300);
    const { code, err } = await execnet(args, { signal, input: new ReadableStream() });
    clearTimeout(timer);
    assertEquals([code, err], [1, ""], args[0]!);
  }));
});

function signals(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error("told to end")) };
}
