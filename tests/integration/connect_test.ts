/** Starts that fail: the error says why, and nothing is left. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, GatewayClosedError, type GatewayOptions, Group } from "../../mod.ts";
import { NONCE_BYTES } from "../../gateway/process/link.ts";
import { ifThere } from "../../gateway/process/process.ts";
import { gone } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { forPopen, type Setting } from "./kinds.ts";

async function withScript(text: string, fn: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "fake-" });
  try {
    await Deno.writeTextFile(`${folder}/deno`, text, { mode: 0o755 });
    await fn(`${folder}/deno`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The text of a file, as soon as there is any. */
async function textOf(path: string): Promise<string> {
  return await until(`${path} is there`, () => Deno.readTextFile(path).catch(() => ""), 15_000);
}

async function failure(setting: Setting, keys: string, options?: GatewayOptions): Promise<ConnectError> {
  const error = await assertRejects(() => setting.open(keys, options), ConnectError) as ConnectError;
  assertEquals(setting.group.size, 0);
  assert(error.message.startsWith("Cannot start gateway"), error.message);
  return error;
}

for (const path of ["/nowhere/deno", "no-such-deno-anywhere", "/", "/etc/hostname"]) {
  forPopen(`makeGateway() rejects with kind no-deno when deno is ${path}`, async (setting) => {
    const error = await failure(setting, `deno=${path}`);
    assertEquals(error.kind, "no-deno");
    assert(error.message.includes(path), error.message);
  });
}

forPopen(
  "makeGateway() rejects with kind no-deno when the file has no permission to run",
  async (setting) => {
    await withScript("#!/bin/sh\n", async (path) => {
      await Deno.chmod(path, 0o644);
      assertEquals((await failure(setting, `deno=${path}`)).kind, "no-deno");
    });
  },
);

forPopen(
  "makeGateway() rejects with kind exit and the code when the process ends at once",
  async (setting) => {
    const quiet = await failure(setting, "deno=true");
    assertEquals([quiet.kind, quiet.exitCode], ["exit", 0]);
    await withScript("#!/bin/sh\necho last words >&2\nexit 42\n", async (path) => {
      const error = await failure(setting, `deno=${path}`);
      assertEquals([error.kind, error.exitCode, error.signal], ["exit", 42, undefined]);
      assertMatch(error.stderrTail, /last words/);
      assertMatch(error.message, /42[^]*last words/);
    });
  },
);

forPopen(
  "makeGateway() rejects with kind exit and the signal when the process is killed",
  async (setting) => {
    await withScript("#!/bin/sh\nkill -TERM $$\nsleep 100\n", async (path) => {
      const error = await failure(setting, `deno=${path}`);
      assertEquals([error.kind, error.signal], ["exit", "SIGTERM"]);
    });
  },
);

forPopen("makeGateway() rejects with kind exit when a flag is wrong", async (setting) => {
  const error = await failure(setting, `deno=${Deno.execPath()} --no-such-flag`);
  assertEquals(error.kind, "exit");
  assertMatch(error.stderrTail, /no-such-flag/);
});

forPopen("makeGateway() rejects with kind noise when something else talks", async (setting) => {
  await withScript("#!/bin/sh\necho Welcome to this machine\nsleep 1000\n", async (path) => {
    const started = performance.now();
    const error = await failure(setting, `deno=${path}`, { connectTimeout: 400 });
    assertEquals(error.kind, "noise");
    assertMatch(error.message, /Welcome to this machine/);
    assert(performance.now() - started < 5_000);
  });
});

forPopen("makeGateway() rejects with kind timeout when nothing comes", async (setting) => {
  await withScript("#!/bin/sh\nsleep 1000 & wait\n", async (path) => {
    const started = performance.now();
    const error = await failure(setting, `deno=${path}`, { connectTimeout: 400 });
    assertEquals(error.kind, "timeout");
    assertMatch(error.message, /400/);
    const took = performance.now() - started;
    assert(took >= 350 && took < 5_000, `${took} ms`);
  });
});

forPopen("makeGateway() kills what ignores every signal", async (setting) => {
  await withScript("#!/bin/sh\ntrap '' TERM INT HUP\nwhile true; do sleep 1000; done\n", async (path) => {
    assertEquals((await failure(setting, `deno=${path}`, { connectTimeout: 300 })).kind, "timeout");
  });
});

