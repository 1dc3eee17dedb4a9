/** The text form, the object form, and every error of both. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "jsr:@std/assert@^1.0.19";
import { XSpec, XSpecError, type XSpecInit } from "../../xspec/mod.ts";

/** The error that a spec ends in. */
function errorOf(spec: string | XSpecInit): XSpecError {
  const error = assertThrows(() => new XSpec(spec));
  assertInstanceOf(error, XSpecError);
  assertEquals(error.name, "XSpecError");
  assert(!Object.hasOwn(error, "name"));
  return error;
}

/** An object form that the types forbid. */
function untyped(init: unknown): XSpecInit {
  return init as XSpecInit;
}

const FIELDS: [string, Partial<Record<keyof XSpec, unknown>>][] = [
  ["popen", { type: "popen", popen: true, worker: false, slurm: false, ssh: undefined, execmodel: "worker" }],
  ["worker", { type: "worker", popen: false, worker: true }],
  ["ssh=user@host", { type: "ssh", ssh: "user@host", popen: false }],
  ["ssh=-p 5000 -i key user@host", { ssh: "-p 5000 -i key user@host" }],
  ["ssh=-o 'A=b c' host//ssh_config=/etc/x", { ssh: "-o 'A=b c' host", sshConfig: "/etc/x" }],
  ["socket=192.168.102.2:8888", { type: "socket", socket: "192.168.102.2:8888", tls: false }],
  ["socket=[::1]:8888//tls//tls_ca=ca.pem//token_file=t", {
    socket: "[::1]:8888",
    tls: true,
    tlsCa: "ca.pem",
    tokenFile: "t",
  }],
  ["socket//installvia=gw0", { type: "socket", socket: undefined, installvia: "gw0" }],
  ["command=podman exec -i box", { type: "command", command: "podman exec -i box" }],
  ["podman=box", { type: "podman", podman: "box" }],
  ["docker=box", { type: "docker", docker: "box" }],
  ["kubectl=-n space pod", { type: "kubectl", kubectl: "-n space pod" }],
  ["slurm//nodes=2//partition=p//account=a//time=1:00", {
    type: "slurm",
    slurm: true,
    nodes: 2,
    partition: "p",
    account: "a",
    time: "1:00",
  }],
  ["popen//time=5//nodes=many", { time: undefined, nodes: undefined }],
  ["popen//via=master", { type: "popen", via: "master" }],
  ["popen//deno=sudo -u ci deno//provision", { deno: "sudo -u ci deno", provision: true }],
  ["popen//chdir=/hello/this", { chdir: "/hello/this" }],
  ["popen//chdir=d:\\hello", { chdir: "d:\\hello" }],
  ["popen//nice=-20", { nice: -20 }],
  ["popen//nice=19", { nice: 19 }],
  ["popen//nice=-0", { nice: 0 }],
  ["popen//env:NAME=a=b//env:EMPTY=//env:__proto__=x//env:_X1=y", {
    env: Object.fromEntries([["NAME", "a=b"], ["EMPTY", ""], ["__proto__", "x"], ["_X1", "y"]]),
  }],
  ["popen//execmodel=main", { execmodel: "main" }],
  ["popen//execmodel=process", { execmodel: "process" }],
  ["popen//execmodel=worker", { execmodel: "worker" }],
  ["popen//keepalive=0", { keepalive: 0 }],
  ["popen//keepalive=15000", { keepalive: 15000 }],
  ["popen", { keepalive: undefined, memory: undefined, nice: undefined, env: {}, id: undefined }],
  ["popen//id=one", { id: "one" }],
  ["popen//memory=512M", { memory: 512 * 2 ** 20 }],
  ["popen//memory=2G", { memory: 2 ** 31 }],
  ["popen//memory=4096k", { memory: 4 * 2 ** 20 }],
  ["popen", { permissions: { all: false, allow: {}, deny: {} } }],
  ["popen//allow-all//deny-net=a.b:1", { permissions: { all: true, allow: {}, deny: { net: ["a.b:1"] } } }],
  ["popen//allow-read=/a,b//allow-write//deny-read", {
    permissions: { all: false, allow: { read: ["/a", "b"], write: true }, deny: { read: true } },
  }],
  [
    "popen//allow-net=[::1]:80,*.x.org,:1,unix:/s//allow-env=A,B*//allow-run=ls//allow-sys=uid//allow-ffi=/l//allow-import=x",
    {
      permissions: {
        all: false,
        allow: {
          net: ["[::1]:80", "*.x.org", ":1", "unix:/s"],
          env: ["A", "B*"],
          run: ["ls"],
          sys: ["uid"],
          ffi: ["/l"],
          import: ["x"],
        },
        deny: {},
      },
    },
  ],
  ["popen//chdir=a%2F%2Fb", { chdir: "a//b" }],
  ["popen//chdir=%252F%2f%2525%", { chdir: "%2F%2f%25%" }],
  ["popen//chdir=/tmp/", { chdir: "/tmp/" }],
];
for (const [text, fields] of FIELDS) {
  Deno.test(`XSpec() has the right fields when given "${text}"`, () => {
    const spec = new XSpec(text);
    const found = Object.fromEntries(Object.keys(fields).map((key) => [key, spec[key as keyof XSpec]]));
    assertEquals(found, { ...fields });
    assertEquals(String(spec), text);
  });
}

