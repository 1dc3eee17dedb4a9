/** The line of shell that starts Deno elsewhere, run by real shells; a script of the test's own stands for Deno. */

import { assert, assertEquals, assertFalse } from "jsr:@std/assert@^1.0.19";
import { BEAT } from "../../gateway/shell/beats.ts";
import { farScript, lineWord, NO_DENO_CODE, READ_LINE, reapScript } from "../../gateway/shell/far_script.ts";
import type { FarScriptOptions } from "../../gateway/shell/far_script.ts";
import { PID_MARK } from "../../gateway/process/guard.ts";
import { SHELL } from "../../gateway/shell/command.ts";
import { gone, processesWithEnv, processState } from "../helpers/leaks.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";
import { findProgram, lacking, part, testWith } from "../parts/need.ts";

const SHELLS = ["dash", "bash", "busybox", "zsh"] as const;
const STRANGE = [
  "a b",
  "it's",
  '"x"',
  "$HOME `id` \\",
  "-n",
  "",
  "line\nbreak\n",
  "\n",
  "ünï*?[a]~",
  "a\\nb",
];

interface Running {
  process: Deno.ChildProcess;
  /** When it has ended and its folder is gone. */
  removed: Promise<void>;
  stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  stdout: TextTap;
  stderr: TextTap;
}

/** Runs a script as it is run elsewhere. The shell leads a group, or is in one that is not its own. */
async function run(shell: string, options: Partial<FarScriptOptions>, leader = true): Promise<Running> {
  const { process, ...rest } = await spawn(shell, options, leader);
  return { process, ...rest, stdout: new TextTap(process.stdout), stderr: new TextTap(process.stderr) };
}