forPopen("makeGateway() lets no connection be held by what outlives a failed start", async (setting) => {
  const program = new URL("./programs/holding.ts", import.meta.url).pathname;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  for (const shown of [0, 7, NONCE_BYTES]) {
    const holding = `${Deno.execPath()} run -A --no-check --config ${config} ${program}`;
    const script =
      `#!/bin/sh\nfor url; do :; done\nsetsid ${holding} "$url" "$0" ${shown} & exec sleep 1000\n`;
    await withScript(script, async (path) => {
      const abort = new AbortController();
      const failed = assertRejects(
        () => setting.open(`deno=${path}`, { signal: abort.signal }),
        Error,
        "enough",
      );
      const pid = Number(await textOf(`${path}.up`));
      abort.abort(new Error("enough"));
      await failed;
      try {
        await textOf(`${path}.closed`);
        await gone(pid);
      } finally {
        ifThere(() => Deno.kill(pid, "SIGKILL"));
      }
    });
  }
});

forPopen("makeGateway() kills what stops its whole process group, its guard included", async (setting) => {
  await withScript("#!/bin/sh\nkill -STOP 0\nsleep 1000\n", async (path) => {
    for (const way of ["", "//deny-net"]) {
      const failed = failure(setting, `deno=${path}${way}`, { connectTimeout: 300 });
      assertEquals((await limited("the start", failed)).kind, "timeout");
    }
  });
});

forPopen(
  "makeGateway() rejects with the reason of its signal, during the start and before it",
  async (setting) => {
    await withScript("#!/bin/sh\ntouch $0.up\nsleep 1000\n", async (path) => {
      const abort = new AbortController();
      const started = assertRejects(
        () => setting.open(`deno=${path}`, { signal: abort.signal }),
        RangeError,
        "enough",
      );
      await until("the process runs", () => Deno.stat(`${path}.up`).then(() => true, () => false));
      abort.abort(new RangeError("enough"));
      await limited("the rejection", started, 3_000);
      await assertRejects(() => setting.open(`deno=${path}`, { signal: abort.signal }), RangeError, "enough");
    });
    assertEquals(setting.group.size, 0);
    const gateway = await setting.open("id=gw0");
    assertEquals(gateway.id, "gw0");
  },
);

forPopen("makeGateway() may be aborted at any moment", async (setting) => {
  for (let ms = 0; ms < 80; ms += 8) {
    const signal = AbortSignal.timeout(ms);
    const gateway = await setting.open("", { signal }).catch((error) => {
      assertEquals(error.name, "TimeoutError");
    });
    await gateway?.[Symbol.asyncDispose]();
    // Deno's own timer of the signal must have ended before the test.
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
});

forPopen("a signal that is aborted after the start does nothing", async (setting) => {
  const abort = new AbortController();
  const gateway = await setting.open("", { signal: abort.signal });
  abort.abort();
  assertEquals(await gateway.remoteExec("channel.send(1)").receive(), 1);
});

forPopen("makeGateway() refuses a connectTimeout that is none", async (setting) => {
  for (const connectTimeout of [0, -1, NaN]) {
    await assertRejects(() => setting.open("", { connectTimeout }), RangeError);
  }
});

forPopen("makeGateway() gives the id of a failed start free again", async (setting) => {
  await failure(setting, "id=alpha//deno=true");
  const gateway = await setting.open("id=alpha");
  assertEquals(gateway.id, "alpha");
});

forPopen("Group.create() is all or nothing", async () => {
  const error = await assertRejects(
    () => Group.create(["popen", "popen//deno=true", "popen"], { stderr: "null" }),
    ConnectError,
  ) as ConnectError;
  assertEquals(error.kind, "exit");
});

forPopen("keepalive notices a far side that has stopped, and ends the gateway", async ({ open }) => {
  const gateway = await open("keepalive=50");
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec("await channel.receive()");
  Deno.kill(pid, "SIGSTOP");
  const error = await assertRejects(() => channel.receive(), GatewayClosedError);
  assert(/no sign of life/.test(error.message), error.message);
  const exit = await gateway.closed;
  assert(exit.forced, "a stopped process does not end by itself");
});
