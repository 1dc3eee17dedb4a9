/** `worker` gateways: what is different where the far side shares this program's process. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, Group, XSpecError } from "../../mod.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";
import { forEachKind, KINDS } from "./kinds.ts";
import type { Setting, TestOptions } from "./kinds.ts";
import { end, start } from "./program.ts";

/** Registers a test for the kinds that share the program's process. */
function forEachInside(
  name: string,
  fn: (setting: Setting) => Promise<void>,
  options: TestOptions = {},
): void {
  forEachKind(name, fn, { ...options, inside: true });
}

forEachInside("a worker gateway is in this process", async ({ open }) => {
  const gateway = await open();
  const { pid, cwd, permissions } = await gateway.remoteInfo();
  assertEquals([pid, cwd, permissions], [Deno.pid, Deno.cwd(), []]);
});

forEachInside("a worker gateway refuses what only a process can have", async ({ group, kind }) => {
  for (const key of ["deno=deno", "chdir=/tmp", "nice=3", "memory=1G", "env:A=1"]) {
    const error = await assertRejects(() => group.makeGateway(`${kind.spec}//${key}`), XSpecError);
    assertEquals((error as XSpecError).key, key.split("=")[0]);
    assertMatch((error as Error).message, /Worker/);
  }
  assertEquals(group.size, 0);
});

forEachInside("a worker gateway refuses to deny a part of what it allows", async ({ group, kind }) => {
  const spec = `${kind.spec}//allow-read=/tmp//deny-read=/tmp/x`;
  const error = await assertRejects(() => group.makeGateway(spec), XSpecError);
  assertEquals((error as XSpecError).key, "deny-read");
});

forEachKind("a worker gateway has no processes for its executions", async ({ group }) => {
  const error = await assertRejects(() => group.makeGateway("worker//execmodel=process"), XSpecError);
  assertEquals((error as XSpecError).key, "execmodel");
}, { alone: true, inside: true, models: ["main"] });

forEachInside(
  "a worker gateway that may not do more than its program is a ConnectError",
  async ({ kind }) => {
    const program = start("worker.ts", [`${kind.spec}//allow-run`], [
      "--allow-read",
      "--unstable-worker-options",
    ]);
    await end(program);
    assertMatch(program.stdout.text, /^ConnectError: .*worker gateway may not do more than its program/);
  },
);

forEachInside("a worker gateway with allow-all needs no flag of its program", async ({ kind }) => {
  const program = start("worker.ts", [`${kind.spec}//allow-all`], ["--allow-read"]);
  const { code } = await end(program);
  assertEquals([code, program.stdout.text], [0, "42\n"], program.stderr.text);
});

for (const how of ["idle", "executing", "loop"]) {
  forEachInside(`a worker gateway that is "${how}" does not keep its program alive`, async ({ kind }) => {
    const program = start("worker.ts", [kind.spec, how], ["--allow-read", "--unstable-worker-options"]);
    const { code } = await end(program);
    assertEquals([code, program.stdout.text], [0, "42\n"], program.stderr.text);
  });
}

forEachInside("a worker gateway whose last words are many does not keep its program", async ({ kind }) => {
  const program = start("worker.ts", [kind.spec, "printing"], ["--allow-read", "--unstable-worker-options"]);
  const { code } = await end(program);
  assertEquals([code, program.stdout.text], [0, "42\n"], program.stderr.text);
});

forEachInside("an execution that never yields is reported when its gateway ends", async ({ kind }) => {
  // In a program of its own, because it burns a core until that ends.
  const program = start("worker.ts", [kind.spec, "terminate"], ["--allow-read", "--unstable-worker-options"]);
  const { code } = await end(program);
  assertEquals([code, program.stdout.text], [0, "42\nforced true requested\n"], program.stderr.text);
});

forEachInside("output that nobody reads is dropped beyond a bound, and says so", async ({ open }) => {
  const gateway = await open("", { stderr: "piped" });
  const channel = gateway.remoteExec(`
    for (let i = 0; i < 400; i++) console.log(String(i).padEnd(10_000));
    await channel.send("printed");
  `);
  assertEquals(await channel.receive(), "printed");
  const output = new TextTap(gateway.stderr!);
  await output.has("dropped here");
  gateway.exit();
  await gateway.join();
  await output.ended;
  assert(output.text.length < 2_000_000, `${output.text.length}`);
});

forEachInside("a hundred worker gateways work and end", async () => {
  await using group = new Group();
  const gateways = await Promise.all(
    Array.from({ length: 100 }, () => group.makeGateway("worker//execmodel=main", { stderr: "null" })),
  );
  const answers = gateways.map((gateway, i) => gateway.remoteExec(`channel.send(${i} + 1)`).receive());
  assertEquals(await Promise.all(answers), Array.from({ length: 100 }, (_, i) => i + 1));
  const ends = await limited("the end of all", group.terminate(), 15_000);
  assert(ends.every(({ code, forced }) => code === 0 && !forced));
}, { models: ["main"], limit: 60_000 });

forEachInside("an execution that was killed leaves nothing running", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`await channel.send("up"); await new Promise(() => {})`);
  await channel.receive();
  channel.kill();
  await until("no execution is left", async () => {
    const { numExecuting, numRunaway } = await gateway.remoteStatus();
    return numExecuting + numRunaway === 0;
  });
}, { models: ["worker"] });

Deno.test("the kinds hold worker gateways of both models", () => {
  assertEquals(KINDS.filter((kind) => !kind.ownProcess).map((kind) => kind.model), ["worker", "main"]);
});

forEachInside("a failing worker start is a ConnectError and leaves nothing", async ({ group }) => {
  // No gateway of these tests may hold more than the program, and this program holds everything: so by an aborted signal.
  const reason = new Error("enough");
  const error = await assertRejects(() => group.makeGateway("worker", { signal: AbortSignal.abort(reason) }));
  assert(error === reason && !(error instanceof ConnectError));
  assertEquals(group.size, 0);
});

forEachInside("many idle worker gateways end by themselves", async ({ kind }) => {
  await using group = await Group.create(Array.from({ length: 40 }, () => kind.spec), { stderr: "null" });
  await Promise.all([...group].map((gateway) => gateway.call(() => 1)));
  const ends = await limited("the end of all", group.terminate(), 15_000);
  assertEquals(ends.filter(({ code, forced, stderrTail }) => code !== 0 || forced || stderrTail !== ""), []);
}, { limit: 60_000 });

for (const how of ["self.close()", "close()", "setTimeout(close)"]) {
  forEachInside(`remote code that ends its Worker by ${how} is noticed`, async ({ open, kind }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`await channel.send("up"); ${how}; await new Promise(() => {})`);
    assertEquals(await channel.receive(), "up");
    await assertRejects(() => limited("the end", channel.receive()));
    if (kind.model === "main") await limited("the gateway's end", gateway.closed);
    assertEquals(gateway.hasReceiver(), kind.model !== "main");
  });
}