async function spawn(
  shell: string,
  options: Partial<FarScriptOptions>,
  leader: boolean,
): Promise<Omit<Running, "stdout" | "stderr">> {
  const folder = await Deno.makeTempDir({ prefix: "xp-" });
  await Deno.symlink(findProgram(shell)!, `${folder}/sh`);
  const script = farScript({ deno: ["true"], args: [], env: {}, mark: MARK, sweep: false, ...options });
  assertFalse(script.includes("\n"));
  const words = leader ? ["setsid", "-w", ...SHELL] : [...SHELL];
  const process = new Deno.Command(words[0]!, {
    args: words.slice(1),
    cwd: folder,
    env: { PATH: `${folder}:/usr/bin:/bin`, HOME: folder },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdin = process.stdin.getWriter();
  const removed = process.status.then(() => Deno.remove(folder, { recursive: true }));
  await stdin.write(new TextEncoder().encode(`${script}\n`));
  return { process, stdin, removed };
}

/** Waits for its end and closes what is open. */
async function end({ process, stdin, stdout, stderr, removed }: Running): Promise<number> {
  const { code } = await limited("the end of the shell", process.status, 15_000);
  await stdin.close().catch(() => {});
  await Promise.all([stdout.ended, stderr.ended, removed]);
  return code;
}

const MARK = crypto.randomUUID().replaceAll("-", "");
const beat = new TextDecoder().decode(BEAT);

for (const shell of SHELLS) {
  const here = part(shell, () => lacking(shell, "setsid"));

  testWith(here, `farScript() hands on every word as it is, and the exit code, in ${shell}`, async () => {
    // Lengths are counted in bytes or in characters, so it is the text that counts.
    const deno = ["sh", "-c", 'for w in "$@"; do printf "<%s>" "$w"; done; exit 7', "sh"];
    const running = await run(shell, { deno, args: STRANGE });
    assertEquals(await end(running), 7);
    assertEquals(running.stderr.text.replaceAll(beat, ""), STRANGE.map((word) => `<${word}>`).join(""));
    assertEquals(running.stdout.text, "");
  });

  testWith(here, `farScript() sets variables and makes the working directory, in ${shell}`, async () => {
    const env = { ONE: "a b", TWO: "it's\n'two'" };
    const chdir = 'new/it\'s "here"\n$x';
    const running = await run(shell, {
      deno: ["sh", "-c", 'printf "%s|%s|%s" "$ONE" "$TWO" "${PWD#"$HOME/"}"'],
      env,
      chdir,
      nice: 3,
    });
    assertEquals(await end(running), 0);
    assertEquals(running.stderr.text.replaceAll(beat, ""), `${env.ONE}|${env.TWO}|${chdir}`);
  });

  testWith(
    here,
    `farScript() makes descriptors 3 and 4 of stdin and stdout, and bytes pass, in ${shell}`,
    async () => {
      const running = await run(shell, { deno: ["sh", "-c", "cat <&3 >&4; echo said; echo err >&2; wc -c"] });
      await running.stdin.write(new TextEncoder().encode("there and back\n"));
      await running.stdout.has("there and back\n");
      await running.stdin.close();
      await end(running);
      assertEquals(running.stdout.text, "there and back\n");
    },
  );

  for (const leader of [true, false]) {
    const where = `${shell}, ${leader ? "a leader" : "no leader"} of its group`;
    testWith(here, `farScript() kills what ignores SIGTERM when stdin ends, in ${where}`, async () => {
      const stubborn = "trap '' TERM HUP; sh -c \"trap '' TERM HUP; echo $$; while :; do sleep 1; done\" & " +
        "echo $$; while :; do sleep 1; done";
      const running = await run(shell, { deno: ["sh", "-c", stubborn] }, leader);
      await until("both run", () => (running.stderr.text.match(/\d+\n/g) ?? []).length === 2);
      const pids = running.stderr.text.match(/\d+(?=\n)/g)!.map(Number);
      for (const pid of pids) assert(processState(pid) !== undefined);
      await running.stdin.close();
      await end(running);
      for (const pid of pids) await gone(pid);
    });
  }

  testWith(
    here,
    `farScript() kills when stderr is gone, though nobody reads what stands in stdin, in ${shell}`,
    async () => {
      const { process, stdin, removed } = await spawn(
        shell,
        { deno: ["sh", "-c", "echo $$ >&4; while :; do sleep 1; done"] },
        true,
      );
      const stdout = new TextTap(process.stdout);
      await stdout.has("\n");
      const pid = Number(stdout.text);
      Deno.kill(pid, "SIGSTOP");
      // More than the pipes hold, so that the end of stdin would stand behind it.
      stdin.write(new Uint8Array(1 << 20)).catch(() => {});
      await process.stderr.cancel();
      await limited("the end of the shell", process.status, 15_000);
      await gone(pid);
      await stdin.abort().catch(() => {});
      await Promise.all([stdout.ended, removed]);
    },
  );

  testWith(
    here,
    `farScript() ends what a process has left behind, also outside of its group, in ${shell}`,
    async () => {
      const left = "setsid sh -c \"trap '' TERM; echo up >&2; while :; do sleep 1; done\" & exit 5";
      const running = await run(shell, { deno: ["sh", "-c", left], sweep: true });
      assertEquals(await end(running), 5);
      await until(
        "nothing carries the mark",
        () => processesWithEnv(`EXECNET_GATEWAY_${MARK}=1`).length === 0,
      );
    },
  );

  testWith(here, `reapScript() kills what carries the mark, in ${shell}`, async () => {
    const mark = crypto.randomUUID().replaceAll("-", "");
    const child = new Deno.Command("sleep", {
      args: ["1000"],
      env: { [`EXECNET_GATEWAY_${mark}`]: "1", ZZZ: "1" },
      stdout: "null",
    }).spawn();
    const args = shell === "busybox" ? ["sh", "-c", reapScript(mark)] : ["-c", reapScript(mark)];
    // zsh reads as sh does where that is its name.
    const argv0 = shell === "zsh" ? ["--emulate", "sh"] : [];
    await new Deno.Command(shell, { args: [...argv0, ...args] }).output();
    assertEquals((await limited("the end", child.status)).signal, "SIGKILL");
  });

  testWith(here, `farScript() tells a process its id, in ${shell}`, async () => {
    const running = await run(shell, {
      deno: ["sh", "-c", 'echo "$$ $1" >&2', "sh"],
      args: [`p${PID_MARK}`],
    });
    assertEquals(await end(running), 0);
    const [, pid, word] = /(\d+) p(\d+)/.exec(running.stderr.text)!;
    assertEquals(word, pid);
  });

  testWith(
    here,
    `farScript() says that there is no Deno, and takes one that was brought, in ${shell}`,
    async () => {
      const none = await run(shell, { deno: ["no-deno"] });
      assertEquals(await end(none), NO_DENO_CODE);
      const nowhere = await run(shell, { deno: ["no-deno"], provisioned: '"$HOME"/nowhere' });
      assertEquals(await end(nowhere), NO_DENO_CODE);
      const brought = await run(shell, {
        deno: ["no-deno"],
        args: ["-c", "exit 9"],
        provisioned: '"$HOME"/sh',
      });
      assertEquals(await end(brought), 9);
    },
  );
}

Deno.test("lineWord() is one line", async () => {
  for (const word of STRANGE) {
    const text = lineWord(word);
    assertFalse(text.includes("\n"));
    const script = `execnet_n='\n';printf '<%s>' ${text}`;
    const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
    assertEquals(new TextDecoder().decode(stdout), `<${word}>`);
  }
});

Deno.test("READ_LINE leaves what comes behind the line", async () => {
  const child = new Deno.Command("sh", { args: ["-c", READ_LINE], stdin: "piped", stdout: "piped" }).spawn();
  const stdin = child.stdin.getWriter();
  await stdin.write(new TextEncoder().encode("echo one; cat\nrest\n"));
  await stdin.close();
  assertEquals(new TextDecoder().decode((await child.output()).stdout), "one\nrest\n");
});
