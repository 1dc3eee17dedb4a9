import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { plain } from "../../gateway/socket/plain.ts";
import { test } from "../helpers/bounded.ts";

test("plain() lets nothing break out of its line", () => {
  assertEquals(
    plain("a\nb\r\x1b[31m\u2028\u202e\u0085\ud800"),
    "a\\u{a}b\\u{d}\\u{1b}[31m\\u{2028}\\u{202e}\\u{85}\\u{d800}",
  );
  assertEquals(plain("Grüße 🦕"), "Grüße 🦕");
  assert(plain("x".repeat(1_000_000)).length < 1_100);
});
