import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { deflateRawSync } from "node:zlib";
import { DataKind, MAX_MESSAGE_BYTES, Packing } from "../../rsync/common/messages.ts";
import { PieceDigest } from "../../rsync/common/piece_digest.ts";
import { ByteWriter } from "../../rsync/common/wire.ts";
import { test } from "../helpers/bounded.ts";
import { exists } from "../helpers/folder.ts";
import { Data, List, withReceiver } from "../helpers/scripted_sender.ts";
import type { Around, Outcome, ReceiverOptions, ScriptedSender } from "../helpers/scripted_sender.ts";
import { Random } from "../helpers/seeded.ts";

const HUGE = Number.MAX_SAFE_INTEGER;
const NEW = 0;
const OLD = 1;
/** Six blocks, the last one shorter. */
const CONTENT = new Random(1).bytes(3000);
const BLOCK = 512;

/** A target that wants a new file of ten bytes, and one of which it has an old copy. */
const TARGET: ReceiverOptions = {
  prepare: ({ dest }) => {
    Deno.writeFileSync(`${dest}/old`, CONTENT);
    Deno.utimeSync(`${dest}/old`, 0, 0);
  },
};

/** Goes on after both files were asked for. */
function playing(play: (sender: ScriptedSender, around: Around) => Promise<void>): Promise<Outcome> {
  return withReceiver(TARGET, async (sender, around) => {
    await sender.list(new List().root().file("new", 10).file("old", CONTENT.length).end());
    await sender.endList();
    await sender.want();
    await play(sender, around);
  });
}

async function digestOf(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const digest = new PieceDigest();
  await digest.update(content);
  return await digest.end();
}

function deflated(length: number, packed: Uint8Array): Uint8Array {
  return new ByteWriter().byte(Packing.DEFLATED).number(length).raw(packed).take();
}

/** Messages of data that must be refused, and what is said of them. */
const REFUSED: Record<string, readonly [() => ByteWriter | Uint8Array, string]> = {
  "a file that was never named": [() => new Data().file(2, CONTENT), "nobody asked for it"],
  "a file of the largest number": [() => new Data().file(HUGE, CONTENT), "nobody asked for it"],
  "the beginning of a file that was never named": [() => new Data().open(7, 10), "nobody asked for it"],
  "the loss of a file that was never named": [() => new Data().gone(7), "nobody asked for it"],
  "a file that was said to be lost": [() => new Data().gone(NEW).file(NEW, CONTENT), "nobody asked for it"],
  "content of no file": [() => new Data().literal(CONTENT), "of no file"],
  "a copy of no file": [() => new Data().copy(0, 1), "of no file"],
  "the end of no file": [() => new Data().close(), "of no file"],
  "a new beginning of no file": [() => new Data().again(), "of no file"],
  "content behind a new beginning": [() => new Data().open(NEW, 10).again().literal(CONTENT), "of no file"],
  "a file amid another": [() => new Data().open(NEW, 10).file(OLD, CONTENT), "amid another one"],
  "a beginning amid another file": [() => new Data().open(NEW, 10).open(OLD, 10), "amid another one"],
  "the end of all amid a file": [() => new Data().open(NEW, 10).literal(new Uint8Array(5)), "amid a file"],
  "more than was said": [() => new Data().open(NEW, 10).literal(new Uint8Array(11)), "longer than it said"],
  "more than nothing": [() => new Data().open(NEW, 0).literal(new Uint8Array(1)), "longer than it said"],
  "more of an old copy than was said": [() => new Data().open(OLD, 511).copy(0, 1), "longer than it said"],
  "less than was said": [
    () => new Data().open(NEW, 10).literal(new Uint8Array(9)).close(),
    "shorter than it said",
  ],
  "nothing of a huge file": [() => new Data().open(NEW, HUGE).close(), "shorter than it said"],
  "a little of a huge file": [
    () => new Data().open(OLD, HUGE).copy(0, 6).copy(0, 6).literal(CONTENT).close(),
    "shorter than it said",
  ],
  "a copy beyond the old copy": [() => new Data().open(OLD, HUGE).copy(0, 7), "there are none"],
  "a copy behind the old copy": [() => new Data().open(OLD, HUGE).copy(6, 1), "there are none"],
  "a copy from the largest block": [() => new Data().open(OLD, HUGE).copy(HUGE, 1), "there are none"],
  "a copy of the largest number of blocks": [
    () => new Data().open(OLD, HUGE).copy(0, HUGE),
    "there are none",
  ],
  "a copy of both": [() => new Data().open(OLD, HUGE).copy(HUGE, HUGE), "there are none"],
  "a copy of no blocks": [() => new Data().open(OLD, HUGE).copy(0, 0), "there are none"],
  "a copy for a file that comes whole": [() => new Data().open(NEW, 10).copy(0, 1), "there are none"],
  "a changed file without a digest": [() => new Data().open(OLD, 512).copy(0, 1).close(), "has no digest"],
  "a digest that is too short": [
    () => new Data().open(OLD, 512).copy(0, 1).close(new Uint8Array(31)),
    "has no digest",
  ],
  "a digest of a whole file": [() => new Data().open(NEW, 0).close(new Uint8Array(32)), "has no digest"],
  "a mode out of range": [() => new Data().file(NEW, CONTENT, 0o10000), "Cannot take a mode"],
  "an answer that nobody asked for": [
    () => new Data().verdict(0, Uint8Array.of(1)),
    "there was no question 0",
  ],
  "a record of kind 0": [() => new Data().byte(0), "record of kind 0"],
  "a record of kind 255": [() => new Data().byte(255), "record of kind 255"],
  "a message that is cut short": [() => new Data().file(NEW, CONTENT).view.slice(0, 100), "cut short"],
  "content longer than its message": [
    () => new Data().byte(DataKind.FILE).number(HUGE),
    "nobody asked for it",
  ],
  "literals longer than their message": [
    () => new Data().open(NEW, HUGE).byte(DataKind.LITERAL).number(HUGE),
    "cut short",
  ],
  "an empty message": [() => new Uint8Array(0), "cut short"],
  "a message that is packed in no known way": [() => Uint8Array.of(2), "record of kind 2"],
  "a bomb": [() => deflated(MAX_MESSAGE_BYTES, deflateRawSync(new Uint8Array(100_000_000))), "Cannot unpack"],
  "a message of the largest length": [() => deflated(HUGE, new Uint8Array(10)), "Cannot take a message of"],
  "a compressed message that is none": [() => deflated(10, CONTENT), "Cannot unpack"],
};

