/** Gateways of other programs: how the program's end ends them, and how they let it end. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { descendants, gone, groupMembers } from "../helpers/leaks.ts";
import type { ProcessState } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { forEachKind, forPopen } from "./kinds.ts";
import type { Kind } from "./kinds.ts";
import { end, start } from "./program.ts";
import type { Program } from "./program.ts";

const GONE_MS = 1_500;

/** Three far sides, each with its guard, and what one of them has started. */
const MIN_PROCESSES = 7;

/** A program that is busy with gateways of a kind, and the far sides of them. */
interface Busy {
  program: Program;
  /** All processes that it has started, or a server for it, with their groups. */
  pids: number[];
}

/** Starts a program that does some work, and kills it if it has not ended with the test. */
async function busy(kind: Kind, args: string[], body: (busy: Busy) => Promise<void>): Promise<void> {
  const before = new Set(kind.farSide?.processes().map((one) => one.pid));
  const program = start("busy.ts", [kind.spec, ...args]);
  try {
    await program.stdout.has("up\n", 15_000);
    const elsewhere = kind.farSide?.processes().filter((one) => !before.has(one.pid)) ?? [];
    await body({ program, pids: farSide(program, kind.server, elsewhere) });
  } finally {
    kill(program);
  }
}

function kill({ process }: Program): void {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

function farSide(
  program: Program,
  server?: Kind["server"],
  elsewhere: readonly ProcessState[] = [],
): number[] {
  const below = [...descendants(server?.pid ?? program.process.pid), ...elsewhere];
  const groups = new Set(below.map((one) => one.group));
  return [...new Set([...below, ...[...groups].flatMap(groupMembers)].map((one) => one.pid))]
    .filter((pid) => ![program.process.pid, server?.pid, Deno.pid].includes(pid));
}

const LEAVINGS: readonly [name: string, leave: (program: Program) => void][] = [
  ["SIGKILL", (program) => program.process.kill("SIGKILL")],
  ["SIGTERM", (program) => program.process.kill("SIGTERM")],
  ["SIGINT", (program) => program.process.kill("SIGINT")],
];

for (const [name, leave] of LEAVINGS) {
  forEachKind(`${name} of the program ends far sides with a loop, a wait and a child`, async ({ kind }) => {
    await busy(kind, [], async ({ program, pids }) => {
      assert(pids.length > MIN_PROCESSES);
      leave(program);
      await end(program);
      const started = performance.now();
      for (const pid of pids) await gone(pid, GONE_MS);
      assert(performance.now() - started < GONE_MS);
    });
  }, { alone: true, local: true });
}

/** How a program may end by itself, with its exit code and what it says about that. */
const ENDS: readonly [how: string, code: number, says: RegExp][] = [
  ["end", 0, /^$/],
  ["exit", 5, /^$/],
  ["throw", 1, /thrown/],
  ["reject", 1, /rejected/],
];

for (const [how, code, says] of ENDS) {
  forEachKind(
    `a program that ends by "${how}" leaves no far side with a loop, a wait or a child`,
    async ({ kind }) => {
      await busy(kind, [how], async ({ program, pids }) => {
        assert(pids.length > MIN_PROCESSES);
        program.process.kill("SIGUSR1");
        assertEquals((await end(program)).code, code);
        assertMatch(program.stderr.text, says);
        for (const pid of pids) await gone(pid, GONE_MS);
      });
    },
    { alone: true, local: true },
  );
}

for (const [name, leave] of LEAVINGS) {
  forPopen(`${name} of the program ends what it was just starting`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "fake-" });
    try {
      const fake = "#!/bin/sh\ntrap '' TERM INT HUP\ntouch $0.up\nwhile true; do sleep 1000; done\n";
      await Deno.writeTextFile(`${folder}/deno`, fake, { mode: 0o755 });
      const program = start("idle.ts", [`popen//deno=${folder}/deno`, "idle"]);
      await until("it starts", () => Deno.stat(`${folder}/deno.up`).then(() => true, () => false), 15_000);
      const pids = farSide(program);
      assert(pids.length > 1);
      leave(program);
      await end(program);
      for (const pid of pids) await gone(pid, GONE_MS);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

forEachKind("an idle gateway does not keep the program alive", async ({ kind }) => {
  const program = start("idle.ts", [kind.spec, "idle"]);
  const status = await end(program);
  assertEquals([status.code, program.stdout.text, program.stderr.text], [0, "42\nend of main\n", ""]);
}, { alone: true, local: true });

forEachKind("an execution that nobody waits for does not keep the program alive", async ({ kind }) => {
  const program = start("idle.ts", [kind.spec, "executing"]);
  const status = await end(program);
  assertEquals([status.code, program.stdout.text], [0, "42\nend of main\n"]);
}, { alone: true, local: true });

forPopen("an execution that stays for further copies does not keep the program alive", async ({ kind }) => {
  const program = start("idle.ts", [`${kind.spec}//allow-read//allow-write`, "copied"]);
  const status = await end(program);
  assertEquals([status.code, program.stdout.text, program.stderr.text], [0, "42\nend of main\n", ""]);
});

/** What is waited for is counted in one place for all kinds of gateways, whose connections each have a way to stay. */
for (const wait of ["receive", "send", "iteration", "callback", "waitClose", "status"]) {
  const register = wait === "receive" || wait === "send" ? forEachKind : forPopen;
  register(`a pending ${wait} keeps the program alive until it is settled`, async ({ kind }) => {
    const program = start("idle.ts", [kind.spec, wait]);
    const status = await end(program);
    assertEquals(
      [status.code, program.stdout.text],
      [0, `42\nend of main\n${wait} done\n`],
      program.stderr.text,
    );
  }, { alone: true, local: true });
}

const RESTRICTED: readonly [name: string, permissions: string[]][] = [
  ["only --allow-run", ["--allow-run"]],
  ["--allow-run and --allow-read", ["--allow-run", "--allow-read"]],
  ["--allow-run and --allow-env", ["--allow-run", "--allow-env"]],
  ["--allow-run, --allow-read, --allow-write and --allow-net", [
    "--allow-run",
    "--allow-read",
    "--allow-write",
    "--allow-net",
  ]],
  ["no permission", []],
  ["--allow-run=sh", ["--allow-run=sh"]],
];

for (const [name, permissions] of RESTRICTED) {
  forPopen(`a program with ${name} gets a gateway or a clear ConnectError`, async () => {
    const program = start("restricted.ts", [], permissions);
    const { code } = await end(program);
    const text = program.stdout.text + program.stderr.text;
    assertEquals(code, 0, text);
    assertMatch(program.stdout.text, /^(got 42|ConnectError no-deno: [^]*allow-\w+[^]*)\n$/, text);
  });
}

for (const permissions of [["--allow-env"], ["--allow-env", "--allow-run=ssh"], ["--allow-run"]]) {
  forPopen(`a program with ${permissions.join(" ")} gets a clear ConnectError for a command`, async () => {
    const program = start("restricted.ts", ["command=env"], permissions);
    const { code } = await end(program);
    assertEquals(code, 0, program.stderr.text);
    assertMatch(program.stdout.text, /^ConnectError no-deno: [^]*needs --allow-run and --allow-env\n$/);
  });
}

forPopen("a program without --allow-net gets a clear ConnectError for a server", async () => {
  const folder = await Deno.makeTempDir({ prefix: "token-" });
  try {
    const token = `${folder}/token`;
    await Deno.writeTextFile(token, "a".repeat(64), { mode: 0o600 });
    const program = start("restricted.ts", [`socket=127.0.0.1:1//token_file=${token}`], ["--allow-read"]);
    const { code } = await end(program);
    assertEquals(code, 0, program.stderr.text);
    assertMatch(program.stdout.text, /^ConnectError no-deno: [^]*needs --allow-net for it[^]*\n$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

forPopen("a program with enough permissions gets its gateway", async () => {
  const program = start("restricted.ts", [], [
    "--allow-run",
    "--allow-read",
    "--allow-write",
    "--allow-net",
    "--allow-env",
  ]);
  await end(program);
  assertEquals(program.stdout.text, "got 42\n", program.stderr.text);
});

forEachKind("many gateways that are asked to exit while they work leave nothing", async ({ open }) => {
  for (let i = 0; i < 4; i++) {
    const gateway = await open();
    if (i % 2 === 0) gateway.remoteExec("channel.send(1); await channel.receive()");
    gateway.exit();
  }
});