const ERRORS: [string | XSpecInit, string | undefined, string][] = [
  ["", undefined, "it is empty"],
  ["popen//", undefined, "it has an empty part"],
  ["//popen", undefined, "it has an empty part"],
  ["popen////id=x", undefined, "it has an empty part"],
  ["=x", undefined, 'its part "=x" has no key before the "="'],
  ["popen//=x", undefined, 'its part "=x" has no key'],
  ["popen//id=a//id=b", "id", '"id" is given twice'],
  ["popen//popen", "popen", "is given twice"],
  ["popen//foo//foo=1", "foo", "is given twice"],
  ["popen//env:A=1//env:A=2", "env:A", "is given twice"],
  ["popen//_x=1", "_x", 'begins with "_"'],
  ["id=x", undefined, "it names no gateway type, one of popen, worker, ssh, socket"],
  ["via=master", undefined, "it names no gateway type"],
  ["ssh=h//popen", "popen", 'is a second gateway type beside "ssh"'],
  ["popen//socket=a:1", "socket", 'is a second gateway type beside "popen"'],
  ["popen//worker", "worker", "is a second gateway type"],
  ["popen//nice=x", "nice", 'must be an integer, not "x"'],
  ["popen//nice=1.5", "nice", "must be an integer"],
  ["popen//nice=20", "nice", 'must be an integer from -20 to 19, not "20"'],
  ["popen//nice=-21", "nice", "from -20 to 19"],
  ["popen//nice=", "nice", "needs a value"],
  ["popen//keepalive=-1", "keepalive", "from 0 to"],
  ["popen//keepalive=1s", "keepalive", "must be an integer"],
  ["popen//keepalive=99999999999", "keepalive", "from 0 to 2147483647"],
  ["slurm//nodes=0", "nodes", "from 1 to"],
  ["slurm//nodes=a", "nodes", "must be an integer"],
  ["slurm//time", "time", "needs a value"],
  ["slurm=4", "slurm", "takes no value"],
  ["popen//memory=512", "memory", 'must be a number and K, M or G, at least 4M, not "512"'],
  ["popen//memory=xM", "memory", "must be a number and K, M or G"],
  ["popen//memory=0G", "memory", "at least 4M"],
  ["popen//memory=99999999999G", "memory", "must be a number"],
  ["popen//memory", "memory", "needs a value"],
  ["popen//allow-red", "allow-red", 'is no permission: did you mean "allow-read"?'],
  ["popen//allowRead", "allowRead", 'did you mean "allow-read"?'],
  ["popen//allow_net=x", "allow_net", 'did you mean "allow-net"?'],
  ["popen//DENY-ENV", "DENY-ENV", 'did you mean "deny-env"?'],
  ["popen//allow", "allow", "did you mean one of allow-read, "],
  ["popen//deny-everything", "deny-everything", "did you mean one of deny-read, "],
  ["popen//deny-all", "deny-all", "is no permission: did you mean"],
  ["popen//allow-toString", "allow-toString", "is no permission"],
  ["popen//allow-all=1", "allow-all", "takes no value"],
  ["popen//allow-all//allow-read=/x", "allow-read", "conflicts with allow-all"],
  ["popen//allow-read=", "allow-read", "has an empty item"],
  ["popen//allow-read=a,,b", "allow-read", "has an empty item"],
  ["popen//deny-run=a,", "deny-run", "has an empty item"],
  ["popen//allow-sys=host", "allow-sys", "knows only hostname, osRelease"],
  ["popen//allow-env=A=B", "allow-env", "cannot be a variable's name"],
  ["popen//allow-net=https:%2F%2Fx", "allow-net", "is not host, host:port"],
  ["popen//allow-net=::1", "allow-net", "is not host, host:port"],
  ["popen//allow-net=x:65536", "allow-net", "is not host, host:port"],
  ["popen//allow-net=[zz]:1", "allow-net", "is not host, host:port"],
  ["popen//allow-import=:80", "allow-import", "is not host, host:port"],
  ["popen//python=python3", "python", '"deno=" names the executable'],
  ["popen//python", "python", '"deno="'],
  ["ssh", "ssh", "needs a value"],
  ["ssh=", "ssh", "needs a value"],
  ["ssh= ", "ssh", "needs a value that is not blank"],
  ["ssh=-i 'a b", "ssh", "cannot be split into words: a ' is not closed"],
  ['command=sh -c "x', "command", 'cannot be split into words: a " is not closed'],
  ["popen//deno='x", "deno", "cannot be split"],
  ["command", "command", "needs a value"],
  ["podman", "podman", "needs a value"],
  ["socket", "socket", "needs a value"],
  ["socket=host", "socket", 'must be host:port or [ipv6]:port, not "host"'],
  ["socket=::1:80", "socket", "must be host:port"],
  ["socket=h:0", "socket", "must be host:port"],
  ["socket=h:65536", "socket", "must be host:port"],
  ["socket=[zz]:1", "socket", "must be host:port"],
  ["socket=h:1//installvia=gw0", "installvia", 'goes with the flag "socket"'],
  ["popen//installvia=gw0", "installvia", 'goes with the flag "socket"'],
  ["socket//installvia", "installvia", "needs a value"],
  ["popen=x", "popen", "takes no value"],
  ["popen=", "popen", "takes no value"],
  ["worker=2", "worker", "takes no value"],
  ["popen//provision=yes", "provision", "takes no value"],
  ["socket=h:1//tls=1", "tls", "takes no value"],
  ["popen//chdir", "chdir", "needs a value"],
  ["popen//chdir=", "chdir", "needs a value"],
  ["popen//id=", "id", "needs a value"],
  ["popen//id", "id", "needs a value"],
  ["popen//via", "via", "needs a value"],
  ["popen//execmodel=thread", "execmodel", 'must be worker, main or process, not "thread"'],
  ["popen//env:", "env:", 'does not read "env:NAME=value"'],
  ["popen//env:=x", "env:", 'does not read "env:NAME=value"'],
  ["popen//env=x", "env", 'does not read "env:NAME=value"'],
  ["popen//env:A,B=x", "env:A,B", 'does not read "env:NAME=value"'],
  ["popen//env:A*=x", "env:A*", 'does not read "env:NAME=value"'],
  ["popen//env:A", "env:A", "needs a value, which may be empty"],
  ["popen//chdir=a\0b", "chdir", "has a value with NUL"],
  ["popen//foo=\0", "foo", "has a value with NUL"],
  ["popen//env:A=\0", "env:A", "has a value with NUL"],
  ["popen// deny-net", " deny-net", "is no key: it holds a slash, a blank"],
  ["popen//chdir=/tmp///id=x", "/id", "is no key: it holds a slash"],
  [{}, undefined, "it is empty"],
  [{ popen: false }, undefined, "it is empty"],
  [{ id: "x" }, undefined, "it names no gateway type"],
  [{ popen: true, ssh: "x" }, "ssh", "is a second gateway type"],
  [{ ssh: "" }, "ssh", "needs a value"],
  [{ popen: true, nice: 1.5 }, "nice", 'must be an integer, not "1.5"'],
  [{ popen: true, nice: NaN }, "nice", "must be an integer"],
  [{ popen: true, keepalive: Infinity }, "keepalive", "must be an integer"],
  [{ popen: true, allowRead: ["a,b"] }, "allow-read", 'must hold text without commas, not "a,b"'],
  [{ popen: true, allowRead: [""] }, "allow-read", "has an empty item"],
  [{ popen: true, allowAll: true, allowEnv: true }, "allow-env", "conflicts with allow-all"],
  [{ popen: true, env: { "A=B": "1" } }, "env:A=B", 'does not read "env:NAME=value"'],
  [{ popen: true, env: { "": "1" } }, "env:", 'does not read "env:NAME=value"'],
  [{ popen: true, chdir: "a\0" }, "chdir", "has a value with NUL"],
  [{ popen: true, extra: { "a=b": "1" } }, "a=b", "is no key"],
  [{ popen: true, extra: { "a//b": "1" } }, "a//b", "is no key"],
  [{ popen: true, extra: { "": "1" } }, "", "is no key"],
  [{ popen: true, extra: { _a: "1" } }, "_a", 'begins with "_"'],
  [{ popen: true, extra: { python: "1" } }, "python", '"deno="'],
  [{ popen: true, id: "a", extra: { id: "b" } }, "id", "is given twice"],
  [{ popen: true, memory: "1T" }, "memory", "must be a number and K, M or G"],
  [untyped(undefined), undefined, "a spec is text or an object"],
  [untyped(null), undefined, "a spec is text or an object"],
  [untyped(1), undefined, "a spec is text or an object"],
  [untyped(["popen"]), undefined, "a spec is text or an object"],
  [untyped({ popen: "yes" }), "popen", "must be true or false"],
  [untyped({ popen: null }), "popen", "must be true or false"],
  [untyped({ ssh: true }), "ssh", "must be text"],
  [untyped({ ssh: ["a"] }), "ssh", "must be text"],
  [untyped({ popen: true, nice: "5" }), "nice", "must be a number"],
  [untyped({ popen: true, chdir: 5 }), "chdir", "must be text"],
  [untyped({ popen: true, allowRead: "/x" }), "allow-read", "must be true, false or a list"],
  [untyped({ popen: true, allowRead: [1] }), "allow-read", "must hold text without commas, not 1"],
  [untyped({ popen: true, allowRead: new Array(1) }), "allow-read", "must hold text without commas"],
  [untyped({ popen: true, allowAll: ["x"] }), "allow-all", "takes no value"],
  [untyped({ popen: true, allowAal: true }), "allow-aal", 'did you mean "allow-all"?'],
  [untyped({ popen: true, denyAll: true }), "deny-all", "is no permission"],
  [untyped({ popen: true, env: { A: 1 } }), "env:A", "must be text"],
  [untyped({ popen: true, env: "A=1" }), "env", "must be an object"],
  [untyped({ popen: true, extra: { a: 1 } }), "a", "must be text"],
  [untyped({ popen: true, python: "x" }), "python", '"deno="'],
  [untyped({ popen: true, foo: {} }), "foo", "must be text"],
];
for (const [spec, key, message] of ERRORS) {
  const shown = typeof spec === "string" ? JSON.stringify(spec) : Deno.inspect(spec, { breakLength: 999 });
  Deno.test(`XSpec() throws "${message}" when given ${shown}`, () => {
    const error = errorOf(spec);
    assertEquals(error.key, key);
    assert(error.message.includes(message), error.message);
    assert(error.message.startsWith("Cannot use spec "), error.message);
    if (typeof spec === "string") assertEquals(error.spec, spec);
    else assertEquals(typeof error.spec, "string");
  });
}

