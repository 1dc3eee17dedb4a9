import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { Placing } from "../../rsync/far/placing.ts";
import type { Report } from "../../rsync/far/report.ts";
import { createTemporary } from "../../rsync/far/temporary.ts";
import { WantedFiles } from "../../rsync/far/wanted.ts";
import type { Wanted } from "../../rsync/far/wanted.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";

/** Files that are flushed together. */
const GROUP = 64;

/** Adds `count` written files, of which those are told that came to their places. */
async function withPlacing(
  count: number,
  body: (placing: Placing, done: number[], folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const done: number[] = [];
    const report = {
      done: (index: number) => done.push(index),
      flush: () => Promise.resolve(),
    } as unknown as Report;
    const placing = new Placing(new WantedFiles(), report);
    for (let index = 0; index < count; index++) {
      const wanted: Wanted = { index, path: `${folder}/f${index}`, folder, inPlace: "file", basis: 0 };
      const path = `${folder}/new${index}`;
      const meta = { mode: 0o644, mtime: 1_500_000_000_000 };
      await placing.add({ wanted, meta, path, file: createTemporary(path), bytes: 0 });
    }
    await body(placing, done, folder);
  });
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

test("Placing.done() puts all files into their places", async () => {
  for (const count of [0, 1, GROUP, GROUP + 1, 3 * GROUP + 5]) {
    await withPlacing(count, async (placing, done, folder) => {
      await placing.done();
      assertEquals(done.toSorted((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
      assertEquals(namesIn(folder).toSorted(), done.map((i) => `f${i}`).toSorted());
    });
  }
});

test("Placing.stop() places what is under way, and leaves nothing of the rest", async () => {
  for (const [count, placed] of [[GROUP - 1, 0], [GROUP + 5, GROUP], [2 * GROUP + 5, 2 * GROUP]] as const) {
    await withPlacing(count, async (placing, done, folder) => {
      await placing.stop();
      assertEquals(namesIn(folder).filter((name) => name.startsWith("new")), []);
      assertEquals([done.length, namesIn(folder).length], [placed, placed]);
      await settle();
      assertEquals(done.length, placed, "nothing goes on");
    });
  }
});

test("WantedFiles.room() does not wait for files that are to be asked for again", async () => {
  const files = new WantedFiles();
  const all = Array.from({ length: 4096 }, (_, index): Wanted => (
    { index, path: `/f${index}`, folder: "/", inPlace: "file", basis: 1 }
  ));
  for (const wanted of all) files.add(wanted);
  const room = watch(files.room());
  await settle();
  assertEquals(room.state, "pending");
  for (const wanted of all) files.again(wanted);
  await settle();
  assertEquals(room.state, "resolved");
  assertEquals((await files.nextAgain())!.basis, 0);
});
