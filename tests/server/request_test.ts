/** What clients may ask for, beyond what their specs could say. */

import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { readList } from "../../gateway/server/arguments.ts";
import { BeyondList } from "../../gateway/server/containment.ts";
import { planRequest } from "../../gateway/server/request.ts";
import { FrameError } from "../../gateway/socket/frames.ts";
import { XSpecError } from "../../xspec/mod.ts";
import { test } from "../helpers/bounded.ts";

const LIMITS = { list: readList([]), memory: undefined };

test("planRequest() plans a sandboxed process of the server's own Deno", () => {
  const { config, spawn } = planRequest({ name: "gw0", spec: "popen//keepalive=5" }, LIMITS);
  assertEquals([spawn.deno, spawn.cwd], [[Deno.execPath()], Deno.cwd()]);
  assertEquals(spawn.permissions, { all: false, allow: {}, deny: {} });
  assertEquals([config.name, config.keepalive, config.trace], ["gw0", 5, undefined]);
});

test("planRequest() gives processes the cap on memory", () => {
  const limits = { list: readList([]), memory: 64 * 2 ** 20 };
  const flags = (spec: string): readonly string[] => planRequest({ name: "a", spec }, limits).spawn.flags;
  assertEquals(flags("popen"), ["--v8-flags=--max-old-space-size=64"]);
  assertEquals(flags("popen//memory=32M"), ["--v8-flags=--max-old-space-size=32"]);
  assertThrows(() => flags("popen//memory=65M"), BeyondList, "64M");
});

test("planRequest() refuses fields that no client of ours sends", () => {
  const fields: Record<string, unknown>[] = [
    {},
    { name: "a" },
    { spec: "popen" },
    { name: 1, spec: "popen" },
    { name: "a", spec: ["popen"] },
    { name: "x".repeat(1_000), spec: "popen" },
    { name: "a", spec: null },
    { name: "a", spec: `popen//env:A=${"x".repeat(200_000)}` },
    { name: "a", spec: `popen//allow-read=${Array(2_000).fill("a").join(",")}` },
  ];
  for (const one of fields) assertThrows(() => planRequest(one, LIMITS), FrameError);
});

test("planRequest() refuses specs of other kinds, and keys that are the server's to say", () => {
  for (const spec of ["", "nonsense", "popen//popen", "popen//nice=x", "popen//allow-reed"]) {
    assertThrows(() => planRequest({ name: "a", spec }, LIMITS), XSpecError);
  }
  const refused: [string, string][] = [
    ["worker", "worker"],
    ["ssh=host", "ssh"],
    ["command=sh", "command"],
    ["socket=a:1", "socket"],
    ["popen//deno=/bin/sh -c id", "deno"],
    ["popen//provision", "provision"],
    ["popen//via=x", "via"],
    ["popen//nice=-5", "nice"],
    ["popen//allow-run", "allow-run"],
    ["popen//env:LD_PRELOAD=/x", "env:LD_PRELOAD"],
  ];
  for (const [spec, key] of refused) {
    const error = assertThrows(() => planRequest({ name: "a", spec }, LIMITS), BeyondList, undefined, spec);
    assertEquals((error as BeyondList).key, key);
    assert((error as BeyondList).message.length > 0);
  }
});
