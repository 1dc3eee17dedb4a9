/** How one execution ends, by itself or by force, without harm to others. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type Channel, EOFError, type Gateway, GatewayClosedError, RemoteError } from "../../mod.ts";
import { gone, processState } from "../helpers/leaks.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared, SEPARATE } from "./kinds.ts";

/** A second execution, to prove that it is not harmed. */
async function startWitness(gateway: Gateway): Promise<() => Promise<void>> {
  const witness = gateway.remoteExec(`
    globalThis.count = 0;
    for await (const item of channel) await channel.send([item, ++globalThis.count]);
  `);
  let count = 0;
  const ask = async (): Promise<void> => {
    await witness.send("ping");
    assertEquals(await limited("the witness", witness.receive()), ["ping", ++count]);
  };
  await ask();
  return ask;
}

async function ending(channel: Channel): Promise<RemoteError> {
  return await limited(
    "the end",
    assertRejects(() => channel.waitClose(), RemoteError),
    10_000,
  ) as RemoteError;
}

const OWN_ENDS: readonly [name: string, source: string, message: RegExp][] = [
  ["Deno.exit(0)", `Deno.exit(0)`, /exit|ended/],
  ["Deno.exit(3)", `Deno.exit(3)`, /exit|ended/],
  ["Deno.exit() in a module", `const code: number = 0; Deno.exit(code)`, /exit|ended/],
  ["process.exit()", `(await import("node:process")).default.exit(0)`, /exit|ended/],
  [
    "an error in a timer",
    `setTimeout(() => { throw new RangeError("late") }, 1); await channel.receive()`,
    /late/,
  ],
  ["an unhandled rejection", `Promise.reject(new RangeError("late")); await channel.receive()`, /late/],
  [
    "an error in a microtask",
    `queueMicrotask(() => { throw new RangeError("late") }); await channel.receive()`,
    /late/,
  ],
];

for (const [name, source, message] of OWN_ENDS) {
  forEachKindShared(`${name} ends its own execution only`, async ({ open }) => {
    const gateway = await open();
    const ask = await startWitness(gateway);
    const channel = gateway.remoteExec(`await channel.send("before"); ${source};`);
    assertEquals(await channel.receive(), "before");
    assertMatch((await ending(channel)).message, message);
    await assertRejects(() => channel.receive(), EOFError);
    await ask();
    await until("only the witness is left", async () => (await gateway.remoteStatus()).numExecuting === 1);
  }, { models: SEPARATE });
}

forEachKindShared("self.close() ends its own execution only", async ({ open }) => {
  const gateway = await open();
  const ask = await startWitness(gateway);
  const channel = gateway.remoteExec(
    `await channel.send("before"); self.close(); await new Promise(() => {})`,
  );
  assertEquals(await channel.receive(), "before");
  await ending(channel);
  await ask();
}, { models: ["worker"] });

