/** What remote code prints: it never disturbs the connection, and it reaches where it should. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type Gateway, makeGateway } from "../../mod.ts";
import { TextTap } from "../helpers/wait.ts";
import { forEachKind, forPopen } from "./kinds.ts";

/** Each way of printing, with the permissions it takes. */
const WAYS: readonly [name: string, keys: string, source: string][] = [
  ["console.log", "", `console.log("printed")`],
  ["console.error", "", `console.error("printed")`],
  ["Deno.stdout.write", "", `await Deno.stdout.write(new TextEncoder().encode("printed\\n"))`],
  ["Deno.stdout.writeSync", "", `Deno.stdout.writeSync(new TextEncoder().encode("printed\\n"))`],
  ["Deno.stderr", "", `await Deno.stderr.write(new TextEncoder().encode("printed\\n"))`],
  ["node:fs on descriptor 1", "", `const fs = await import("node:fs"); fs.writeSync(1, "printed\\n")`],
  ["node:fs on descriptor 2", "", `const fs = await import("node:fs"); fs.writeSync(2, "printed\\n")`],
  [
    "process.stdout",
    "allow-env",
    `const p = await import("node:process"); p.default.stdout.write("printed\\n")`,
  ],
  [
    "a child process",
    "allow-run=sh",
    `await new Deno.Command("sh", { args: ["-c", "echo printed"], stdout: "inherit", stderr: "inherit" }).spawn().status`,
  ],
  [
    "a child process on stderr",
    "allow-run=sh",
    `await new Deno.Command("sh", { args: ["-c", "echo printed >&2"], stdout: "inherit", stderr: "inherit" }).spawn().status`,
  ],
];

for (const [name, keys, source] of WAYS) {
  forEachKind(`printing by ${name} reaches the gateway's stderr and nothing else`, async ({ open }) => {
    const gateway = await open(keys, { stderr: "piped" });
    const output = new TextTap(gateway.stderr!);
    const channel = gateway.remoteExec(`
      await channel.send("before");
      ${source};
      await channel.send(await channel.receive());
    `);
    assertEquals(await channel.receive(), "before");
    await channel.send("after");
    assertEquals(await channel.receive(), "after");
    await channel.waitClose();
    await output.has("printed\n");
    gateway.exit();
    await gateway.join();
    await output.ended;
    assertEquals(output.text, "printed\n");
  }, { ownProcess: /node:|process/.test(name) });
}

forEachKind("printing a lot disturbs no items that are sent meanwhile", async ({ open }) => {
  const gateway = await open("", { stderr: "null" });
  const channel = gateway.remoteExec(`
    for (let i = 0; i < 500; i++) {
      console.log("x".repeat(2_000));
      channel.send(i);
      console.error("y".repeat(2_000));
    }
  `);
  assertEquals(await Array.fromAsync(channel), Array.from({ length: 500 }, (_, i) => i));
});

