import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { keepaliveOf, XSpec } from "../../xspec/mod.ts";
import { test } from "../helpers/bounded.ts";

test("keepaliveOf() is 15 seconds where a connection can break without a word, and what a spec says", () => {
  const cases: [spec: string, ms: number][] = [
    ["popen", 0],
    ["worker", 0],
    ["ssh=a", 15_000],
    ["socket=a:1", 15_000],
    ["command=a", 15_000],
    ["podman=a", 15_000],
    ["docker=a", 15_000],
    ["kubectl=a", 15_000],
    ["slurm", 15_000],
    ["socket=a:1//keepalive=0", 0],
    ["popen//keepalive=20", 20],
  ];
  for (const [spec, ms] of cases) assertEquals(keepaliveOf(new XSpec(spec)), ms, spec);
});
