/** The picture of the README: it shows what the programs in it print today. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { TITLE } from "../docs/_picture/main.ts";
import { record } from "../docs/_picture/record.ts";
import { plain, Screen } from "../docs/_picture/screen.ts";
import { draw } from "../docs/_picture/svg.ts";
import { test } from "./helpers/bounded.ts";
import { lacking, part, testWith } from "./parts/need.ts";

const ROOT = new URL("../", import.meta.url);
const MAX_BYTES = 100_000;

const TERMINAL = part("terminal", () => lacking("script", "stty", "sh"));

/** Without what is another one each time: how many processes shared the files of a kind, and what this machine is. */
function settled(svg: string): string {
  return svg.replace(/(│ )[1-4]( {9}│$)/gm, "$1n$2")
    .replace(/(<text class="yellow"[^>]*>)[1-4](<\/text><path [^>]*><\/g>)/g, "$1n$2")
    .replace(/(Deno )\S+ on \S+ \w+,/g, "$1here,")
    .replace(/<text [^>]*>( popen[^<]*|popen[^<]*Deno here,)/g, "<text>$1");
}

testWith(
  TERMINAL,
  "docs/picture.svg shows what its programs print now; deno task picture makes it anew",
  async () => {
    const committed = await Deno.readTextFile(new URL("docs/picture.svg", ROOT));
    assertEquals(settled(committed), settled(draw(await record(), TITLE)));
  },
);

test("docs/picture.svg stands by itself, and the README shows it", async () => {
  const svg = await Deno.readTextFile(new URL("docs/picture.svg", ROOT));
  assert(new TextEncoder().encode(svg).length < MAX_BYTES);
  assertEquals(svg.match(/<script|href|url\(|@import|<image|<foreignObject|\son\w+=/), null);
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  assertEquals(readme.match(/!\[[^\]]{40,}\]\(docs\/picture\.svg\)/g)?.length, 1);
});

test("Screen shows what a terminal would", () => {
  const screen = new Screen(6);
  screen.write("one\r\n\x1b[31mred\x1b[0m!\x1b[1G\x1b[0Jtwo\x1b[5Gx\r\n1234567\x1b[A\x1b[2Dab\x1b[K");
  assertEquals(screen.rows().map(plain), ["one", "two x", "ab", "7"]);
  screen.write("\x1b[Jz");
  assertEquals(screen.rows().map(plain), ["one", "two x", "abz"]);
  screen.write("\r\n\x1b[1;36mc\x1b[22md");
  assertEquals(screen.rows().at(-1), [{ text: "c", column: 0, look: "cyan bold" }, {
    text: "d",
    column: 1,
    look: "cyan",
  }]);
});
