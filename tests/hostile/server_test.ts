/**
 * Real servers with clients that send what no client sends, before they are let in and afterwards. Each is ended, and told
 * of in the log in a line that steers no terminal; the server's memory and descriptors stay bounded; and another client
 * is served all the time.
 */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import { Kind } from "../../gateway/socket/frames.ts";
import { HELLO_BYTES, importToken, makeHello, PROOF_BYTES, prove } from "../../gateway/socket/proof.ts";
import { settle, test } from "../helpers/bounded.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { concat } from "../helpers/sessions.ts";
import { until } from "../helpers/wait.ts";
import { withServer } from "../integration/server_process.ts";
import type { RunningServer } from "../integration/server_process.ts";
import { withTlsServer } from "../integration/tls_server.ts";
import { item } from "./raw_agent.ts";
import { RawClient, serverFrame } from "./raw_client.ts";
import { Honest } from "./watch.ts";

const ONE = new Uint8Array([1]);
const text = new TextEncoder();

/** Mebibytes that a server may take beyond what it takes when it has served one client. */
const GROWTH = 60;

/** What would steer a terminal, or begin a line of its own. */
const EVIL = "\x1b]0;evil\x07\x9b2J\r\n2026-01-01T00:00:00.000Z \u202e127.0.0.1:1 started gateway";

/** The most memory of a process that was ever resident, in mebibytes. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) / 1024;
}

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Runs a test against a server, beside a client that is served all the time. */
function besides(
  name: string,
  options: readonly string[],
  body: (server: RunningServer, honest: Honest) => Promise<void>,
): void {
  test(name, async () => {
    const leaks = new LeakCheck();
    await withServer(options, async (server) => {
      {
        await using group = new Group();
        const gateway = await group.makeGateway(server.spec("execmodel=main//keepalive=0"), {
          stderr: "null",
        });
        await using honest = new Honest(gateway);
        const before = peakOf(server.process.pid);
        await honest.during(name, () => body(server, honest));
        const grown = peakOf(server.process.pid) - before;
        assert(grown < GROWTH, `the server has taken ${grown} MiB more`);
        await until("all is given back", () => server.children().length <= OF_ONE_GATEWAY);
      }
      // deno-lint-ignore no-control-regex -- that is what is looked for
      assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/.test(server.log.text), server.log.text);
    });
    await leaks.done();
  }, 60_000);
}

/** A process and its guard. */
const OF_ONE_GATEWAY = 2;

/** What admitted clients send in place of a start. */
const STARTS: readonly (readonly [bytes: Uint8Array, says: RegExp])[] = [
  [serverFrame(Kind.START, new Uint8Array([0xc1])), /rejected .*content of a frame/],
  [serverFrame(Kind.START, item(5)), /rejected .*without fields/],
  [serverFrame(Kind.START, new Uint8Array(1024 * 1024).fill(0x91)), /rejected .*content of a frame/],
  [serverFrame(Kind.START, new Uint8Array([0xdf, 255, 255, 255, 255])), /rejected .*content of a frame/],
  [serverFrame(Kind.START, ONE, 1024 * 1024 + 1), /rejected .*1048577 bytes are too many/],
  [serverFrame(Kind.DATA, ONE, 0xffffff), /rejected .*16777215 bytes/],
  [serverFrame(99), /rejected .*kind 99/],
  [serverFrame(Kind.KILL), /rejected .*kind 6/],
  [serverFrame(Kind.STARTED, item({})), /rejected .*kind 7/],
  [serverFrame(Kind.START, item({})), /refused .*without a name and a spec/],
  [serverFrame(Kind.START, item({ name: 5, spec: [] })), /refused .*without a name and a spec/],
  [serverFrame(Kind.START, item({ name: "x".repeat(201), spec: "popen" })), /refused .*without a name/],
  [
    serverFrame(Kind.START, item({ name: "x", spec: "popen//a=".padEnd(200_000, "b") })),
    /refused .*so long a spec/,
  ],
  [serverFrame(Kind.START, item({ name: EVIL, spec: `popen//allow-${EVIL}` })), /refused after/],
  [serverFrame(Kind.START, item({ name: EVIL, spec: `popen//chdir=/tmp/${EVIL}` })), /refused after/],
  ...[
    "worker//allow-all",
    "ssh=localhost",
    "socket=localhost:1",
    "popen//deno=sh",
    "popen//via=a",
    "popen//provision",
    "popen//nice=-5",
    "popen//allow-all",
    "popen//allow-read=/",
    "popen//allow-read=/usr/../etc",
    "popen//allow-read=/usr/share/../../etc",
    "popen//allow-run=sh",
    "popen//allow-net",
    "popen//allow-net=unix:/tmp/x",
    "popen//env:LD_PRELOAD=/tmp/x.so",
    "popen//env:DENO_DIR=/tmp",
    "popen//memory=100G",
    "popen//chdir=/nowhere/at/all",
  ].map((spec) => [serverFrame(Kind.START, item({ name: "x", spec })), /refused after/] as const),
];

