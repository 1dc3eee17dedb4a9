import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";

const PROGRAM = new URL("endless_line.ts", import.meta.url).pathname;
const BYTES = 48 * 1024 * 1024;

/** What a program of this size takes in KiB, and far less than the line. */
const MOST_KIB = 110 * 1024;

test("stderr: prefix ends a line that does not end, and keeps little of it", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", PROGRAM, String(BYTES)],
  }).output();
  assert(success);
  const lines = new TextDecoder().decode(stderr).split("\n");
  assertEquals(lines.pop(), "");
  assert(lines.every((line) => line.startsWith("[far] ")));
  assertEquals(lines.reduce((sum, line) => sum + line.length - "[far] ".length, 0), BYTES);
  const kib = Number(new TextDecoder().decode(stdout));
  assert(kib < MOST_KIB, `${kib} KiB`);
});
