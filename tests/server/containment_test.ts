import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import {
  absolute,
  BeyondList,
  checkPermissions,
  checkVariables,
  listed,
  mayWrite,
  resolvePath,
} from "../../gateway/server/containment.ts";
import { readList } from "../../gateway/server/arguments.ts";
import { XSpec } from "../../xspec/mod.ts";
import { test } from "../helpers/bounded.ts";

const CWD = "/home/me";
const same = (path: string): string => path;

function check(allowed: string[], keys: string, real: (path: string) => string = same): void {
  const asked = new XSpec(keys === "" ? "popen" : `popen//${keys}`).permissions;
  checkPermissions(absolute(readList(allowed), "/srv"), absolute(asked, CWD), real);
}

const WITHIN: readonly [allow: string[], keys: string][] = [
  [[], ""],
  [[], "deny-read"],
  [["all"], "allow-all"],
  [["all"], "allow-read=/etc//allow-run"],
  [["read"], "allow-read"],
  [["read"], "allow-read=/etc"],
  [["read=/srv"], "allow-read=/srv"],
  [["read=/srv"], "allow-read=/srv/a/b,/srv/c"],
  [["read=/srv"], "allow-read=/srv/a/../b"],
  [["read=/srv/"], "allow-read=/srv"],
  [["read=."], "allow-read=/srv/x"],
  [["read=/home"], "allow-read=x"],
  [["read=/home/me"], "allow-read=."],
  [["read=/a", "read=/b"], "allow-read=/a/x,/b/x"],
  [["read=/a,/b"], "allow-read=/b"],
  [["read=/"], "allow-read=/anything"],
  [["net=localhost"], "allow-net=localhost:80"],
  [["net=localhost:80"], "allow-net=localhost:80"],
  [["net=LOCALHOST"], "allow-net=localhost"],
  [["net=[::1]"], "allow-net=[::1]:80"],
  [["env=LANG", "env=LC_*"], "allow-env=LANG,LC_ALL"],
  [["run=git"], "allow-run=git"],
  [["run=./tool"], "allow-run=/srv/tool"],
  [["sys=hostname"], "allow-sys=hostname"],
  [["ffi=/lib"], "allow-ffi=/lib/x.so"],
  [["import=deno.land"], "allow-import=deno.land:443"],
  [["read=/srv"], "allow-read=/srv//deny-read=/srv/secret"],
];

const BEYOND: readonly [allow: string[], keys: string, key: string][] = [
  [[], "allow-read=/srv", "allow-read"],
  [["read"], "allow-all", "allow-all"],
  [["read=/srv"], "allow-read", "allow-read"],
  [["read=/srv"], "allow-read=/", "allow-read"],
  [["read=/srv"], "allow-read=/srvx", "allow-read"],
  [["read=/srv"], "allow-read=/srv/../etc", "allow-read"],
  [["read=/srv"], "allow-read=/srv/a,/etc", "allow-read"],
  [["read=/srv"], "allow-read=srv", "allow-read"],
  [["read=/srv"], "allow-read=../../srv/../etc", "allow-read"],
  [["read=/srv"], "allow-write=/srv", "allow-write"],
  [["read=."], "allow-read=.", "allow-read"],
  [["net=localhost:80"], "allow-net=localhost", "allow-net"],
  [["net=localhost:80"], "allow-net=localhost:8080", "allow-net"],
  [["net=localhost"], "allow-net=localhost.example.com", "allow-net"],
  [["net=localhost"], "allow-net=127.0.0.1", "allow-net"],
  [["net=localhost"], "allow-net", "allow-net"],
  [["net=unix:/a"], "allow-net=unix:/a/b", "allow-net"],
  [["env=LANG"], "allow-env=LANGUAGE", "allow-env"],
  [["env=LANG"], "allow-env", "allow-env"],
  [["run=git"], "allow-run=/usr/bin/git", "allow-run"],
  [["run=./tool"], "allow-run=./tool", "allow-run"],
  [["sys=hostname"], "allow-sys=uid", "allow-sys"],
  [["ffi=/lib"], "allow-ffi=/tmp/x.so", "allow-ffi"],
  [["import=deno.land"], "allow-import=example.com", "allow-import"],
];

