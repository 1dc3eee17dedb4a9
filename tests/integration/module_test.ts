/** Shipping modules with all they import. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { DumpError, RemoteError } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { commandLine, descendants } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

const JOB = new URL("./modules/job.ts", import.meta.url);

const urlOf = (path: string): URL => new URL(`file://${path}`);

forEachKind(
  "remoteExec() of a module ships it with all it imports, and calls its default export",
  async ({ open }) => {
    const gateway = await open();
    for (
      const start of [
        () => gateway.remoteExec<number, unknown>(JOB, { kwargs: { times: 3 } }),
        () => gateway.remoteExec<number, unknown>(JOB, { times: 3 }, {}),
        () => gateway.group.remoteExec<number, unknown>(JOB, { times: 3 }).at(0)!,
      ]
    ) {
      const channel = start();
      // What is sent while the module is put together must not overtake it.
      await channel.send(5);
      assertEquals(await channel.receive(), 40);
      assertEquals(await channel.receive(), [true, "b"]);
      await channel.waitClose();
    }
  },
);

forEachKindShared("a module may run by itself with the global channel", async ({ open }) => {
  const gateway = await open();
  const channels = [1, 2].map(() =>
    gateway.remoteExec<[string, ...number[]], unknown>(new URL("./modules/loop.ts", import.meta.url))
  );
  for (const [i, channel] of channels.entries()) {
    await channel.send(["sum", 1, 2, i]);
    await channel.send(["count", 1, 2]);
  }
  for (const [i, channel] of channels.entries()) {
    assertEquals([await channel.receive(), await channel.receive()], [3 + i, 2]);
    await channel.closeWrite();
    await channel.waitClose();
  }
});

forEachKindShared("an error in an imported file shows that file's line", async ({ open }) => {
  const channel = (await open()).remoteExec(JOB, { kwargs: { times: 1 } });
  await channel.send("x");
  const error = await assertRejects(() => channel.receive(), RemoteError) as RemoteError;
  assertEquals([error.remoteName, error.remoteMessage], ["TypeError", "No number: x"]);
  const lib = new URL("./modules/lib/doubler.ts", import.meta.url).href;
  assert(error.remoteStack!.includes(`${lib}:19:42`), error.remoteStack);
  assertMatch(error.remoteStack!, new RegExp(`${JOB.href}:16:\\d+`));
});

forEachKindShared("a module's current content is sent at each call", async ({ open }) => {
  const gateway = await open();
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/lib.ts`, `export const value: number = 1;`);
    await Deno.writeTextFile(
      `${folder}/job.ts`,
      `import { value } from "./lib.ts";\nexport default (channel) => channel.send(value);`,
    );
    const job = urlOf(`${folder}/job.ts`);
    assertEquals(await gateway.remoteExec(job).receive(), 1);
    assertEquals(await gateway.remoteExec(job).receive(), 1);
    // The same size, and maybe the same time.
    await Deno.writeTextFile(`${folder}/lib.ts`, `export const value: number = 2;`);
    assertEquals(await gateway.remoteExec(job).receive(), 2);
  });
});

forEachKindShared(
  "a module is sent before its execution, which needs no file afterwards",
  async ({ open }) => {
    const gateway = await open();
    await withFolder(async (folder) => {
      await Deno.writeTextFile(
        `${folder}/job.ts`,
        `channel.send("up"); for await (const x of channel) channel.send(x);`,
      );
      const channel = gateway.remoteExec(urlOf(`${folder}/job.ts`));
      assertEquals(await channel.receive(), "up");
      await Deno.remove(`${folder}/job.ts`);
      await channel.send(1);
      assertEquals(await channel.receive(), 1);
      await channel.closeWrite();
      await channel.waitClose();
    });
  },
);

forEachKindShared(
  "a module that cannot be shipped ends its channel with the reason, and leaves nothing",
  async ({ open }) => {
    const gateway = await open();
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/broken.ts`, `const x = ;`);
      await Deno.writeTextFile(`${folder}/lost.ts`, `import "./nowhere.ts";`);
      for (
        const [name, reason] of [["broken.ts", /broken\.ts:1/], ["lost.ts", /nowhere/], [
          "none.ts",
          /none\.ts/,
        ]] as const
      ) {
        const channel = gateway.remoteExec(urlOf(`${folder}/${name}`));
        const error = await assertRejects(() => channel.receive(), Error);
        assert(!(error instanceof RemoteError));
        assertMatch((error as Error).message, reason);
      }
    });
    await assertRejects(() => gateway.remoteExec(new URL("ftp://x/y.ts")).receive(), TypeError);
    assertThrows(() => gateway.remoteExec(JOB, { times: 1 } as never), TypeError, "kwargs");
    const error = assertThrows(() => gateway.remoteExec(JOB, { kwargs: { fn: () => 1 } }), DumpError);
    assertEquals(error.path, "$.kwargs.fn");
    await until("nothing is left", async () => {
      const { numExecuting, numChannels } = await gateway.remoteStatus();
      return numExecuting + numChannels === 0;
    });
    assertEquals(await gateway.remoteExec("channel.send(1)").receive(), 1);
  },
);

forEachKindShared("a module whose execution is ended while it is put together is not", async ({ open }) => {
  const gateway = await open();
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/job.ts`, `channel.send(1);`);
    const channel = gateway.remoteExec(urlOf(`${folder}/job.ts`), { timeout: 1 });
    const error = await assertRejects(() => channel.receive(), RemoteError) as RemoteError;
    assertEquals(error.remoteName, "TimeoutError");
    await until(
      "no bundling runs",
      () => !descendants(Deno.pid).some((one) => commandLine(one.pid).includes(folder)),
    );
    assertEquals(await gateway.remoteExec(urlOf(`${folder}/job.ts`)).receive(), 1);
  });
});
