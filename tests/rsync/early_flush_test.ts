import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { EarlyFlush } from "../../rsync/far/early_flush.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";

const STEP = 32 * 1024 * 1024;

/** Gives the flushes that `body` begins; they end when all of it has run. */
async function flushesOf(body: () => void): Promise<number> {
  const prototype = Deno.FsFile.prototype;
  const { syncData } = prototype;
  const flushes: Promise<void>[] = [];
  prototype.syncData = function (): Promise<void> {
    const flush = syncData.call(this);
    flushes.push(flush);
    return flush;
  };
  try {
    body();
  } finally {
    prototype.syncData = syncData;
  }
  await Promise.all(flushes);
  return flushes.length;
}

test("EarlyFlush flushes after each step, never twice at once, and harms nobody where it cannot", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/file`;
    Deno.writeTextFileSync(path, "content");
    const flush = new EarlyFlush(path);
    assertEquals(await flushesOf(() => flush.wrote(STEP - 1)), 0);
    assertEquals(
      await flushesOf(() => {
        for (let i = 0; i < 4; i++) flush.wrote(STEP);
      }),
      1,
    );
    assertEquals(await flushesOf(() => flush.wrote(1)), 1);
    Deno.removeSync(path);
    assertEquals(await flushesOf(() => flush.wrote(STEP)), 0);
  });
});
