/** What a copy is, is what `rsync -a` makes: over random folders and random changes to them. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { makeGateway, RSync } from "../../mod.ts";
import type { RSyncOptions } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { RandomTree } from "../helpers/random_tree.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import { describeTree } from "../helpers/tree.ts";
import { testWith } from "../parts/need.ts";
import { RSYNC } from "../parts/rsync.ts";
import { run } from "../parts/run.ts";

/** Trees, and states of each. */
const TREES = 120;
const STATES = 4;

interface Variant {
  readonly name: string;
  readonly options: RSyncOptions;
  readonly remove: boolean;
  readonly flags: readonly string[];
}

const VARIANTS: readonly Variant[] = [
  { name: "delete", options: { links: "keep" }, remove: true, flags: ["--delete"] },
  { name: "no delete", options: { links: "keep" }, remove: false, flags: [] },
  {
    name: "checksum, compressed",
    options: { links: "keep", checksum: true, compress: true },
    remove: true,
    flags: ["--delete", "-c"],
  },
];

for (const [i, { name, options, remove, flags }] of VARIANTS.entries()) {
  testWith(RSYNC, `RSync makes of random folders what rsync -a makes: ${name}`, async () => {
    await using gateway = await makeGateway("popen//allow-read//allow-write");
    await forSeeds(seeds(TREES / VARIANTS.length, 1000 * i + 1), async (random) => {
      await withFolder(async (folder) => {
        const tree = new RandomTree(`${folder}/source`, random);
        for (let state = 0; state < STATES; state++) {
          if (state > 0) tree.change();
          const rsync = new RSync(tree.root, options);
          rsync.addTarget(gateway, `${folder}/ours`, { delete: remove });
          const [result] = await rsync.send();
          assertEquals(result!.errors, []);
          await run(["rsync", "-a", "--force", ...flags, `${tree.root}/`, `${folder}/theirs/`]);
          assertEquals(await describeTree(`${folder}/ours`), await describeTree(`${folder}/theirs`));
        }
      });
    });
  }, { limit: 300_000 });
}
