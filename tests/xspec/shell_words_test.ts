/** Words as a shell splits them: by table, and against the real shell. */

import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { FIND_AND_RUN, quoteWord, splitWords, XSpecError } from "../../xspec/mod.ts";

const SPLITS: [string, string[]][] = [
  ["", []],
  [" \t\n ", []],
  ["a", ["a"]],
  ["  a  b\tc\nd ", ["a", "b", "c", "d"]],
  ["-p 5000 -i key user@host", ["-p", "5000", "-i", "key", "user@host"]],
  ["'a b' c", ["a b", "c"]],
  ["a'b c'd", ["ab cd"]],
  ["''", [""]],
  ['a "" b', ["a", "", "b"]],
  [`"it's"`, ["it's"]],
  [`'say "x"'`, ['say "x"']],
  ["a\\ b", ["a b"]],
  ["'a\\b'", ["a\\b"]],
  ['"a\\"b\\\\c\\d"', ['a"b\\c\\d']],
  ["a\\\nb", ["ab"]],
  ['"a\\\nb"', ["ab"]],
  ["a \\\n b", ["a", "b"]],
  ["'a\nb'", ["a\nb"]],
  ["\\'", ["'"]],
  ["\\\\", ["\\"]],
  ["a\\", ["a\\"]],
  ["ä\\ö 'ü'", ["äö", "ü"]],
];

for (const [text, words] of SPLITS) {
  Deno.test(`splitWords() gives ${JSON.stringify(words)} when given ${JSON.stringify(text)}`, () => {
    assertEquals(splitWords(text), words);
  });
}

Deno.test("splitWords() leaves what a shell would expand as it is", () => {
  assertEquals(splitWords("$HOME `x` * ~ # ; a&b"), ["$HOME", "`x`", "*", "~", "#", ";", "a&b"]);
});

Deno.test("splitWords() throws when a quote is not closed", () => {
  for (const text of ["'a", '"a', 'a "b\\"', "'a\\''b"]) {
    const error = assertThrows(() => splitWords(text, "ssh"), XSpecError, "Cannot split ssh into words");
    assertEquals(error.key, "ssh");
    assertEquals(error.spec, text);
  }
  assertEquals(assertThrows(() => splitWords("'", "ssh", "ssh='"), XSpecError).spec, "ssh='");
});

const WORDS = [
  "",
  "a",
  "a b",
  "it's",
  "'",
  "''",
  '"',
  "\\",
  "a\\",
  "$HOME",
  "`x`",
  "*",
  "~",
  "a=b",
  "#",
  "-n",
  "\n",
  "\t",
  "ü",
  "a/b.c:d@e%f+g,h-i",
  "!",
  "'\\''",
  "a\\\nb",
];

Deno.test("quoteWord() gives what splitWords() reads as that word when given any word", () => {
  for (const word of WORDS) assertEquals(splitWords(quoteWord(word)), [word]);
  assertEquals(splitWords(WORDS.map(quoteWord).join(" ")), WORDS);
  assertEquals(quoteWord("a/b.c:d@e"), "a/b.c:d@e");
  assertEquals(quoteWord("it's"), `'it'\\''s'`);
});

Deno.test({
  name: "splitWords() and quoteWord() agree with sh when it reads the same text",
  ignore: Deno.build.os === "windows",
  async fn(): Promise<void> {
    for (const text of [...SPLITS.map(([text]) => text), WORDS.map(quoteWord).join(" ")]) {
      // A bare line break ends the command, and a backslash at the end quotes ours.
      if (/^[^'"\\]*\n/.test(text) || text === "a\\") continue;
      const { stdout } = await new Deno.Command("sh", {
        args: [
          "-c",
          `for w in "$@"; do :; done; set -- ${text}\nfor word in "$@"; do printf '%s\\0' "$word"; done`,
          "sh",
        ],
        signal: AbortSignal.timeout(20_000),
      }).output();
      assertEquals(new TextDecoder().decode(stdout).split("\0").slice(0, -1), splitWords(text), text);
    }
  },
});

Deno.test("A shell looks for Deno behind PATH, and never in the current folder", async () => {
  const found = async (path: string): Promise<string> => {
    const { stdout } = await new Deno.Command("/bin/sh", {
      args: ["-c", FIND_AND_RUN, "sh", "/bin/sh", "-c", 'echo "$PATH"'],
      env: { PATH: path, HOME: "/home/me" },
    }).output();
    return new TextDecoder().decode(stdout);
  };
  assertEquals(await found("/a:/b"), "/a:/b:/home/me/.deno/bin\n");
  assertEquals(await found(""), "/home/me/.deno/bin\n");
});
