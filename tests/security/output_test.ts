/** What remote code prints to steer the terminal of whoever looks at it. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { end, startFile } from "../integration/program.ts";
import { alone } from "./inside.ts";

alone("printing what steers a terminal", async () => {
  const program = startFile(new URL("./programs/steering.ts", import.meta.url).pathname, []);
  const { code } = await end(program, 30_000);
  const text = program.stderr.text;
  assertEquals(code, 0, text);
  const [prefixed, inherited, tail] = text.split("--- next ---\n");
  // Each line says whose it is, and nothing in it reaches another one. Colours are left out.
  assertEquals(prefixed!.split("\n"), [
    "[odd] one\ufffd[2J\ufffd]0;title\ufffd",
    "[odd] two\ufffd[other] all is well\ufffd[1A",
    "[odd] red\tand the end of the line",
    "[odd] \ufffdabc\ufffd",
    "[odd] \ufffd2Jone\ufffd[other] two\ufffd[other] three\ufffdfour\ufffdfive\ufffd",
    "",
  ]);
  // As it came, like what ssh passes on.
  assert(inherited!.includes("one\x1b[2J\x1b]0;title\x07\ntwo\r[other] all is well\x1b[1A\n"), inherited);
  assert(tail!.includes("\x1b[2J"), tail);
});