test("checkPermissions() lets pass what is within the list", () => {
  for (const [allow, keys] of WITHIN) check(allow, keys);
});

test("checkPermissions() refuses what goes beyond the list, and names the key", () => {
  for (const [allow, keys, key] of BEYOND) {
    const error = assertThrows(
      () => check(allow, keys),
      BeyondList,
      undefined,
      `${allow}: ${keys}`,
    ) as BeyondList;
    assertEquals(error.key, key, `${allow}: ${keys}`);
    assert(error.message.includes(key));
  }
});

test("checkPermissions() follows symbolic links of both sides", () => {
  const links = (path: string): string =>
    path.replace(/^\/srv\/out/, "/etc").replace(/^\/srv\/in/, "/srv/x").replace(/^\/link/, "/data");
  check(["read=/srv"], "allow-read=/srv/in", links);
  check(["read=/link"], "allow-read=/link/a", links);
  assertThrows(() => check(["read=/srv"], "allow-read=/srv/out", links), BeyondList);
  assertThrows(() => check(["read=/srv"], "allow-read=/srv/out/a", links), BeyondList);
  assertThrows(() => check(["write=/srv"], "allow-write=/srv/out/a", links), BeyondList);
});

test("checkPermissions() refuses hostile items though a spec could not hold them", () => {
  const list = readList(["read=/srv"]);
  for (const item of ["/srv/a,/etc", "", "/srv/\0"]) {
    const asked = { all: false, allow: { read: [item] }, deny: {} };
    assertThrows(() => checkPermissions(list, asked, same), BeyondList);
  }
});

test("checkVariables() takes listed names, and powerful ones only by name", () => {
  checkVariables(readList(["env=LANG", "env=APP_*"]), ["LANG", "APP_MODE"]);
  checkVariables(readList(["env"]), ["ANYTHING"]);
  checkVariables(readList(["env=LD_PRELOAD"]), ["LD_PRELOAD"]);
  checkVariables(readList(["all"]), ["LD_PRELOAD"]);
  const refused: [string[], string][] = [
    [[], "A"],
    [["read"], "A"],
    [["env=LANG"], "LANGUAGE"],
    [["env"], "LD_PRELOAD"],
    [["env"], "DENO_DIR"],
    [["env"], "PATH"],
    [["env"], "HOME"],
    [["env=LD_*"], "LD_PRELOAD"],
    [["env=NODE_*"], "NODE_OPTIONS"],
    // By these Deno itself writes and connects.
    [["env"], "OTEL_DENO"],
    [["env"], "SSLKEYLOGFILE"],
    [["env"], "SSL_CERT_FILE"],
    [["env"], "HTTP_PROXY"],
    [["env"], "https_proxy"],
    [["env"], "HOSTALIASES"],
  ];
  for (const [allow, name] of refused) {
    const error = assertThrows(() => checkVariables(readList(allow), [name]), BeyondList) as BeyondList;
    assertEquals(error.key, `env:${name}`);
  }
});

test("mayWrite() is about the list's folders for writing", () => {
  const list = readList(["write=/srv", "read=/data"]);
  assertEquals(["/srv/a", "/srv", "/data/a", "/"].map((path) => mayWrite(list, path, same)), [
    true,
    true,
    false,
    false,
  ]);
});

test("resolvePath() and absolute() leave nothing relative", () => {
  assertEquals(resolvePath("/a/b", "../c/./d//e/"), "/a/c/d/e");
  assertEquals(resolvePath("/a", "../../.."), "/");
  const { permissions } = new XSpec(
    "popen//allow-read=x,/y/../z//allow-run=git,./t//allow-net=a//deny-write=w",
  );
  assertEquals(absolute(permissions, "/c"), {
    all: false,
    allow: { read: ["/c/x", "/z"], run: ["git", "/c/t"], net: ["a"] },
    deny: { write: ["/c/w"] },
  });
});

test("listed() says a list in words", () => {
  assertEquals(listed(readList([])), "nothing");
  assertEquals(listed(readList(["all"])), "everything");
  assertEquals(listed(readList(["read=/a,/b", "net"])), "allow-read=/a,/b allow-net");
});