for (const [name, [message, error]] of Object.entries(REFUSED)) {
  test(`receive() refuses ${name}`, async () => {
    const outcome = await playing(async (sender, { dest }) => {
      await sender.data(message());
      await sender.endData();
      const { errors, ended } = await sender.finish();
      assert(!ended);
      assert(errors.some((text) => text.startsWith("fatal") && text.includes(error)), errors.join("\n"));
      assertEquals(Deno.readFileSync(`${dest}/old`), CONTENT, "the old copy is still there");
      assert(!exists(`${dest}/new`));
    });
    assert(!outcome.ended);
  });
}

test("receive() refuses data that are no bytes", async () => {
  for (const item of [null, "text", 7, [0, 1], { a: 1 }]) {
    const { errors } = await playing(async (sender) => {
      await sender.item("data", item);
      await sender.endData();
    });
    assert(errors.some((text) => text.includes("not bytes")), errors.join());
  }
});

test("receive() ends when the data end though files are wanted", async () => {
  const { ended, errors } = await playing((sender) => sender.endData());
  assert(!ended);
  assert(errors.some((text) => text.includes("no more data come")), errors.join());
});

test("receive() asks once more for a file whose digest is wrong, and takes it whole then", async () => {
  await playing(async (sender, { dest }) => {
    const wrong = new Data().open(OLD, 3000).copy(0, 5).literal(new Uint8Array(440)).close(
      new Uint8Array(32),
    );
    await sender.data(new Data().file(NEW, new Uint8Array(10)));
    await sender.data(wrong);
    const want = await sender.want();
    assertEquals([want.byte(), want.number(), want.done], [6, OLD, true], "to come whole");
    assertEquals(Deno.readFileSync(`${dest}/old`), CONTENT, "until then the old copy is there");
    await sender.data(new Data().open(OLD, 4).literal(Uint8Array.of(1, 2, 3, 4)).close());
    const { ended, done, errors } = await sender.finish();
    assertEquals([ended, done.sort(), errors], [true, [NEW, OLD], []]);
    assertEquals([...Deno.readFileSync(`${dest}/old`)], [1, 2, 3, 4]);
  });
});

test("receive() takes nothing of an old copy for a file that it asked for once more", async () => {
  const { errors } = await playing(async (sender) => {
    await sender.data(new Data().open(OLD, 3000).copy(0, 6).close(new Uint8Array(32)));
    await sender.data(new Data().file(NEW, new Uint8Array(10)));
    assertEquals((await sender.want()).byte(), 6);
    await sender.data(new Data().open(OLD, 3000).copy(0, 6).close(await digestOf(CONTENT)));
    await sender.endData();
  });
  assert(errors.some((text) => text.includes("there are none")), errors.join());
});

test("receive() writes nothing when the old copy is what it should be", async () => {
  await playing(async (sender, { dest }) => {
    const { ino } = Deno.statSync(`${dest}/old`);
    await sender.data(new Data().gone(NEW).open(OLD, 3000).copy(0, 6).close(await digestOf(CONTENT)));
    assertEquals(await sender.finish(), { ended: true, done: [OLD], errors: [] });
    assertEquals(Deno.statSync(`${dest}/old`).ino, ino);
  });
});

