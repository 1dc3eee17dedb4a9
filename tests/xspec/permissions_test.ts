/** Narrowing. What the keys mean is tested with the spec. */

import { assertEquals, assertStrictEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import {
  narrow,
  type PermissionLists,
  type Permissions,
  type PermissionsInit,
  withEnv,
  XSpec,
} from "../../xspec/mod.ts";

/** The permissions of a local gateway with these keys. */
function of(keys: string): Permissions {
  return new XSpec("popen" + (keys && "//" + keys)).permissions;
}

const NARROWED: [string, PermissionsInit, PermissionLists][] = [
  ["", {}, {}],
  ["allow-all", {}, {}],
  ["allow-read", "none", {}],
  ["allow-all", { read: true, net: ["a:1"], write: false, env: undefined, run: [] }, {
    read: true,
    net: ["a:1"],
  }],
  ["allow-all", { read: "inherit" }, { read: true }],
  ["allow-read=/a", { read: "inherit", write: "inherit" }, { read: ["/a"] }],
  ["allow-read", { read: true }, { read: true }],
  ["allow-read", { read: ["/x"] }, { read: ["/x"] }],
  ["allow-read=/data,/b", { read: ["/data/x", "/b", "/data/y/../z", "/data//", "/x/../data"] }, {
    read: ["/data/x", "/b", "/data/y/../z", "/data//", "/x/../data"],
  }],
  ["allow-read=/", { read: ["/etc"] }, { read: ["/etc"] }],
  ["allow-write=.", { write: ["a", "./b/../c", "a..b"] }, { write: ["a", "./b/../c", "a..b"] }],
  ["allow-write=..", { write: ["../a", "b"].slice(0, 1) }, { write: ["../a"] }],
  ["allow-write=src/", { write: ["src/a"] }, { write: ["src/a"] }],
  ["allow-read=C:\\Data", { read: ["c:/data\\x"] }, { read: ["c:/data\\x"] }],
  ["allow-ffi=/lib", { ffi: ["/lib/x.so"] }, { ffi: ["/lib/x.so"] }],
  ["allow-net=a.b,c:1,[::1]", { net: ["A.B:80", "a.b", "c:1", "[::1]:5"] }, {
    net: ["A.B:80", "a.b", "c:1", "[::1]:5"],
  }],
  ["allow-net=unix:/s", { net: ["unix:/s"] }, { net: ["unix:/s"] }],
  ["allow-import=a", { import: ["a:443"] }, { import: ["a:443"] }],
  ["allow-env=A,B*", { env: ["A", "B1", "B*"] }, { env: ["A", "B1", "B*"] }],
  ["allow-run=ls,/bin/cat", { run: ["/bin/cat"] }, { run: ["/bin/cat"] }],
  ["allow-sys=uid,gid", { sys: ["uid"] }, { sys: ["uid"] }],
];
for (const [keys, init, allow] of NARROWED) {
  Deno.test(`narrow() grants what is asked when "${keys}" is narrowed to ${Deno.inspect(init)}`, () => {
    assertEquals(narrow(of(keys), init), { all: false, allow, deny: {} });
  });
}

const WIDER: [string, PermissionsInit, string][] = [
  [
    "",
    { read: true },
    'Cannot narrow permission "read" to everything: only nothing is allowed here (spec key "allow-read")',
  ],
  ["allow-read=/a", { read: true }, 'to everything: only ["/a"] is allowed'],
  [
    "allow-read=/a",
    { read: ["/ab"] },
    'Cannot narrow permission "read" to "/ab": only ["/a"] is allowed here',
  ],
  ["allow-read=/a", { read: ["/a", "/b"] }, 'to "/b"'],
  ["allow-read=/a", { read: ["/a/../b"] }, 'to "/a/../b"'],
  ["allow-read=/a", { read: ["/"] }, 'to "/"'],
  ["allow-read=/a/b", { read: ["/a"] }, 'to "/a"'],
  ["allow-read=/a", { read: ["a"] }, 'to "a"'],
  ["allow-read=a", { read: ["/a"] }, 'to "/a"'],
  ["allow-read=.", { read: ["/etc"] }, 'to "/etc"'],
  ["allow-read=.", { read: [".."] }, 'to ".."'],
  ["allow-read=.", { read: ["../a"] }, 'to "../a"'],
  ["allow-read=..", { read: ["../.."] }, 'to "../.."'],
  ["allow-read=a", { read: ["a/../../b"] }, 'to "a/../../b"'],
  ["allow-net=a:1", { net: ["a"] }, 'to "a"'],
  ["allow-net=a:1", { net: ["a:2"] }, 'to "a:2"'],
  ["allow-net=a", { net: ["b.a"] }, 'to "b.a"'],
  ["allow-net=unix:/s", { net: ["unix:/s:1"] }, 'to "unix:/s:1"'],
  ["allow-net=unix:/s", { net: ["unix:/S"] }, 'to "unix:/S"'],
  ["allow-env=A", { env: ["B"] }, 'to "B"'],
  ["allow-env=A", { env: ["A*"] }, 'to "A*"'],
  ["allow-run=ls", { run: ["/bin/ls"] }, 'to "/bin/ls"'],
  ["allow-sys=uid", { sys: ["gid"] }, 'to "gid"'],
  ["allow-import=a", { import: ["b"] }, 'to "b"'],
];
for (const [keys, init, message] of WIDER) {
  Deno.test(`narrow() throws when "${keys}" would be widened to ${Deno.inspect(init)}`, () => {
    assertThrows(() => narrow(of(keys), init), RangeError, message);
  });
}

Deno.test("narrow() keeps what is denied when it narrows", () => {
  const base = of("allow-all//deny-read=/a/secret//deny-net");
  for (const init of ["none", { read: ["/a"] }, { net: true }] satisfies PermissionsInit[]) {
    assertEquals(narrow(base, init).deny, { read: ["/a/secret"], net: true });
  }
  assertStrictEquals(narrow(base, "inherit"), base);
});

Deno.test("narrow() compares relative with absolute paths when it is given the directory", () => {
  const base = of("allow-read=sub,/w/other");
  assertEquals(narrow(base, { read: ["/w/d/sub/x"] }, "/w/d").allow.read, ["/w/d/sub/x"]);
  assertEquals(narrow(base, { read: ["../other/x"] }, "/w/d").allow.read, ["../other/x"]);
  assertThrows(() => narrow(base, { read: ["/w/sub"] }, "/w/d"), RangeError);
});

Deno.test("narrow() knows the names of env keys when they are added first", () => {
  const spec = new XSpec("popen//env:A=1");
  const base = withEnv(spec.permissions, Object.keys(spec.env));
  assertEquals(narrow(base, { env: ["A"] }).allow, { env: ["A"] });
  assertThrows(() => narrow(spec.permissions, { env: ["A"] }), RangeError);
});

Deno.test("narrow() throws when it is given something of another kind", () => {
  const bad: [unknown, string][] = [
    [undefined, 'must be "none", "inherit" or an object'],
    [null, 'must be "none", "inherit" or an object'],
    ["all", 'must be "none", "inherit" or an object'],
    [["read"], 'must be "none", "inherit" or an object'],
    [{ reed: true }, '"reed" is no permission'],
    [{ read: "/x" }, 'Permission "read" must be true, false, "inherit" or a list of text'],
    [{ read: [1] }, "has an item that is not text"],
    [{ read: [""] }, "has an empty item"],
    [{ read: ["a,b"] }, "cannot hold an item with a comma"],
    [{ net: ["http://x"] }, "is not host"],
  ];
  for (const [init, message] of bad) {
    assertThrows(() => narrow(of("allow-all"), init as PermissionsInit), TypeError, message);
  }
});
