import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { readArguments, readList, UsageError } from "../../gateway/server/arguments.ts";
import { serverHelp } from "../../gateway/server/options.ts";
import { test } from "../helpers/bounded.ts";

test("readArguments() takes a dash for standard input", () => {
  assertEquals(readArguments(["--listen", "1", "--token-file", "-"])!.tokenFile, "-");
  assertEquals(readArguments(["--token-file=-", "--listen", "1"])!.tokenFile, "-");
});

test("readArguments() has safe defaults", () => {
  assertEquals(readArguments(["--listen", "8888"]), {
    address: { host: "127.0.0.1", port: 8888 },
    tlsCert: undefined,
    tlsKey: undefined,
    tokenFile: undefined,
    list: { all: false, allow: {}, deny: {} },
    memory: undefined,
    maxConnections: 100,
    handshakeTimeout: 10_000,
    endWithStdin: false,
  });
});

test("readArguments() reads every option", () => {
  const given = readArguments([
    "--listen=[::]:0",
    ...["--tls-cert", "c.pem", "--tls-key", "k.pem", "--token-file", "t", "--memory", "512M"],
    ...["--max-connections", "3", "--handshake-timeout", "250", "--end-with-stdin"],
    ...["--allow", "read=/srv", "--allow", "net=localhost:80", "--allow=read=/data"],
  ])!;
  assertEquals(given.address, { host: "::", port: 0 });
  assertEquals([given.tlsCert, given.tlsKey, given.tokenFile], ["c.pem", "k.pem", "t"]);
  assertEquals([given.memory, given.maxConnections, given.handshakeTimeout], [512 * 2 ** 20, 3, 250]);
  assertEquals(given.endWithStdin, true);
  assertEquals(given.list, {
    all: false,
    allow: { read: ["/srv", "/data"], net: ["localhost:80"] },
    deny: {},
  });
});

test("readArguments() refuses what makes no sense, and says why", () => {
  const cases: [string[], RegExp][] = [
    [[], /--listen/],
    [["--listen"], /--listen/],
    [["--listen", "nonsense"], /HOST/],
    [["--listen", "0.0.0.0:1"], /TLS.*--insecure/s],
    [["--listen", "[::]:1"], /--insecure/],
    [["--listen", "build1:1"], /--insecure/],
    [["--listen", "1", "--tls-cert", "c"], /--tls-key/],
    [["--listen", "1", "--tls-key", "k"], /--tls-key/],
    [["--listen", "1", "--port", "2"], /--port/],
    [["--listen", "1", "stray"], /stray/],
    [["--listen", "1", "--max-connections", "0"], /--max-connections/],
    [["--listen", "1", "--max-connections", "many"], /many/],
    [["--listen", "1", "--handshake-timeout", "-1"], /--handshake-timeout|-1/],
    [["--listen", "1", "--memory", "lots"], /lots/],
    [["--listen", "1", "--allow", "reed=/a"], /allow-read/],
    [["--listen", "1", "--allow", "=/a"], /Cannot allow/],
    [["--listen", "1", "--allow", "read="], /empty/],
    [["--listen", "1", "--allow", "net=http://x"], /host/],
    [["--listen", "1", "--allow", "all=x"], /part of all/],
  ];
  for (const [args, says] of cases) {
    const error = assertThrows(() => readArguments(args), UsageError, undefined, args.join(" "));
    assert(says.test(error.message), `${args.join(" ")}: ${error.message}`);
  }
});

test("readArguments() is about --insecure only beyond loopback without TLS", () => {
  for (const listen of ["1", "localhost:1", "127.0.0.1:1", "[::1]:1"]) readArguments(["--listen", listen]);
  readArguments(["--listen", "0.0.0.0:1", "--insecure"]);
  readArguments(["--listen", "0.0.0.0:1", "--tls-cert", "c", "--tls-key", "k"]);
});

test("readArguments() gives nothing for --help, which names every option", () => {
  assertEquals(readArguments(["--help", "--listen", "nonsense"]), undefined);
  const help = serverHelp("execnet serve");
  assert(help.startsWith("Usage: execnet serve --listen"));
  for (const option of ["listen", "allow", "token-file", "tls-cert", "tls-key", "insecure", "memory"]) {
    assert(help.includes(`--${option}`), option);
  }
});

test("readList() takes everything of a kind over a part of it", () => {
  assertEquals(readList(["read=/a", "read"]).allow, { read: true });
  assertEquals(readList(["read", "read=/a"]).allow, { read: true });
  assertEquals(readList(["all", "read=/a"]), { all: true, allow: {}, deny: {} });
});
