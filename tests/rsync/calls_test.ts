/** How often the target asks the file system: counts, which no load of the machine changes. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { Data, List, withReceiver } from "../helpers/scripted_sender.ts";
import type { ScriptedSender } from "../helpers/scripted_sender.ts";
import { setTime } from "../helpers/tree.ts";

const FILES = 50;
const FOLDERS = 3;
/** The time that the list tells of everything. */
const LISTED_MS = 1_500_000_000_000;

/** The calls that a copy may make. */
const CALLS = [
  "chmodSync",
  "lstatSync",
  "mkdirSync",
  "openSync",
  "readDirSync",
  "readLinkSync",
  "removeSync",
  "renameSync",
  "statSync",
  "symlinkSync",
  "utimeSync",
] as const;

/** Counts the calls while `body` runs. */
async function counting(body: () => Promise<void>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const deno = Deno as unknown as Record<string, (...args: unknown[]) => unknown>;
  const originals = CALLS.map((name) => [name, deno[name]!] as const);
  for (const [name, call] of originals) {
    deno[name] = (...args) => {
      counts[name] = (counts[name] ?? 0) + 1;
      return call(...args);
    };
  }
  try {
    await body();
  } finally {
    for (const [name, call] of originals) deno[name] = call;
  }
  return counts;
}

const name = (i: number): string => `f${String(i).padStart(3, "0")}`;

/** A list of folders with files of one byte. */
function list(): List {
  const tree = new List().root();
  for (let folder = 0; folder < FOLDERS; folder++) tree.sub(`d${folder}`);
  tree.end();
  for (let folder = 0; folder < FOLDERS; folder++) {
    tree.folder(folder + 1);
    for (let i = 0; i < FILES; i++) tree.file(name(i), 1);
    tree.end();
  }
  return tree;
}

/** Has the target make what the list tells. */
async function fill(sender: ScriptedSender): Promise<void> {
  const data = new Data();
  for (let i = 0; i < FOLDERS * FILES; i++) data.file(i, Uint8Array.of(7));
  await sender.data(data);
}

test("receive() asks for one stat of a file that is the same, and reads each folder once", async () => {
  let counts: Record<string, number> = {};
  await withReceiver({
    prepare: ({ dest }) => {
      for (let folder = 0; folder < FOLDERS; folder++) {
        Deno.mkdirSync(`${dest}/d${folder}`);
        for (let i = 0; i < FILES; i++) {
          Deno.writeFileSync(`${dest}/d${folder}/${name(i)}`, Uint8Array.of(7), { mode: 0o644 });
          Deno.chmodSync(`${dest}/d${folder}/${name(i)}`, 0o644);
          setTime(`${dest}/d${folder}/${name(i)}`, LISTED_MS);
        }
        Deno.chmodSync(`${dest}/d${folder}`, 0o755);
        setTime(`${dest}/d${folder}`, LISTED_MS);
      }
      Deno.chmodSync(dest, 0o755);
      setTime(dest, LISTED_MS);
    },
  }, async (sender) => {
    counts = await counting(async () => {
      await sender.list(list());
      assertEquals(await sender.finish(), { ended: true, done: [], errors: [] });
    });
  });
  // A folder is looked at when it is found, and before it is gone into.
  assertEquals(counts, { lstatSync: FOLDERS * FILES + 2 * FOLDERS, readDirSync: FOLDERS + 1, statSync: 1 });
});

test("receive() asks for no stat of a file in a folder that it has just made", async () => {
  let counts: Record<string, number> = {};
  await withReceiver({}, async (sender) => {
    counts = await counting(async () => {
      await sender.list(list());
      await sender.endList();
      await sender.want();
      await fill(sender);
      assertEquals((await sender.finish()).done.length, FOLDERS * FILES);
    });
  });
  const all = FOLDERS * FILES;
  assertEquals(counts, {
    chmodSync: all + FOLDERS + 1,
    lstatSync: FOLDERS,
    mkdirSync: FOLDERS,
    openSync: all,
    readDirSync: 1,
    renameSync: all,
    statSync: 1,
    utimeSync: FOLDERS + 1,
  });
});

test("receive() flushes what takes the place of an old file before it is renamed", async () => {
  const calls: string[] = [];
  const { sync } = Deno.FsFile.prototype;
  const { renameSync } = Deno;
  Deno.FsFile.prototype.sync = async function (): Promise<void> {
    await sync.call(this);
    calls.push("flushed");
  };
  Deno.renameSync = (from, to) => {
    calls.push("renamed");
    renameSync(from, to);
  };
  try {
    await withReceiver(
      { prepare: ({ dest }) => Deno.writeTextFileSync(`${dest}/a`, "old one") },
      async (sender) => {
        await sender.list(new List().root().file("a", 1).end());
        await sender.endList();
        await sender.want();
        await sender.data(new Data().file(0, Uint8Array.of(7)));
        assertEquals((await sender.finish()).done, [0]);
      },
    );
  } finally {
    Deno.FsFile.prototype.sync = sync;
    Deno.renameSync = renameSync;
  }
  assertEquals(calls, ["flushed", "renamed"]);
});
