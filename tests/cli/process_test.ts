/** The command as a process: pipes that break, signals, exit codes, and a real terminal. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { withFolder } from "../helpers/folder.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { limited, TextTap } from "../helpers/wait.ts";
import { lacking, part, testWith } from "../parts/need.ts";
import { Shell, shellLine } from "./scripted_terminal.ts";

const LIMIT_MS = 60_000;

Deno.test("pipes that end early, signals and exit codes are those of any other program", async () => {
  const leaks = new LeakCheck();
  const forever = shellLine(["exec", "popen", "-e", "for (let i = 0;; i++) await channel.send(i)"]);
  const quiet = shellLine(["exec", "popen", "-e", "await channel.send(1); while (true);"]);
  const passed = shellLine(["exec", "popen//execmodel=process", "-e", "Deno.exit(7)"]);
  const run = async (): Promise<void> => {
    // A shell gives background jobs no SIGINT, so the command gets it from a shell in the foreground.
    await using pipe = new Shell(`{ ${forever}; echo "code $?" >&2; } | head -n 2`);
    await using signal = new Shell(`exec ${quiet}`);
    await using code = new Shell(`${passed} <&-; echo "code $?"`);
    await signal.stdout.has("1\n", LIMIT_MS);
    signal.process.kill("SIGINT");
    const interrupted = await signal.ended();
    assertEquals([interrupted.code, interrupted.err], [130, ""]);
    const piped = await pipe.ended();
    assertEquals([piped.out, piped.err], ["0\n1\n", "code 141\n"]);
    assertEquals((await code.ended()).out, "code 7\n");
  };
  await limited("the processes", run(), LIMIT_MS);
  await leaks.done();
});

Deno.test("a signal ends a command whose output nobody takes, unless it was to be ignored", async () => {
  const leaks = new LeakCheck();
  const code =
    'console.log("begun"); const item = "x".repeat(500_000); while (true) await channel.send(item)';
  const echo = shellLine([
    "exec",
    "popen",
    "-e",
    "for await (const line of channel) await channel.send(line)",
  ]);
  const run = async (): Promise<void> => {
    const blocked = new Deno.Command("sh", {
      args: ["-c", `exec ${shellLine(["exec", "popen", "-e", code])}`],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const said = new TextTap(blocked.stderr);
    await using spared = new Shell(`trap "" HUP; exec ${echo}`, { stdin: "piped" });
    try {
      await said.has("begun", LIMIT_MS);
      blocked.kill("SIGTERM");
      assertEquals((await blocked.status).code, 143);
    } finally {
      await blocked.stdout.cancel();
      await said.ended;
    }
    const writer = spared.process.stdin.getWriter();
    const line = async (text: string): Promise<void> => {
      await writer.write(new TextEncoder().encode(`${text}\n`));
      await spared.stdout.has(`"${text}"\n`, LIMIT_MS);
    };
    await line("before");
    spared.process.kill("SIGHUP");
    await line("after");
    writer.releaseLock();
  };
  await limited("the processes", run(), LIMIT_MS);
  await leaks.done();
});

const SCRIPT = part("a terminal by script(1)", () => lacking("script"));

testWith(
  SCRIPT,
  "on a terminal there is a progress bar above which the code prints, and nothing stays of it",
  async () => {
    await withFolder(async (folder) => {
      // Nobody types anything there, and the code ends none the less.
      const commands = [
        "stty cols 70",
        shellLine([
          ...["map", "popen", "-e"],
          "async (s) => { await new Promise((go) => setTimeout(go, 700)); console.log('printed', s); return s }",
          ...["--", "1", "2"],
        ]),
        shellLine(["exec", "popen", "-e", "await channel.send(5)"]),
      ];
      await Deno.writeTextFile(`${folder}/commands`, commands.join("\n"));
      await using shell = new Shell(`exec script -qec "sh ${folder}/commands" /dev/null`, {
        stdin: "piped",
        env: { NO_COLOR: "" },
      });
      assertEquals((await limited("the end", shell.process.status, LIMIT_MS)).code, 0);
      await shell.stdout.ended;
      const text = shell.stdout.text;
      assertMatch(text, /map {3}0% .*starting a gateway/);
      assertMatch(text, /map {2}50% \[=+> +\] {2}1 of 2/);
      const screen = shown(text);
      assertEquals(screen, ["printed 1", '"1"', "printed 2", '"2"', "5", ""]);
      for (const line of text.split(/[\r\n]+/)) {
        assert(line.split("\x1b[").every((part) => part.replace(/^J/, "").length < 70), line);
      }
    });
  },
);

/** What stands on a screen after a text with the two sequences that progress bars use: so many lines up, and erase. */
function shown(text: string): string[] {
  let lines = [""];
  for (const [i, piece] of text.replaceAll("\r", "").split("\x1b[").entries()) {
    const up = /^(\d+)A$/.exec(piece)?.[1];
    if (up !== undefined) lines = [...lines.slice(0, -1 - Number(up)), ""];
    const printed = up !== undefined ? [""] : (i === 0 ? piece : piece.replace(/^J/, "")).split("\n");
    lines = [...lines.slice(0, -1), lines.at(-1)! + printed[0], ...printed.slice(1)];
  }
  return lines;
}