forEachKindShared("an error that nobody catches carries its name and its line", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    setTimeout(() => {
      throw new RangeError("late");
    }, 1);
    await channel.receive();
  `);
  const error = await ending(channel);
  assertEquals([error.remoteName, error.remoteMessage], ["RangeError", "late"]);
  assertMatch(error.remoteStack!, /<remote exec>:3/);
}, { models: SEPARATE });

forEachKind("Deno.exit() ends the gateway where all share one isolate", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`Deno.exit(7)`);
  const error = await limited("the end", assertRejects(() => channel.receive(), GatewayClosedError));
  assertEquals((error as GatewayClosedError).code, 7);
  assertEquals((await gateway.closed).code, 7);
}, { models: ["main"] });

forEachKind("an error that nobody catches is printed where all share one isolate", async ({ open }) => {
  const gateway = await open("", { stderr: "piped" });
  const output = new TextTap(gateway.stderr!);
  const channel = gateway.remoteExec(`
    setTimeout(() => { throw new RangeError("late") }, 0);
    Promise.reject(new TypeError("later"));
    channel.send(await channel.receive());
  `);
  await output.has("late");
  await output.has("later");
  await channel.send("alive");
  assertEquals(await channel.receive(), "alive");
  gateway.exit();
  await output.ended;
}, { models: ["main"] });

forEachKind("a crash of its process ends its own execution only", async ({ open }) => {
  const gateway = await open(
    "allow-run//allow-read//allow-write//allow-net//allow-env//allow-sys//allow-ffi",
  );
  const ask = await startWitness(gateway);
  const channel = gateway.remoteExec(`await channel.send("before"); Deno.kill(Deno.pid, "SIGKILL")`);
  assertEquals(await channel.receive(), "before");
  assertMatch((await ending(channel)).message, /SIGKILL/);
  await ask();
  assertEquals((await gateway.remoteStatus()).numExecuting, 1);
}, { models: ["process"] });

forEachKind("running out of memory ends its own execution only", async ({ open }) => {
  const gateway = await open("memory=64M");
  const ask = await startWitness(gateway);
  const channel = gateway.remoteExec(`
    await channel.send("before");
    await channel.receive();
    const hoard = [];
    while (true) hoard.push(new Array(10_000).fill({}));
  `);
  assertEquals(await channel.receive(), "before");
  await channel.send("go");
  assertMatch((await ending(channel)).message, /memory/);
  await ask();
}, { models: ["process"], popen: true, limit: 30_000 });

forEachKind("running out of memory ends the gateway where executions share a process", async ({ open }) => {
  const gateway = await open("memory=64M");
  const channel = gateway.remoteExec(`
    await channel.send("before");
    await channel.receive();
    const hoard = [];
    while (true) hoard.push(new Array(10_000).fill({}));
  `);
  assertEquals(await channel.receive(), "before");
  await channel.send("go");
  const error = await limited("the end", assertRejects(() => channel.waitClose()), 20_000);
  assert(error instanceof GatewayClosedError || error instanceof RemoteError, String(error));
}, { models: ["worker", "main"], popen: true, limit: 30_000 });

/** Each way to end an execution from here, with the name that its error gets. */
const FORCES: readonly [
  name: string,
  remoteName: string,
  start: (gateway: Gateway, source: string) => Forced,
][] = [
  ["kill()", "Killed", (gateway, source) => {
    const channel = gateway.remoteExec(source);
    return { channel, end: () => channel.kill() };
  }],
  ["kill(reason)", "RangeError", (gateway, source) => {
    const channel = gateway.remoteExec(source);
    return { channel, end: () => channel.kill(new RangeError("enough")) };
  }],
  ["signal", "AbortError", (gateway, source) => {
    const abort = new AbortController();
    return { channel: gateway.remoteExec(source, { signal: abort.signal }), end: () => abort.abort() };
  }],
  ["timeout", "TimeoutError", (gateway, source) => {
    return { channel: gateway.remoteExec(source, { timeout: 400 }), end: () => {} };
  }],
];

interface Forced {
  channel: Channel;
  end: () => void;
}

for (const [name, remoteName, start] of FORCES) {
  forEachKind(`${name} ends an execution that waits, at once and alone`, async ({ open }) => {
    const gateway = await open();
    const ask = await startWitness(gateway);
    const { channel, end } = start(gateway, `await channel.send("up"); await channel.receive()`);
    const waits = async (): Promise<void> => {
      // A timeout may be over before the code is there, on a busy machine.
      assertEquals(await channel.receive(), "up");
      const waiting = channel.receive();
      end();
      await waiting;
    };
    const error = await limited("the end", assertRejects(waits, RemoteError)) as RemoteError;
    assertEquals([error.remoteName, error.gatewayId], [remoteName, gateway.id]);
    assert(channel.isClosed());
    await assertRejects(() => channel.receive(), EOFError);
    await ask();
    await until("only the witness is left", async () => (await gateway.remoteStatus()).numExecuting === 1);
    assertEquals((await gateway.remoteStatus()).numRunaway, 0);
  });
}

forEachKindShared("kill() really ends code that only waits for timers", async ({ open }) => {
  const gateway = await open();
  const beat = gateway.newChannel();
  const channel = gateway.remoteExec(`
    const beat = await channel.receive();
    while (true) {
      await beat.send(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  `);
  await channel.send(beat);
  await beat.receive();
  channel.kill();
  await limited("the end of the other channel", beat.waitClose().catch(() => {}));
  assert(beat.isClosed());
  await until("nothing is left", async () => {
    const { numExecuting, numChannels } = await gateway.remoteStatus();
    return numExecuting === 0 && numChannels === 0;
  });
}, { models: SEPARATE });

forEachKind("kill() ends an endless loop by ending its process", async ({ open }) => {
  const gateway = await open();
  const ask = await startWitness(gateway);
  const channel = gateway.remoteExec(`await channel.send(Deno.pid); while (true) {}`);
  const pid = await channel.receive() as unknown as number;
  assert(processState(pid) !== undefined);
  channel.kill();
  assertEquals((await ending(channel)).remoteName, "Killed");
  await gone(pid);
  await ask();
  const status = await gateway.remoteStatus();
  assertEquals([status.numExecuting, status.numRunaway], [1, 0]);
}, { models: ["process"], local: true });

forEachKind("kill() cuts off an endless loop, which is counted and reported", async ({ open, endless }) => {
  const gateway = await open("", { stderr: "piped" });
  const output = new TextTap(gateway.stderr!);
  const ask = await startWitness(gateway);
  const channels = [1, 2].map(() => gateway.remoteExec(`await channel.send("up"); ${endless}`));
  for (const channel of channels) {
    assertEquals(await channel.receive(), "up");
    channel.kill();
    assertEquals((await ending(channel)).remoteName, "Killed");
  }
  await until("two runaways are counted", async () => (await gateway.remoteStatus()).numRunaway === 2);
  assertEquals((await gateway.remoteStatus()).numExecuting, 1);
  await output.has(gateway.id);
  assertEquals(output.text.trimEnd().split("\n").length, 1);
  await ask();
  gateway.exit();
  assertEquals((await gateway.join({ timeout: 5_000 })).reason, "requested");
  await output.ended;
}, { models: ["worker"] });

forEachKind("kill() of a loop that ends after all counts no runaway in the end", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    await channel.send("up");
    for (const end = performance.now() + 1_500; performance.now() < end;);
  `);
  assertEquals(await channel.receive(), "up");
  channel.kill();
  await until("the runaway is counted", async () => (await gateway.remoteStatus()).numRunaway === 1);
  await until("it has ended", async () => (await gateway.remoteStatus()).numRunaway === 0);
}, { models: ["worker"] });

