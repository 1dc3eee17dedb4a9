/** What is told of errors, and how targets and patterns of a copy are read. */

import { assert, assertEquals, assertMatch, assertThrows } from "jsr:@std/assert@^1.0.19";
import { repeated } from "../../cli/connections.ts";
import { exclusion } from "../../cli/exclude.ts";
import { explain } from "../../cli/explain.ts";
import { Failure, UsageError } from "../../cli/failure.ts";
import { readTarget, readTargets } from "../../cli/target.ts";
import {
  ConnectError,
  type ConnectErrorKind,
  DumpError,
  GatewayClosedError,
  HostNotFoundError,
  RemoteError,
  XSpec,
  XSpecError,
} from "../../mod.ts";
import { test } from "../helpers/bounded.ts";

const KINDS: readonly ConnectErrorKind[] = [
  "host",
  "refused",
  "auth",
  "hostkey",
  "no-deno",
  "version",
  "noise",
  "timeout",
  "exit",
];

test("explain() has advice of its own for every way in which connecting fails", () => {
  const advices = KINDS.map((kind) => {
    const { message, advice, code } = explain(new ConnectError(kind, "Cannot start\n  gateway"));
    assertEquals([message, code], ["Cannot start; gateway", 3]);
    assert(advice !== "" && !advice.includes("\n"), kind);
    return advice;
  });
  assertEquals(new Set(advices).size, KINDS.length);
  assertEquals(explain(new HostNotFoundError("host", "x")).advice, advices[0]);
  const socket = explain(new ConnectError("auth", 'Cannot start gateway "a" (socket=h:1//id=a): no token'));
  assertMatch(socket.advice, /token_file=/);
});

test("explain() says what to add to a spec, and passes exit codes on", () => {
  const remote = (name: string, message: string, fields = {}): Failure =>
    explain(
      new RemoteError(
        { name, message, stack: `${name}: ${message}\n    at <remote exec>:1:2`, fields },
        "gw0",
      ),
    );
  const refused: [string, string][] = [
    ['Requires read access to "/etc/passwd", run again with the --allow-read flag', "allow-read=/etc/passwd"],
    ['Requires net access to "a.b:80", run again', "allow-net=a.b:80"],
    ['Requires write access to "/a,b", run again', "allow-write"],
    ["Requires read access to <CWD>, run again", "allow-read"],
    ["Requires all access, run again with the --allow-all flag", "allow-all"],
    ['Requires run access to "ls", run again', "allow-run=ls"],
  ];
  for (const [message, keys] of refused) {
    assertEquals(remote("NotCapable", message).advice, `To allow that, add ${keys} to the spec`);
  }
  const thrown = remote("TypeError", "no\x1b[2J");
  assertEquals([thrown.advice, thrown.code], ["", 1]);
  assertEquals(
    thrown.message,
    'Remote error on gateway "gw0":\nTypeError: no\ufffd[2J\n    at <remote exec>:1:2',
  );
  const ended = remote("Error", "The process of the execution ended with code 7", { code: 7, signal: null });
  assertEquals([ended.message, ended.code], ["The process of the execution ended with code 7", 7]);
  assertEquals(remote("Error", "mine", { code: 7 }).code, 1);
  const closed = (details: ConstructorParameters<typeof GatewayClosedError>[1]): number =>
    explain(new GatewayClosedError("gone", details)).code;
  assertEquals([{ code: 7 }, { code: 137, signal: "SIGKILL" }, { code: 255 }, {}].map(closed), [
    7,
    137,
    3,
    3,
  ]);
});

