/**
 * Faults on either side, at every step, with every kind of gateway: each ends in a named error in time, other gateways go
 * on, and nothing is left. The cells are generated (`axes.ts`); some are run here, all with `EXECNET_FAULTS=all`, which
 * prints the matrix, and those whose names hold certain words with these: `EXECNET_FAULTS="kill far"`.
 */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { withFolder } from "../helpers/folder.ts";
import { Random } from "../helpers/seeded.ts";
import { SharedServer } from "../helpers/socket_server.ts";
import { CLOCK, clockLibrary } from "../parts/clock.ts";
import { Keeper } from "../parts/keeper.ts";
import { notRoot, part, shared, testWith } from "../parts/need.ts";
import { run } from "../parts/run.ts";
import { SSHD } from "../parts/sshd.ts";
import { SshWithMaster } from "../parts/ssh_master.ts";
import { AXES, CELLS, choose, COMBINATIONS, exclusionOf, nameOf } from "./axes.ts";
import type { Cell } from "./axes.ts";
import { exclusionsText, matrixText } from "./matrix.ts";
import type { Place } from "./stage.ts";
import { batches, supervise } from "./supervise.ts";
import type { Verdict } from "./supervise.ts";

const WANTED = Deno.env.get("EXECNET_FAULTS");
const SEED = Number(Deno.env.get("EXECNET_TEST_SEED") ?? 8);
/** What a run of all tests has time for. */
const CHOSEN = 24;
/** Programs at a time: as many as the machine has processors to spare. */
const AT_ONCE = WANTED === undefined ? 2 : 4;
const BATCH = 16;

const MOUNT = part("mount", () => notRoot());
const PARTS = [SSHD, MOUNT, CLOCK] as const;

function wanted(): Cell[] {
  if (WANTED === undefined) return choose(CELLS, CHOSEN, new Random(SEED));
  if (WANTED === "all") return [...CELLS];
  const words = WANTED.split(" ");
  return CELLS.filter((cell) => words.every((word) => nameOf(cell).split(/[ \[\]]/).includes(word)));
}

const ssh = shared(PARTS, () => SshWithMaster.start());
const server = new SharedServer();
Deno.test.afterAll(() => server.stop());

Deno.test("every value of every axis has cells, and the choice leaves none out", () => {
  const chosen = choose(CELLS, CHOSEN, new Random(SEED));
  for (const [axis, values] of Object.entries(AXES)) {
    for (const value of values) {
      const has = (cell: Cell): boolean => cell[axis as keyof Cell] === value;
      assert(CELLS.some(has), `${axis} ${value}`);
      assert(chosen.some(has), `${axis} ${value} is not chosen`);
    }
  }
  assertEquals(new Set(chosen.map(nameOf)).size, CHOSEN);
  const excluded = COMBINATIONS.filter((cell) => exclusionOf(cell) !== undefined).length;
  assertEquals(CELLS.length + excluded, COMBINATIONS.length);
});

testWith(
  PARTS,
  `faults end in named errors in time, and nothing is left (EXECNET_TEST_SEED=${SEED})`,
  () =>
    withFolder(async (folder) => {
      const cells = wanted();
      const left = batches(cells, BATCH);
      const verdicts: Verdict[] = [];
      const worker = async (number: number): Promise<void> => {
        await withPlace(`${folder}/${number}`, async (makePlace) => {
          for (let batch = left.shift(); batch !== undefined; batch = left.shift()) {
            const some = await supervise(batch, await makePlace());
            verdicts.push(...some);
            if (WANTED !== undefined) { for (const one of some) console.log(lineOf(one)); }
          }
        });
      };
      await Promise.all(Array.from({ length: AT_ONCE }, (_, number) => worker(number)));
      if (WANTED !== undefined) {
        console.log(`${exclusionsText()}\n\n${cells.length} cells:\n\n${matrixText(verdicts)}`);
      }
      assertEquals(verdicts.filter(({ wrong }) => wrong.length > 0).map(lineOf), []);
      assertEquals(verdicts.map(({ cell }) => nameOf(cell)).sort(), cells.map(nameOf).sort());
    }),
  { limit: WANTED === undefined ? 240_000 : 5_400_000 },
);

function lineOf({ cell, how, ms, wrong }: Verdict): string {
  return `${nameOf(cell)}: ${how} (${ms} ms)${wrong.map((one) => `\n    WRONG ${one}`).join("")}`;
}

/** Gives the surroundings of programs that run one after the other: each has a folder of its own, and all have a small disk. */
async function withPlace(folder: string, fn: (next: () => Promise<Place>) => Promise<void>): Promise<void> {
  const disk = `${folder}/disk`;
  const clock = { library: clockLibrary()!, file: `${folder}/clock` };
  Deno.mkdirSync(disk, { recursive: true });
  await Deno.writeTextFile(clock.file, "+0");
  // What is mounted goes, too, when this program is killed.
  const keeper = new Keeper("disk");
  await keeper.undo(`umount -l '${disk}' 2>/dev/null || :`);
  await run(["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=200", "none", disk]);
  try {
    let number = 0;
    await fn(async () => {
      const own = `${folder}/${number++}`;
      Deno.mkdirSync(own);
      const { pid, port, tokenFile } = await server.get();
      const { config, sshd } = ssh();
      return {
        folder: own,
        disk,
        clock,
        ssh: { config, host: sshd.host() },
        server: { pid, port, tokenFile },
      };
    });
    assertEquals([...Deno.readDirSync(disk)].map(({ name }) => name), [], "left on the disk");
  } finally {
    await keeper.end();
  }
}