besides(
  "a client that may come in and asks for what it may not have is refused in a line",
  ["--allow", "read=/usr", "--memory", "512M"],
  async (server) => {
    for (const [bytes, says] of STARTS) {
      using client = await RawClient.admitted(server);
      await client.send(bytes);
      await client.end();
      const lines = await client.log(1);
      assertMatch(lines[0]!, says);
      assertEquals(lines.length, 1);
    }
    assertEquals(server.log.text.match(/^\S+ 127\.0\.0\.1:\d+ started gateway/gm)?.length, 1);
  },
);

/** An agent that does nothing, and looks at nothing. */
const BUSY = "while (true);";

/** One that says much, over its connection and otherwise. */
const TALKATIVE = `return {
  async startAgent(link) {
    const bytes = new Uint8Array(64 * 1024);
    (async () => { while (true) await Deno.stderr.write(bytes); })();
    while (true) await link.write(bytes);
  },
}`;

/** What ends a client that has a process, and what the log says of it. */
const BREACHES: readonly (readonly [frames: Uint8Array, says: RegExp])[] = [
  [serverFrame(99), /ended .*kind 99 from a client/],
  [serverFrame(Kind.EXIT, item({ code: 0 })), /ended .*kind 10 from a client/],
  [serverFrame(Kind.OUTPUT, ONE), /ended .*kind 9 from a client/],
  [serverFrame(Kind.CREDIT, ONE), /ended .*credit of 1 bytes/],
  [serverFrame(Kind.CREDIT, new Uint8Array(5)), /ended .*5 bytes are too many/],
  [serverFrame(Kind.TERMINATE, ONE), /ended .*1 bytes are too many/],
  [concat(serverFrame(Kind.END), serverFrame(Kind.DATA, ONE)), /ended .*behind its end/],
];

besides(
  "a client that has a process and breaks the protocol is ended in a line, and its process",
  [],
  async (server) => {
    await Promise.all(BREACHES.map(async ([frames, says]) => {
      using client = await RawClient.admitted(server);
      await client.run(BUSY);
      await client.send(frames);
      await client.end();
      const lines = await client.log(2);
      assertMatch(lines[0]!, /started gateway "raw" pid=\d+/);
      assertMatch(lines[1]!, says);
      assertEquals(lines.length, 2);
    }));
    {
      using client = await RawClient.admitted(server);
      assertEquals((await client.start("popen//execmodel=main", EVIL.slice(0, 100))).kind, Kind.STARTED);
      assertMatch((await client.log(1))[0]!, /started gateway ".*\\u/);
      await client.send(serverFrame(Kind.KILL));
      await client.end();
      assertEquals((await client.log(2)).length, 2);
    }
  },
);

besides("a client that has a process cannot make the server keep much", [], async (server, honest) => {
  {
    // Data for a process that takes none: the window is 4 MiB.
    using client = await RawClient.admitted(server);
    await client.run(BUSY);
    const flood = serverFrame(Kind.DATA, new Uint8Array(1024 * 1024));
    for (let i = 0; i < 128; i++) if (!await client.send(flood)) break;
    await client.end();
    assertMatch((await client.log(2))[1]!, /more data than the window allows/);
  }
  {
    // What it does not read waits where it is made.
    using client = await RawClient.admitted(server);
    await client.run(TALKATIVE);
    await honest.beside(async (isEnough) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await until("others are answered", isEnough);
    });
    client[Symbol.dispose]();
    assertMatch((await client.log(2))[1]!, /its client has gone|broke/);
  }
  {
    // Many small frames, all of them allowed.
    using client = await RawClient.admitted(server);
    await client.run("return { startAgent: () => new Promise(() => setTimeout(() => {}, 1e9)) }");
    const small = [
      serverFrame(Kind.CREDIT, new Uint8Array(4)),
      serverFrame(Kind.DATA),
      serverFrame(Kind.END),
    ];
    const many = concat(...Array.from({ length: 30_000 }, (_, i) => small[i % 2]!));
    await honest.beside(async (isEnough) => {
      for (let i = 0; i < 10 || !isEnough(); i++) {
        assert(await client.send(many));
        // What can be written at once takes no turn of this side, in which others could be answered.
        await settle();
      }
      await client.send(concat(...Array.from({ length: 30_000 }, () => small[2]!)));
      const terminations = concat(...Array.from({ length: 30_000 }, () => serverFrame(Kind.TERMINATE)));
      await client.send(terminations);
      await client.end();
    });
    assertMatch((await client.log(2))[1]!, /ended .*(SIGTERM|code)/);
  }
});

