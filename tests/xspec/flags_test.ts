/** Flags and Worker options by table. That Deno takes them is tested in deno_run_test.ts. */

import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import {
  permissionFlags,
  runFlags,
  type WorkerPermissions,
  workerPermissions,
  XSpec,
  XSpecError,
} from "../../xspec/mod.ts";

const NOWHERE = ["--no-remote", "--no-npm"];

const FLAGS: [string, string[]][] = [
  ["", NOWHERE],
  ["allow-read", ["--allow-read", ...NOWHERE]],
  ["allow-read=/a,b c//deny-read=/a/x", ["--allow-read=/a,b c", "--deny-read=/a/x", ...NOWHERE]],
  ["allow-write//allow-net=a:1//allow-run=ls//allow-ffi", [
    "--allow-write",
    "--allow-net=a:1",
    "--allow-run=ls",
    "--allow-ffi",
    ...NOWHERE,
  ]],
  ["env:A=1//env:B=2", ["--allow-env=A,B", ...NOWHERE]],
  ["env:A=1//env:B=2//allow-env=B,C", ["--allow-env=B,C,A", ...NOWHERE]],
  ["env:A=1//allow-env", ["--allow-env", ...NOWHERE]],
  ["env:A=1//deny-env", ["--deny-env", ...NOWHERE]],
  ["env:A=1//env:B=2//deny-env=A", ["--allow-env=B", "--deny-env=A", ...NOWHERE]],
  ["env:AB=1//deny-env=A*", ["--deny-env=A*", ...NOWHERE]],
  ["env:A=1//allow-all", ["--allow-all"]],
  ["allow-all//deny-net=a//deny-run", ["--allow-all", "--deny-net=a", "--deny-run"]],
  ["allow-all//deny-import", ["--allow-all", "--deny-import", ...NOWHERE]],
  ["allow-all//deny-import=a", ["--allow-all", "--deny-import=a"]],
  ["allow-import", ["--allow-import"]],
  ["allow-import=a,b:1", ["--allow-import=a,b:1"]],
  ["allow-import//deny-import=a", ["--allow-import", "--deny-import=a"]],
  ["allow-import//deny-import", ["--allow-import", "--deny-import", ...NOWHERE]],
  ["deny-import", ["--deny-import", ...NOWHERE]],
  ["deny-import=a", ["--deny-import=a", ...NOWHERE]],
  ["memory=512M", [...NOWHERE, "--v8-flags=--max-old-space-size=512"]],
  ["memory=4097K//allow-all", ["--allow-all", "--v8-flags=--max-old-space-size=5"]],
];
for (const [keys, flags] of FLAGS) {
  Deno.test(`runFlags() gives ${flags.join(" ")} when the spec holds "${keys}"`, () => {
    const spec = new XSpec("popen" + (keys && "//" + keys));
    assertEquals(runFlags(spec), ["--no-prompt", ...flags]);
    const without = permissionFlags(spec.permissions, Object.keys(spec.env));
    assertEquals(without, ["--no-prompt", ...flags.filter((flag) => !flag.startsWith("--v8"))]);
  });
}

const NONE = {
  read: false,
  write: false,
  import: false,
  net: false,
  env: false,
  sys: false,
  run: false,
  ffi: false,
};
const ALL = "inherit" as const;
const INHERIT = { read: ALL, write: ALL, import: ALL, net: ALL, env: ALL, sys: ALL, run: ALL, ffi: ALL };

const OPTIONS: [string, string | undefined, WorkerPermissions][] = [
  ["", undefined, NONE],
  ["allow-all", undefined, "inherit"],
  ["allow-all", "allow-all//deny-net=a", "inherit"],
  ["allow-all//deny-net", undefined, { ...INHERIT, net: false }],
  ["allow-all//deny-net=a", "allow-all//deny-net=a", "inherit"],
  ["allow-read=/a//allow-net", undefined, { ...NONE, read: ["/a"], net: true }],
  ["allow-read=/a//allow-net", "allow-read=/a//allow-net=x", { ...NONE, read: "inherit", net: true }],
  ["allow-read=/a", "allow-read", { ...NONE, read: ["/a"] }],
  ["allow-read", "allow-all", { ...NONE, read: "inherit" }],
  ["env:A=1", undefined, { ...NONE, env: ["A"] }],
  ["allow-read=/a//deny-read", undefined, NONE],
  ["deny-read=/a", undefined, NONE],
  ["allow-read//deny-read=/a", "allow-read//deny-read=/a", { ...NONE, read: "inherit" }],
];
for (const [keys, held, options] of OPTIONS) {
  const process = held === undefined ? "" : ` in a process with "${held}"`;
  Deno.test(`workerPermissions() gives the Worker its own when the spec holds "${keys}"${process}`, () => {
    const spec = new XSpec("worker" + (keys && "//" + keys));
    const has = held === undefined ? undefined : new XSpec("popen//" + held).permissions;
    assertEquals(workerPermissions(spec.permissions, Object.keys(spec.env), has), options);
  });
}

Deno.test("workerPermissions() throws when a part of what is allowed is denied, but not by the process", () => {
  const spec = new XSpec("worker//allow-read=/a//deny-read=/a/x");
  for (const held of [undefined, new XSpec("popen//allow-read//deny-read=/b").permissions]) {
    const error = assertThrows(() => workerPermissions(spec.permissions, [], held), XSpecError);
    assertEquals(error.key, "deny-read");
    assertEquals(error.spec, "deny-read=/a/x");
    assertEquals(
      error.message,
      "Cannot start a worker with deny-read=/a/x: Deno denies a Worker a whole kind only; leave allow-read out, or use a process",
    );
  }
});