forEachKind("printing bytes that look like frames is harmless", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const bytes = new Uint8Array(4096);
    for (let i = 0; i < 20; i++) {
      crypto.getRandomValues(bytes);
      Deno.stdout.writeSync(bytes);
      Deno.stderr.writeSync(bytes);
    }
    channel.send("fine");
  `);
  assertEquals(await channel.receive(), "fine");
  assertEquals((await gateway.remoteStatus({ timeout: 5_000 })).numRunaway, 0);
});

forEachKind("the stdin of remote code and of its children is empty", async ({ open }) => {
  const gateway = await open("allow-run=sh");
  const channel = gateway.remoteExec(`
    const own = await Deno.stdin.read(new Uint8Array(10));
    const child = await new Deno.Command("sh", { args: ["-c", "cat; echo end"], stdin: "inherit" }).output();
    await channel.send([own, new TextDecoder().decode(child.stdout)]);
  `);
  assertEquals(await channel.receive(), [null, "end\n"]);
});

forEachKind("stderr has no stream unless it is piped", async ({ open }) => {
  assertEquals((await open("", { stderr: "null" })).stderr, undefined);
});

forEachKind("closed reports the last lines that were printed", async ({ open }) => {
  const gateway = await open("", { stderr: "null" });
  const channel = gateway.remoteExec(`
    console.error("x".repeat(100_000));
    console.error("the last words");
  `);
  await channel.waitClose();
  gateway.exit();
  const { stderrTail } = await gateway.join();
  assertMatch(stderrTail, /the last words$/);
  assert(stderrTail.length < 20_000);
});

forEachKind("a piped stderr that nobody reads stalls nothing but the printing", async ({ open }) => {
  const gateway = await open("", { stderr: "piped" });
  const channel = gateway.remoteExec(`
    channel.send("up");
    for (let i = 0; i < 600; i++) await Deno.stderr.write(new Uint8Array(10_000));
    await channel.send("printed");
  `);
  assertEquals(await channel.receive(), "up");
  assertEquals((await gateway.remoteStatus({ timeout: 5_000 })).numExecuting, 1);
  const output = new TextTap(gateway.stderr!);
  assertEquals(await channel.receive(), "printed");
  gateway.exit();
  await gateway.join();
  await output.ended;
  assertEquals(output.text.length, 6_000_000);
}, { ownProcess: true });

forEachKind("a piped stderr that is cancelled drops the rest", async ({ open }) => {
  const gateway = await open("", { stderr: "piped" });
  await gateway.stderr!.cancel();
  const channel = gateway.remoteExec(`
    for (let i = 0; i < 100; i++) await Deno.stderr.write(new Uint8Array(10_000));
    channel.send("printed");
  `);
  assertEquals(await channel.receive(), "printed");
});

/** Runs a program that makes a gateway whose code prints, and gives back what the program wrote. */
async function printed(
  mode: string,
  name = "printing.ts",
): Promise<{ stdout: string; stderr: string }> {
  const program = new URL(`./programs/${name}`, import.meta.url).pathname;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", program, mode],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  assert(success, text(stderr));
  return { stdout: text(stdout), stderr: text(stderr) };
}

forPopen("stderr: inherit passes on what is printed, to stderr", async () => {
  assertEquals(await printed("inherit"), { stdout: "", stderr: "one\ntwo\nthree" });
});

forPopen("stderr is inherit when nothing else is said", async () => {
  assertEquals(await printed(""), { stdout: "", stderr: "one\ntwo\nthree" });
});

forPopen("stderr: prefix puts the gateway's id before each line", async () => {
  assertEquals(await printed("prefix"), { stdout: "", stderr: "[alpha] one\n[alpha] two\n[alpha] three\n" });
});

forPopen("stderr: null drops what is printed", async () => {
  assertEquals(await printed("null"), { stdout: "", stderr: "" });
});

forPopen("remote code that prints hears nothing of a stderr that is closed here", async () => {
  for (const mode of ["inherit", "prefix"]) {
    assertEquals(await printed(mode, "deaf.ts"), { stdout: "printed\nthe last words\n", stderr: "" });
  }
});

forPopen("stderr: piped gives what is printed to the program only", async () => {
  assertEquals(await printed("piped"), { stdout: "one\ntwo\nthree", stderr: "" });
});

forPopen("makeGateway() refuses another mode of stderr before anything is started", async () => {
  await assertRejects((): Promise<Gateway> => makeGateway("popen", { stderr: "file" as never }), RangeError);
});

forEachKind("a piped stderr that nobody reads does not hold up the end", async ({ open }) => {
  const gateway = await open("", { stderr: "piped" });
  const channel = gateway.remoteExec(
    `await channel.send("begun"); for (let i = 0; i < 20_000; i++) console.log("x".repeat(1_000));`,
  );
  assertEquals(await channel.receive(), "begun");
  const exit = await gateway.terminate(1_000);
  assert(exit.reason === "requested", exit.reason);
  assertEquals(await gateway.closed, exit);
  await gateway.stderr!.cancel();
});