test("receive() makes a file of an old copy in any order", async () => {
  await playing(async (sender, { dest }) => {
    const block = (i: number): Uint8Array => CONTENT.slice(i * BLOCK, (i + 1) * BLOCK);
    const now = Uint8Array.from([0, 1, 5, 0, 4].flatMap((i) => [...block(i)]).concat(7));
    const data = new Data().gone(NEW).open(OLD, now.length).copy(0, 2).copy(5, 1).copy(0, 1).copy(4, 1);
    await sender.data(data.literal(Uint8Array.of(7)).close(await digestOf(now)));
    assertEquals(await sender.finish(), { ended: true, done: [OLD], errors: [] });
    assertEquals(Deno.readFileSync(`${dest}/old`), now);
  });
});

test("receive() removes what it has written when something is refused behind it", async () => {
  for (const count of [1, 63, 64, 65, 200]) {
    const outcome = await withReceiver({}, async (sender) => {
      const list = new List().root();
      const data = new Data();
      for (let i = 0; i < count; i++) {
        list.file(`f${String(i).padStart(3, "0")}`, 1);
        data.file(i, Uint8Array.of(i));
      }
      await sender.list(list.end());
      await sender.endList();
      await sender.want();
      await sender.data(data.byte(255));
    });
    assert(!outcome.ended);
    assert(outcome.errors.some((text) => text.includes("record of kind 255")));
  }
});

test("receive() keeps what an answer does not let go", async () => {
  const verdicts: readonly (readonly [number[], string[], string])[] = [
    [[1, 0, 1], ["b"], ""],
    [[2, 255, 0], ["a", "b", "c"], ""],
    [[], ["a", "b", "c"], "it is for other names"],
    [[1, 1], ["a", "b", "c"], "it is for other names"],
    [[1, 1, 1, 1], ["a", "b", "c"], "it is for other names"],
  ];
  for (const [verdict, left, error] of verdicts) {
    await withReceiver({
      setup: { delete: true, asks: true },
      prepare: ({ dest }) => ["a", "b", "c"].forEach((name) => Deno.writeTextFileSync(`${dest}/${name}`, "")),
    }, async (sender, { dest }) => {
      await sender.list(new List().root().end());
      const want = await sender.want();
      assertEquals([want.byte(), want.number(), want.text(), want.number()], [5, 0, "", 3]);
      const names = [0, 1, 2].map(() => {
        const name = want.text();
        want.byte();
        return name;
      });
      const inOrder = names.flatMap((name) => verdict["abc".indexOf(name)] ?? []);
      await sender.data(new Data().verdict(0, Uint8Array.from([...inOrder, ...verdict.slice(3)])));
      const { errors } = await sender.finish();
      assertEquals([...Deno.readDirSync(dest)].map(({ name }) => name).sort(), left);
      assert(error === "" ? errors.length === 0 : errors.some((text) => text.includes(error)), errors.join());
    });
  }
});

test("receive() refuses an answer twice", async () => {
  const { errors } = await withReceiver({
    setup: { delete: true, asks: true },
    prepare: ({ dest }) => Deno.writeTextFileSync(`${dest}/a`, ""),
  }, async (sender) => {
    await sender.list(new List().root().end());
    await sender.want();
    await sender.data(new Data().verdict(0, Uint8Array.of(0)).verdict(0, Uint8Array.of(1)));
  });
  assert(errors.some((text) => text.includes("there was no question 0")), errors.join());
});

test("receive() ends when the data end though an answer is awaited", async () => {
  const { ended, errors } = await withReceiver({
    setup: { delete: true, asks: true },
    prepare: ({ dest }) => {
      Deno.mkdirSync(`${dest}/a`);
      Deno.writeTextFileSync(`${dest}/a/b`, "");
    },
  }, async (sender, { dest }) => {
    await sender.list(new List().root().end());
    await sender.want();
    await sender.endData();
    await sender.finish();
    assert(exists(`${dest}/a/b`));
  });
  assert(!ended);
  assert(errors.some((text) => text.includes("no more data come")), errors.join());
});

test("receive() tells what it refused first, though the list goes on", async () => {
  const { errors } = await withReceiver({}, async (sender) => {
    await sender.list(new List().root().file("a", 1));
    await sender.want();
    await sender.data(new Data().byte(255));
    await assertRejects(() => sender.want());
    await sender.list(new List().file("b", 1).end());
  });
  assertEquals(errors.filter((text) => text.startsWith("fatal")).length, 1);
  assert(errors.every((text) => text.includes("record of kind 255")), errors.join("\n"));
});