forEachKindShared(
  "kill() ends the channel of an endless loop here although nothing can stop it",
  async ({ open, endless }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`await channel.send("up"); ${endless}`);
    assertEquals(await channel.receive(), "up");
    channel.kill();
    assertEquals((await ending(channel)).remoteName, "Killed");
    await assertRejects(() => gateway.remoteStatus({ timeout: 200 }));
  },
  { models: ["main"] },
);

forEachKindShared("kill() before the code has started ends it", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`channel.send(1)`);
  channel.kill("changed my mind");
  const error = await ending(channel);
  assertEquals([error.remoteName, error.remoteMessage], ["Killed", "changed my mind"]);
  assertEquals(await gateway.remoteExec("channel.send(2)").receive(), 2);
  await until("nothing is left", async () => (await gateway.remoteStatus()).numExecuting === 0);
});

forEachKindShared("kill() after the end does nothing", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`channel.send(1)`);
  await channel.waitClose();
  channel.kill();
  assertEquals(await channel.receive(), 1);
  await assertRejects(() => channel.receive(), EOFError);
  await channel.waitClose();
});

forEachKindShared("kill() lets arrived items stay readable", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const other = await channel.receive();
    channel.send(1);
    await channel.send(2);
    await other.send("sent");
    await channel.receive();
  `);
  const other = gateway.newChannel();
  await channel.send(other);
  assertEquals(await other.receive(), "sent");
  channel.kill();
  assertEquals([await channel.receive(), await channel.receive()], [1, 2]);
  await assertRejects(() => channel.receive(), RemoteError);
  await assertRejects(() => channel.receive(), EOFError);
});

forEachKindShared(
  "a signal that is aborted already, or a timeout of 0, ends the execution at once",
  async ({ open }) => {
    const gateway = await open();
    const aborted = gateway.remoteExec(`while (true) await channel.send(1)`, { signal: AbortSignal.abort() });
    assertEquals((await ending(aborted)).remoteName, "AbortError");
    const late = gateway.remoteExec(`while (true) await channel.send(1)`, { timeout: 0 });
    assertEquals((await ending(late)).remoteName, "TimeoutError");
  },
);

forEachKindShared("a signal's own reason is the error and its cause", async ({ open }) => {
  const gateway = await open();
  const abort = new AbortController();
  const channel = gateway.remoteExec(`await channel.send("up"); await channel.receive()`, {
    signal: abort.signal,
  });
  await channel.receive();
  const reason = Object.assign(new RangeError("enough"), { code: 3 });
  abort.abort(reason);
  const error = await ending(channel);
  assertEquals([error.remoteName, error.remoteMessage, error.fields], ["RangeError", "enough", { code: 3 }]);
  assert(error.cause === reason);
});

forEachKindShared("a signal or a timeout after the end does nothing", async ({ open }) => {
  const gateway = await open();
  const abort = new AbortController();
  const channel = gateway.remoteExec(`channel.send(1)`, { signal: abort.signal, timeout: 10_000 });
  await channel.waitClose();
  abort.abort();
  assertEquals(await channel.receive(), 1);
  await assertRejects(() => channel.receive(), EOFError);
});