Deno.test("XSpec() keeps a variable's value out of the message when another key is wrong", () => {
  const error = errorOf("popen//env:TOKEN=se=cret//nice=x//env:B=hidden");
  assertEquals(
    error.message,
    'Cannot use spec "popen//env:TOKEN=…//nice=x//env:B=…": "nice" must be an integer, not "x"',
  );
  assertEquals(error.spec, "popen//env:TOKEN=se=cret//nice=x//env:B=hidden");
  assert(!errorOf({ popen: true, env: { A: "se//cret/" }, nice: 99 }).message.includes("cret"));
});

Deno.test("XSpec.get() answers for known and unknown keys when asked", () => {
  const spec = new XSpec("popen//foo=bar//flag//empty=//constructor=x//ssh_config=c//env:A=1//Ünï=ä");
  assertEquals(spec.get("popen"), true);
  assertEquals(spec.get("foo"), "bar");
  assertEquals(spec.get("flag"), true);
  assertEquals(spec.get("empty"), "");
  assertEquals(spec.get("constructor"), "x");
  assertEquals(spec.get("ssh_config"), "c");
  assertEquals(spec.get("env:A"), "1");
  assertEquals(spec.get("Ünï"), "ä");
  assertEquals(spec.get("toString"), undefined);
  assertEquals(spec.get("__proto__"), undefined);
});

