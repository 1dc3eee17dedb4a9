/** What a copy costs on the wire where nothing has changed: bytes, which no load of the machine changes. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { receiveAll } from "../../rsync/far/receive.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { copyTo } from "../helpers/scripted_target.ts";
import { describeTree, setTime } from "../helpers/tree.ts";

const FILES = 1000;
/** Of a file: its name, and besides kind, length of the name, mode, time, size. */
const NAME_BYTES = 5;
const META_BYTES = 13;
/** Frames, setup and the ends of the list, the wants and the data; what is more depends on the path of the target. */
const MOST_BYTES = 400;

/** What passes in both directions when a target of so many files is up to date already. */
async function wireOf(files: number): Promise<readonly [to: number, from: number]> {
  let wire: readonly [number, number] | undefined;
  await withFolder(async (folder) => {
    const trees = [`${folder}/source`, `${folder}/copy`] as const;
    for (const tree of trees) {
      Deno.mkdirSync(tree);
      for (let i = 0; i < files; i++) {
        const path = `${tree}/f${String(i).padStart(NAME_BYTES - 1, "0")}`;
        Deno.writeFileSync(path, new Uint8Array(200));
        setTime(path, 1_600_000_000_000);
      }
      setTime(tree, 1_600_000_000_000);
    }
    const [source, dest] = trees;
    const before = await describeTree(dest);
    const [ran] = await copyTo(source, [receiveAll], { dest });
    assertEquals([ran!.errors, ran!.target.complete, ran!.target.tally.transferred], ["", true, 0]);
    assertEquals(await describeTree(dest), before);
    wire = [ran!.wire[0] - dest.length, ran!.wire[1]];
  });
  return wire!;
}

test("a copy without a change sends one short record a file, and the target answers with as good as nothing", async () => {
  const [fixed, answer] = await wireOf(0);
  assert(fixed <= MOST_BYTES && answer <= MOST_BYTES, `${fixed} and ${answer} bytes for no file`);
  const [to, from] = await wireOf(FILES);
  // Beyond its records some frames, and credit for what was received.
  const perFile = (to - fixed) / FILES;
  assert(perFile <= NAME_BYTES + META_BYTES + 1, `${perFile} bytes for each file`);
  assert(from <= answer + MOST_BYTES, `${from} bytes of answers`);
});
