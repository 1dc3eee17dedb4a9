import { DataKind, ListKind, WantKind } from "../../rsync/common/messages.ts";
import { SUM_BYTES } from "../../rsync/common/blocks.ts";
import type { ByteReader, ByteWriter } from "../../rsync/common/wire.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { Data, List, runReceiver, withTarget } from "../helpers/scripted_sender.ts";
import type { Around, ScriptedSender } from "../helpers/scripted_sender.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import type { Random } from "../helpers/seeded.ts";

/** Targets, and runs that each of them has to bear. */
const TARGETS = 7;
const RUNS = 40;
const RANDOM_RUNS = 100;
/** How many records are what they should not be. */
const WRONG = 0.005;

const NAMES = ["a", "..", ".", "", "a/b", "/etc", "z\0", ".execnet-rsync-1", "../secret"];
const LINKED = ["a", "..", "../folder", "../secret", "/etc/hostname", "."];

/** A number that is likely to mean something, or to hurt. */
function number(random: Random): number {
  return random.pick([0, 0, 1, 1, 2, 3, 6, 100, 512, 3000, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]);
}

function bytes(random: Random): Uint8Array<ArrayBuffer> {
  return random.bytes(random.pick([0, 1, 3, 32, 512]));
}

/** A list that mostly could be one. */
function makeList(random: Random): List[] {
  const lists = [new List().root().end()];
  let folders = 1;
  for (let id = 0; id < Math.min(folders, 5); id++) {
    const list = id === 0 ? new List().root() : new List().folder(id);
    for (let i = 0; i < 10; i++) {
      if (random.chance(WRONG)) wrongRecord(list, random);
      const name = `n${i}`;
      const kind = random.next();
      if (kind < 0.4) list.file(name, random.pick([0, 3, 512, 3000]), random.pick([0, 0o644, 0o7777]));
      else if (kind < 0.5) list.link(name, random.pick(LINKED), random.chance(0.5));
      else if (kind < 0.55) list.keep(name);
      else if (kind < 0.75) list.sub(name, random.pick([0, 0o755, 0o7777])), folders++;
    }
    lists[id] = list.end();
  }
  for (let id = 5; id < folders; id++) lists.push(new List().folder(id).end());
  return lists;
}

function wrongRecord(list: List, random: Random): void {
  const name = random.pick(NAMES);
  random.pick<() => unknown>([
    () => list.file(name, number(random), number(random)),
    () => list.sub(name, number(random)),
    () => list.link(name, random.pick(["", ...LINKED]), random.chance(0.5)),
    () => list.keep(name),
    () => list.end(),
    () => list.folder(number(random)),
    () => list.byte(random.below(256)),
    () => list.byte(random.pick(Object.values(ListKind))).raw(bytes(random)),
  ])();
}

/** Data that mostly could be of a file that was asked for. */
function makeData(data: Data, { kind, index }: Asked, random: Random): void {
  if (random.chance(WRONG)) wrongData(data, random);
  if (kind === WantKind.ASK) return void data.verdict(index, bytes(random));
  const content = bytes(random);
  const old = kind === WantKind.DELTA;
  const digest = new Uint8Array(old ? 32 : 0);
  random.pick<() => unknown>([
    () => data.file(index, content),
    () => data.file(index, content),
    () => data.gone(index),
    () => data.open(index, content.length).literal(content).close(digest),
    () => data.open(index, content.length).literal(content).again().gone(index),
    () => old ? data.open(index, 1024).copy(1, 1).copy(0, 1).close(digest) : data.file(index, content),
  ])();
}

function wrongData(data: Data, random: Random): void {
  random.pick<() => unknown>([
    () => data.file(number(random), bytes(random)),
    () => data.open(random.below(6), number(random)),
    () => data.literal(bytes(random)),
    () => data.copy(number(random), number(random)),
    () => data.close(bytes(random)),
    () => data.again(),
    () => data.gone(number(random)),
    () => data.verdict(number(random), bytes(random)),
    () => data.byte(random.below(256)),
    () => data.byte(random.pick(Object.values(DataKind))).raw(bytes(random)),
  ])();
}

/** A message, now and then with a few bytes of it changed, or cut short. */
function spoiled(message: ByteWriter, random: Random): Uint8Array {
  const all = message.take();
  if (random.chance(0.03)) all[random.below(all.length)] = random.below(256);
  return random.chance(0.02) ? all.slice(0, random.below(all.length)) : all;
}

/** A want that waits for something: a file, or an answer. */
interface Asked {
  readonly kind: number;
  readonly index: number;
}

function askedIn(reader: ByteReader): Asked[] {
  const asked: Asked[] = [];
  while (!reader.done) {
    const kind = reader.byte();
    const index = reader.number();
    if (kind === WantKind.SUMS) reader.raw(index * SUM_BYTES);
    else if (kind === WantKind.ASK) reader.rest();
    else if (kind === WantKind.DELTA || kind === WantKind.SAME) reader.number();
    if (kind !== WantKind.SUMS && kind !== WantKind.SAME) asked.push({ kind, index });
  }
  return asked;
}

async function misbehave(sender: ScriptedSender, random: Random): Promise<void> {
  for (const list of makeList(random)) await sender.list(spoiled(list, random));
  if (random.chance(0.8)) await sender.endList();
  for (let turns = 0; turns < 10; turns++) {
    const want = watch(sender.want());
    // Nothing may come, where what was sent does not bring it about.
    for (let i = 0; i < 5 && want.state === "pending"; i++) await settle();
    if (want.value === undefined) break;
    const data = new Data();
    for (const asked of askedIn(want.value)) makeData(data, asked, random);
    await sender.data(spoiled(data, random));
  }
  await sender.endList();
  await sender.endData();
}

/** A target with something in it, which is used again and again. */
async function bearing(
  runs: number,
  random: Random,
  play: (around: Around) => Promise<unknown>,
): Promise<void> {
  const prepare = ({ around, dest }: Around): void => {
    for (const name of ["a", "n0", "n1", "n2"]) Deno.writeFileSync(`${dest}/${name}`, random.bytes(3000));
    Deno.symlinkSync(`${around}/folder`, `${dest}/n3`);
    Deno.symlinkSync(`${around}/secret`, `${dest}/n4`);
    Deno.mkdirSync(`${dest}/n5`);
    Deno.writeFileSync(`${dest}/n5/n0`, random.bytes(3000));
  };
  await withTarget({ prepare }, async (around) => {
    for (let i = 0; i < runs; i++) await play(around);
  });
}

test("receive() ends, and stays within its target, when the list and the data are hardly right", async () => {
  await forSeeds(seeds(TARGETS), (random) =>
    bearing(RUNS, random, (around) => {
      const flag = (share: number): boolean => random.chance(share);
      const setup = { delete: flag(0.3), asks: flag(0.3), dryRun: flag(0.1), checksum: flag(0.3) };
      return runReceiver(around, setup, (sender) => misbehave(sender, random));
    }));
}, 60_000);

test("receive() ends, and stays within its target, when the list and the data are random bytes", async () => {
  await forSeeds(
    seeds(TARGETS, 1000),
    (random) =>
      bearing(
        RANDOM_RUNS,
        random,
        (around) =>
          runReceiver(around, { delete: random.chance(0.5) }, async (sender) => {
            await sender.list(
              new List().root().file("a", 3000).raw(random.chance(0.5) ? bytes(random) : new Uint8Array(0)),
            );
            await sender.data(random.chance(0.5) ? bytes(random) : new Data().raw(bytes(random)));
            await sender.list(bytes(random));
            await sender.endList();
            await sender.endData();
          }),
      ),
  );
}, 60_000);