Deno.test("XSpec() reads the object form as the text form when both say the same", () => {
  const pairs: [XSpecInit, string][] = [
    [{ ssh: "host", allowRead: ["/data"], env: { A: "1" } }, "ssh=host//allow-read=/data//env:A=1"],
    [
      { popen: true, worker: false, ssh: undefined, allowNet: true, denyNet: ["a", "b:1"] },
      "popen//allow-net//deny-net=a,b:1",
    ],
    [{ popen: true, allowAll: true }, "popen//allow-all"],
    [{ popen: true, allowRead: [], denyRead: false, allowAll: false }, "popen"],
    [{ popen: true, env: { A: undefined, B: "" } }, "popen//env:B="],
    [{ socket: "h:1", tls: true, tlsCa: "c", tokenFile: "t" }, "socket=h:1//tls//tls_ca=c//token_file=t"],
    [{ socket: true, installvia: "gw0" }, "socket//installvia=gw0"],
    [
      { ssh: "h", sshConfig: "c", provision: true, nice: -5, keepalive: 0 },
      "ssh=h//ssh_config=c//provision//nice=-5//keepalive=0",
    ],
    [{ slurm: true, nodes: 2, time: "5" }, "slurm//nodes=2//time=5"],
    [{ popen: true, extra: { foo: "a//b", flag: true, none: undefined } }, "popen//foo=a%2F/b//flag"],
    [
      untyped({ popen: true, myKey: "x", flag: true, ssh_config: "c", "env:A": "1" }),
      "popen//myKey=x//flag//ssh_config=c//env:A=1",
    ],
    [{
      popen: true,
      allowSys: ["uid"],
      denyImport: true,
      memory: "1G",
      execmodel: "main",
      via: "gw1",
      id: "x",
    }, "popen//allow-sys=uid//deny-import//memory=1G//execmodel=main//via=gw1//id=x"],
  ];
  for (const [init, text] of pairs) {
    const spec = new XSpec(init);
    assertEquals(String(spec), text);
    assert(spec.equals(new XSpec(text)));
    assertEquals({ ...spec }, { ...new XSpec(text) });
  }
});

