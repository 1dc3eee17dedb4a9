/** Copies one after the other: one execution makes them all, and none comes to harm by another one. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import type { Gateway } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { describeTree, setTime } from "../helpers/tree.ts";
import { until } from "../helpers/wait.ts";
import { copyTo, keys } from "./copies.ts";
import { forEachKind, forPopen } from "./kinds.ts";

const COPIES = 10;
const FILES = 40;

function makeSource(source: string): void {
  Deno.mkdirSync(`${source}/sub`, { recursive: true });
  for (let i = 0; i < FILES; i++) Deno.writeTextFileSync(`${source}/sub/f${i}`, `content ${i}`);
}

/** How many channels `body` opens. */
async function channelsOf(gateway: Gateway, body: () => Promise<void>): Promise<number> {
  const probe = async (): Promise<number> => {
    const channel = gateway.newChannel();
    await channel.close();
    return channel.id;
  };
  const before = await probe();
  await body();
  return (await probe() - before) / 2 - 1;
}

forEachKind("RSync makes ten copies by one execution, which nobody sees", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    makeSource(source);
    const gateway = await open(keys(folder));
    const opened = await channelsOf(gateway, async () => {
      for (let i = 0; i < COPIES; i++) {
        Deno.writeTextFileSync(`${source}/sub/changed`, `version ${i}`);
        setTime(`${source}/sub/changed`, 1_600_000_000_000 + i * 1000);
        const dest = `${folder}/copy${i % 2}`;
        const { errors, transferred } = await copyTo(gateway, source, dest, { to: { delete: true } });
        assertEquals(errors, []);
        assertEquals(transferred, i < 2 ? FILES + 1 : 1);
        assertEquals(await describeTree(dest), await describeTree(source));
      }
    });
    // Each copy has a channel for its data, and all have one for the rest.
    assertEquals(opened, COPIES + 1);
    await until("nothing is seen of it", async () => {
      const { numExecuting, numChannels, channels } = await gateway.remoteStatus();
      return numExecuting === 0 && numChannels === 0 && channels.length === 0;
    });
  });
}, { local: true, popen: true });

forPopen("RSync copies after a copy that failed, was aborted or was refused", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/copy/deeper`;
    makeSource(source);
    const gateway = await open(`${keys(`${folder}/copy`)}`);
    const rounds: Record<string, () => Promise<void>> = {
      "refused": async () => {
        const { errors } = await copyTo(gateway, source, `${folder}/elsewhere`);
        assertMatch(String(errors), /add allow-read=/);
      },
      "failed": async () => {
        Deno.mkdirSync(`${folder}/copy`, { recursive: true });
        Deno.writeTextFileSync(`${folder}/copy/file`, "in the way");
        const { errors } = await copyTo(gateway, source, `${folder}/copy/file/below`);
        assert(errors.length > 0);
      },
      "aborted": async () => {
        const aborter = new AbortController();
        const copying = copyTo(gateway, source, `${folder}/copy/other`, {
          signal: aborter.signal,
          onProgress: () => aborter.abort(new RangeError("enough")),
        });
        assertEquals((await copying.catch((error) => error)).message, "enough");
      },
      "ended by a function of the caller": async () => {
        const failing = copyTo(gateway, source, `${folder}/copy/third`, {
          onProgress: () => {
            throw new RangeError("no");
          },
        });
        assertEquals((await failing.catch((error) => error)).message, "no");
      },
    };
    for (const [name, round] of Object.entries(rounds)) {
      await round();
      const { errors } = await copyTo(gateway, source, dest, { to: { delete: true } });
      assertEquals(errors, [], `after one that was ${name}`);
      assertEquals(await describeTree(dest), await describeTree(source));
      await Deno.remove(`${folder}/copy`, { recursive: true });
    }
    assertEquals((await gateway.remoteStatus()).numExecuting, 0);
  });
});

forPopen(
  "RSync makes copies to one gateway at the same time, and goes on with one execution of theirs",
  async ({ open }) => {
    await withFolder(async (folder) => {
      const source = `${folder}/source`;
      makeSource(source);
      const gateway = await open(keys(folder));
      const opened = await channelsOf(gateway, async () => {
        for (let round = 0; round < 2; round++) {
          const copies = [0, 1, 2].map((i) => copyTo(gateway, source, `${folder}/copy${i}`));
          for (const { errors } of await Promise.all(copies)) assertEquals(errors, []);
        }
      });
      // Of three at most one stays; one that ends before another begins may make that, too.
      assert(opened > 6 && opened <= 6 + 3 + 2, `${opened} channels`);
      const further = await channelsOf(gateway, async () => {
        assertEquals((await copyTo(gateway, source, `${folder}/copy0`)).errors, []);
      });
      assertEquals(further, 1);
      for (const i of [0, 1, 2]) {
        assertEquals(await describeTree(`${folder}/copy${i}`), await describeTree(source));
      }
    });
  },
);
