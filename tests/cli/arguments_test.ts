/** Command lines, help and completions: what is typed, and what is told of it. */

import { assert, assertEquals, assertMatch, assertThrows } from "jsr:@std/assert@^1.0.19";
import { optionsOf, readArguments } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { UsageError } from "../../cli/failure.ts";
import { splitWords } from "../../xspec/mod.ts";
import { test } from "../helpers/bounded.ts";
import { execnet } from "./scripted_terminal.ts";

const SAMPLE: Command = {
  name: "sample",
  summary: "a sample",
  usage: "<word>...",
  description: "A sample.",
  options: [
    { name: "code", short: "e", value: "CODE", tells: "code" },
    { name: "item", short: "i", value: "ITEM", repeatable: true, tells: "items" },
    { name: "count", value: "N", tells: "a number" },
    { name: "wait", value: "MS", tells: "a time" },
    { name: "loud", short: "l", tells: "a flag" },
  ],
  examples: [],
  words: [0, 3],
  rest: true,
  run: () => Promise.resolve(0),
};

test("readArguments() tells options, values and words apart, whatever they begin with", () => {
  const given = readArguments(SAMPLE, [
    "007",
    "-e",
    "-x\n= 1",
    "-li",
    "--a",
    "--item=b=c",
    "-",
    "-5",
    "--",
    "-e",
    "--",
  ]);
  assertEquals(given.words, ["007", "-", "-5"]);
  assertEquals(given.text("code"), "-x\n= 1");
  assertEquals(given.texts("item"), ["--a", "b=c"]);
  assertEquals([given.flag("loud"), given.flag("help")], [true, false]);
  assertEquals(given.rest, ["-e", "--"]);
  assertEquals(readArguments(SAMPLE, ["-ecode", "-i=x"]).text("code"), "code");
  assertEquals(readArguments(SAMPLE, ["--count", "12"]).count("count"), 12);
  assertEquals(readArguments(SAMPLE, []).count("count"), undefined);
  assertEquals([readArguments(SAMPLE, []).rest, readArguments(SAMPLE, ["--"]).rest], [undefined, []]);
});

test("readArguments() refuses what makes no sense, and names the help", () => {
  const cases: [string[], RegExp][] = [
    [["--nothing"], /no option "--nothing"/],
    [["--co"], /no option "--co"; did you mean "--code"\?/],
    [["-z"], /no option "-z"/],
    [["-lz"], /no option "-z"/],
    [["-e"], /--code needs a value: CODE/],
    [["--code="], /--code needs a value/],
    [["-e", "1", "--code", "2"], /--code is given 2 times/],
    [["--loud=yes"], /--loud takes no value/],
    [["a", "b", "c", "d"], /make sense of "d"/],
  ];
  for (const [args, says] of cases) {
    const error = assertThrows(() => readArguments(SAMPLE, args), UsageError);
    assertMatch(error.message, says);
    assertEquals([error.advice, error.code], ["See execnet sample --help", 2]);
  }
  const restless = { ...SAMPLE, words: [1, 1] as const, rest: false };
  assertThrows(() => readArguments(restless, []), UsageError, "Something is missing");
  assertThrows(() => readArguments(restless, ["a", "--", "b"]), UsageError, 'make sense of "b"');
  for (const text of ["-1", "1.5", "x", "0x10", "0"]) {
    assertThrows(() => readArguments(SAMPLE, ["--count", text]).count("count", 1), UsageError, text);
  }
  // A timer that waits longer than it can does not wait at all.
  const wait = (ms: number): number | undefined =>
    readArguments(SAMPLE, ["--wait", `${ms}`]).count("wait", 1);
  assertEquals(wait(2 ** 31 - 1), 2 ** 31 - 1);
  assertThrows(() => wait(2 ** 31), UsageError, "from 1 to 2147483647");
});

test("every command and option is told of, and every example is a command line that can be read", async () => {
  for (const command of COMMANDS) {
    const { code, out } = await execnet([command.name, "--help"]);
    assertEquals(code, 0);
    assertEquals(out, (await execnet(["help", command.name])).out);
    assert(out.startsWith(`Usage: execnet ${command.name} ${command.usage}\n`));
    assert(command.summary !== "" && command.description !== "" && command.examples.length > 0, command.name);
    for (const { name, short, tells } of optionsOf(command)) {
      assert(out.includes(`--${name}`) && tells !== "", `${command.name} --${name}`);
      if (short !== undefined) assert(out.includes(`-${short}, --${name}`), `${command.name} -${short}`);
    }
    const letters = optionsOf(command).flatMap(({ short }) => short ?? []);
    assertEquals(new Set(letters).size, letters.length, `${command.name}: letters`);
    for (
      const line of out.split("\n").filter((line) => !line.startsWith("  execnet") && !line.includes(" | "))
    ) {
      assert(line.length <= 120, `${command.name}: ${line}`);
    }
    for (const [line, tells] of command.examples) {
      assert(tells !== "");
      const words = splitWords(line, "example", line);
      for (let at = words.indexOf("execnet"); at >= 0; at = words.indexOf("execnet", at + 1)) {
        const end = words.findIndex((word, i) => i > at && /^[|<>]$/.test(word));
        const [name, ...args] = words.slice(at + 1, end < 0 ? undefined : end);
        readArguments(COMMANDS.find((one) => one.name === name)!, args);
      }
      assert(words.includes("execnet"), line);
    }
  }
  const { out } = await execnet(["--help"]);
  for (const { name, summary } of COMMANDS) {
    assert(out.includes(name) && out.includes(summary.slice(0, 40)), name);
  }
});

test("without a command there is the help, and what is no command is refused", async () => {
  const bare = await execnet([]);
  assertEquals(bare, { code: 2, out: "", err: (await execnet(["help"])).out });
  assertEquals((await execnet(["help", "dance"])).code, 2);
  assertMatch((await execnet(["--version"])).out, /^execnet \d+\.\d+\.\d+\n$/);
  assertEquals(await execnet(["dance"]), {
    code: 2,
    out: "",
    err: 'execnet: There is no command "dance"\n  See execnet --help\n',
  });
});

test("the page of the command names every command and what its arguments are", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/command_line.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `([a-z]+) .*?`/gm)].map(([, name]) => name);
  assertEquals(rows, COMMANDS.map(({ name }) => name));
  const withJson = COMMANDS.filter(({ options }) => options.some(({ name }) => name === "json"));
  const told = /^(`.*) print JSON with `--json`/m.exec(page)?.[1]?.match(/[a-z]+/g)?.filter((word) =>
    word !== "and"
  );
  assertEquals(told, withJson.map(({ name }) => name));
});

test("completions name every command and option", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await execnet(["completions", shell]);
    assertEquals(code, 0);
    for (const command of COMMANDS) {
      for (const { name } of [{ name: command.name }, ...optionsOf(command)]) {
        assert(out.includes(name), `${shell}: ${name}`);
      }
    }
  }
  assertEquals((await execnet(["completions", "tcsh"])).code, 2);
});