Deno.test("XSpec() copies when given another spec", () => {
  const spec = new XSpec("popen//chdir=%2F%2Fx//id=a");
  const copy = new XSpec(spec);
  assert(copy.equals(spec));
  copy.id = "b";
  assertEquals(spec.id, "a");
});

Deno.test("XSpec.toString() encodes only what would read as something else", () => {
  const texts = Object.entries({
    "a/b": "a/b",
    "/a": "/a",
    "a/": "a%2F",
    "//": "%2F%2F",
    "a///b": "a%2F%2F/b",
    "100%": "100%",
    "%2f": "%2f",
    "%2F": "%252F",
    "%25": "%2525",
    "%252F": "%25252F",
    "%/": "%%2F",
    "%2/": "%2%2F",
    "a=b": "a=b",
  });
  for (const [value, text] of texts) {
    assertEquals(String(new XSpec({ popen: true, chdir: value, id: "x" })), `popen//chdir=${text}//id=x`);
    assertEquals(new XSpec(`popen//chdir=${text}//id=x`).chdir, value);
  }
});

Deno.test("XSpec.id shows in get(), toString() and equals() when it is set later", () => {
  const spec = new XSpec("popen//chdir=/tmp/");
  assertEquals(spec.id, undefined);
  spec.id = "gw0";
  assertEquals(spec.id, "gw0");
  assertEquals(spec.get("id"), "gw0");
  assertEquals(String(spec), "popen//chdir=/tmp%2F//id=gw0");
  assert(new XSpec(String(spec)).equals(spec));
  assert(!spec.equals(new XSpec("popen//chdir=/tmp/")));
  spec.id = "a//b/";
  assertEquals(new XSpec(String(spec)).id, "a//b/");
  spec.id = undefined;
  assert(spec.equals(new XSpec("popen//chdir=/tmp/")));
});

Deno.test("XSpec.id throws and stays when it is set to what no id can be", () => {
  const spec = new XSpec("popen//id=a");
  for (const id of ["", "a\0", 5 as unknown as string]) {
    const error = assertThrows(() => (spec.id = id), XSpecError);
    assertEquals(error.key, "id");
    assertEquals(error.spec, "popen//id=a");
  }
  assertEquals(spec.id, "a");
  assertStrictEquals(String(spec), "popen//id=a");
});

Deno.test("XSpec.equals() compares keys and values, not their order, when asked", () => {
  const spec = new XSpec("popen//chdir=/a/b//env:A=1");
  assert(spec.equals(spec));
  assert(spec.equals(new XSpec("env:A=1//popen//chdir=%2Fa%2Fb")));
  assert(!spec.equals(new XSpec("popen//chdir=/a/b")));
  assert(!spec.equals(new XSpec("popen//chdir=/a/b//env:A=2")));
  assert(!spec.equals(new XSpec("popen//chdir=/a/b//env:B=1")));
  assert(!new XSpec("popen//x").equals(new XSpec("popen//x=true")));
});