besides(
  "who is not let in is ended in a line, and costs little",
  ["--handshake-timeout", "700"],
  async (server, honest) => {
    const before = descriptors(server.process.pid);
    const token = await importToken((await Deno.readTextFile(`${server.folder}/token`)).trim());
    const hello = makeHello();
    /** The same, of another version. */
    const ofVersion = (version: number): Uint8Array => hello.with(13, version);
    const attempts:
      readonly (readonly [what: (theirs: Uint8Array) => Uint8Array | Promise<Uint8Array>, says: RegExp])[] = [
        [() => ofVersion(0), /it speaks version 0/],
        [() => ofVersion(2), /it speaks version 2/],
        [() => text.encode("GET / HTTP/1.1\r\n\r\n"), /no execnet client/],
        [() => text.encode(EVIL), /no execnet client/],
        [() => new Uint8Array([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), /no execnet client/],
        [() => concat(hello, new Uint8Array(PROOF_BYTES)), /does not have the token/],
        // What only the server may prove, and what was proved to another version of it.
        [
          async (theirs) => concat(hello, await prove(token, "server", hello, theirs)),
          /does not have the token/,
        ],
        [
          async (theirs) => concat(theirs, await prove(token, "server", theirs, theirs)),
          /does not have the token/,
        ],
        [
          async (theirs) => concat(hello, await prove(token, "client", ofVersion(0), theirs)),
          /does not have/,
        ],
        [async (theirs) => concat(hello, await prove(token, "client", theirs, hello)), /does not have/],
        [() => hello.subarray(0, 30), /it took too long/],
        [async (theirs) => concat(hello, await prove(token, "client", hello, theirs)), /it took too long/],
        [
          async (theirs) =>
            concat(hello, await prove(token, "client", hello, theirs), serverFrame(Kind.START, ONE, 1_000)),
          /it took too long/,
        ],
      ];
    await Promise.all(attempts.map(async ([what, says]) => {
      using client = await RawClient.connect(server);
      const theirs = await client.read(HELLO_BYTES);
      await client.send(await what(theirs));
      await client.end();
      const lines = await client.log(1);
      assertMatch(lines[0]!, says);
      assertEquals(lines.length, 1);
    }));
    {
      // Byte after byte, and never done.
      using client = await RawClient.connect(server);
      const started = performance.now();
      for (const byte of hello.subarray(0, -1)) {
        if (!await client.send(new Uint8Array([byte]))) break;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await client.end();
      assert(performance.now() - started > 600);
      assertMatch((await client.log(1))[0]!, /it took too long/);
    }
    const from = server.log.text.length;
    // So many that not all lines could be written are told of in one line.
    const told = (): number =>
      server.log.text.slice(from).trimEnd().split("\n").reduce(
        (sum, line) => sum + Number(/ left out (\d+) lines/.exec(line)?.[1] ?? 1),
        0,
      );
    let rounds = 0;
    await honest.beside(async (isEnough) => {
      for (; rounds < 4 || !isEnough(); rounds++) {
        await Promise.all(Array.from({ length: 100 }, async (_, i) => {
          using client = await RawClient.connect(server);
          if (i % 2 === 0) await client.send(text.encode("x".repeat(1_000)));
        }));
      }
      await until("all are told of", () => told() >= 100 * rounds, 20_000);
    });
    assertEquals(told(), 100 * rounds);
    await until("all are given back", () => descriptors(server.process.pid) <= before);
  },
);

test("a server with TLS talks to nobody who does not, nor with an older TLS", async () => {
  const leaks = new LeakCheck();
  await withTlsServer(async (server, keys) => {
    await using group = new Group();
    const spec = server.spec(`${keys}//execmodel=main//keepalive=0`);
    await using honest = new Honest(await group.makeGateway(spec, { stderr: "null" }));
    const before = descriptors(server.process.pid);
    // Hellos of TLS 1.0 and of SSL 3.0 that offer nothing newer, and a record that is far too long.
    const old = (version: number): Uint8Array =>
      concat(
        new Uint8Array([0x16, 3, version, 0, 45, 1, 0, 0, 41, 3, version]),
        new Uint8Array(32).fill(7),
        new Uint8Array([0, 0, 2, 0, 0x2f, 1, 0]),
      );
    const words = [
      makeHello(),
      text.encode("GET / HTTP/1.1\r\n\r\n"),
      old(1),
      old(0),
      new Uint8Array([0x16, 3, 1, 0xff, 0xff]),
      new Uint8Array(20_000).fill(0x16),
      text.encode(EVIL),
    ];
    await honest.during("words without TLS", () =>
      Promise.all(words.map(async (bytes) => {
        using client = await RawClient.connect(server);
        await client.send(bytes);
        // An alert, and nothing that a client of ours could go on with.
        assert(await client.end() < HELLO_BYTES);
        const lines = await client.log(1);
        assertMatch(lines[0]!, /rejected after/);
        assertEquals(lines.length, 1);
      })));
    await until("all are given back", () => descriptors(server.process.pid) <= before);
  }, ["--handshake-timeout", "1000"]);
  await leaks.done();
});