test("explain() tells a wrong command line from what has failed", () => {
  const spec = (text: string): Failure => explain(assertThrows(() => new XSpec(text), XSpecError));
  assertMatch(spec("popn").advice, /begins with what to start/);
  assertMatch(spec("popen//allow-reed").advice, /allow-NAME/);
  assertMatch(spec("popen////x").advice, /joined by/);
  assertMatch(spec("popen//python=x").advice, /deno=/);
  assertEquals(["popn", "popen//nice=x", "popen//allow-reed"].map((text) => spec(text).code), [2, 2, 2]);
  for (
    const error of [
      new DumpError("x", "$"),
      new Deno.errors.NotFound("x"),
      new TypeError("x"),
      new Error("x"),
      "x",
    ]
  ) {
    const { message, advice, code } = explain(error);
    assertEquals([message, code], ["x", 1]);
    assert(advice !== "");
  }
  const usage = new UsageError("x");
  assertEquals(explain(usage), usage);
});

test("readTarget() splits at the last colon and allows the folder, and nothing but the folder", () => {
  const cases: [string, string, string][] = [
    ["ssh=build1:/srv/site", "ssh=build1//allow-read=/srv/site//allow-write=/srv/site", "/srv/site"],
    ["ssh=-p 22 u@h//provision:work/", "ssh=-p 22 u@h//provision//allow-read=work//allow-write=work", "work"],
    ["socket=[::1]:8888//tls:/a", "socket=[::1]:8888//tls//allow-read=/a//allow-write=/a", "/a"],
    ["popen:/a%3Ab%25", "popen//allow-read=/a:b%//allow-write=/a:b%", "/a:b%"],
    ["popen:/", "popen//allow-read=%2F//allow-write=%2F", "/"],
    ["popen//allow-read=/srv:/srv/x", "popen//allow-read=/srv", "/srv/x"],
    ["popen//deny-write=/srv/y:/srv/x", "popen//deny-write=/srv/y", "/srv/x"],
    ["popen//allow-all:/a,b", "popen//allow-all", "/a,b"],
  ];
  for (const [word, spec, dest] of cases) {
    const target = readTarget(word);
    assertEquals([String(target.spec), target.dest], [spec, dest]);
  }
  const file = (word: string): readonly string[] | true | undefined =>
    readTarget(word, true).spec.permissions.allow.write;
  assertEquals(["popen:/srv/x/a", "popen:a", "popen:/a"].map(file), [["/srv/x"], ["."], ["/"]]);
  assertEquals(readTarget("popen:/%2525F").spec.permissions.allow.read, ["/%25F"]);
  for (const word of ["/srv", "popen:", "popen:~/x", "popen:/a//b", "socket=h:80", "popen:/a,b"]) {
    const error = assertThrows(() => readTarget(word), Failure);
    assertEquals(error.code, 2, word);
  }
  assertThrows(() => readTarget("popn:/a"), XSpecError);
  assertThrows(() => readTargets(["popen:a", "popen:a"]), UsageError, "twice");
});

test("exclusion() means what a .gitignore means", () => {
  const excluded = exclusion(["*.log", "node_modules/", "/top", "src/**/*.{tmp,bak}", "a?[0-9]"]);
  const paths: [string, boolean, boolean][] = [
    ["x.log", false, true],
    ["a/b/x.log", false, true],
    ["x.logs", false, false],
    ["a/node_modules", true, true],
    ["node_modules", false, false],
    ["top", false, true],
    ["a/top", false, false],
    ["src/x.tmp", false, true],
    ["src/a/b/x.bak", false, true],
    ["other/src/x.tmp", false, false],
    ["ab7", false, true],
    ["ab", false, false],
  ];
  for (const [path, folder, left] of paths) assertEquals(excluded(path, folder), left, path);
});

test("repeated() spreads factors and nothing else", () => {
  assertMatch(explain(assertThrows(() => new XSpec("4*popen"), XSpecError)).advice, /factor/);
  assertEquals(repeated(["2*popen", "ssh=a*b", "1*x"], "map"), ["popen", "popen", "ssh=a*b", "x"]);
  assertThrows(() => repeated(["0*popen"], "map"), UsageError, "factor");
  assertThrows(() => repeated(["99999*popen"], "map"), UsageError, "factor");
});
