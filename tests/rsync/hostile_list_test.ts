import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import type { ByteWriter } from "../../rsync/common/wire.ts";
import { test } from "../helpers/bounded.ts";
import { exists } from "../helpers/folder.ts";
import { Data, List, withReceiver } from "../helpers/scripted_sender.ts";
import type { Around, ReceiverOptions, ScriptedSender } from "../helpers/scripted_sender.ts";

const HUGE = Number.MAX_SAFE_INTEGER;

/** What a sender may not do, and what is said of it. */
interface Case extends ReceiverOptions {
  readonly name: string;
  readonly play: (sender: ScriptedSender, around: Around) => Promise<void>;
  readonly error: string;
  /** Looks at what became of the target. */
  readonly check?: (around: Around) => void;
}

/** Lists that must be refused. */
function refused(name: string, list: () => ByteWriter, error: string): Case {
  return { name, play: (sender) => sender.list(list()), error };
}

const BAD_NAMES = ["", ".", "..", "/", "/etc", "a/b", "../secret", "a\0b", "\0", "folder/../../secret", "a/"];
const OURS = ".execnet-rsync-0-0";

const CASES: readonly Case[] = [
  ...BAD_NAMES.flatMap((name) => [
    refused(
      `a file named ${JSON.stringify(name)}`,
      () => new List().root().file(name, 1),
      "Cannot take an entry named",
    ),
    refused(
      `a folder named ${JSON.stringify(name)}`,
      () => new List().root().sub(name),
      "Cannot take an entry named",
    ),
    refused(
      `a link named ${JSON.stringify(name)}`,
      () => new List().root().link(name, "x"),
      "Cannot take an entry named",
    ),
    refused(
      `keeping ${JSON.stringify(name)}`,
      () => new List().root().keep(name),
      "Cannot take an entry named",
    ),
  ]),
  refused("a file of a name of ours", () => new List().root().file(OURS, 1), "that is a name of ours"),
  refused("a folder of a name of ours", () => new List().root().sub(OURS), "that is a name of ours"),
  refused("a link of a name of ours", () => new List().root().link(OURS, "x"), "that is a name of ours"),
  refused("a name twice", () => new List().root().file("a", 1).file("a", 1), "out of order"),
  refused(
    "a link, and a folder of its name",
    () => new List().root().link("a", "..").sub("a"),
    "out of order",
  ),
  refused(
    "a folder, and a link of its name",
    () => new List().root().sub("a").link("a", ".."),
    "out of order",
  ),
  refused("a name to be kept, and then sent", () => new List().root().keep("a").file("a", 1), "out of order"),
  refused("names out of order", () => new List().root().file("b", 1).file("a", 1), "out of order"),
  refused(
    "a name that is not UTF-8",
    () => new List().root().byte(5).bytes(Uint8Array.of(0xff)),
    "not UTF-8",
  ),
  refused("a file before the root", () => new List().file("a", 1), "of no folder"),
  refused("a folder before the root", () => new List().folder(0), "Cannot take the entries of folder 0"),
  refused("an end before the root", () => new List().end(), "of no folder"),
  refused("two roots", () => new List().root().end().root(), "second root"),
  refused("two roots, the first with its entries under way", () => new List().root().root(), "second root"),
  refused("a root that is a file", () => new List().byte(2), "root of the other kind"),
  refused("a folder that was never named", () => new List().root().end().folder(1), "entries of folder 1"),
  refused("a folder of the largest number", () => new List().root().end().folder(HUGE), "entries of folder"),
  refused("a folder's entries twice", () => new List().root().end().folder(0), "entries of folder 0"),
  refused(
    "a folder's entries amid those of another",
    () => new List().root().sub("a").folder(1),
    "Cannot take the entries of folder 1",
  ),
  refused(
    "an entry behind the end of its folder",
    () => new List().root().end().file("a", 1),
    "of no folder",
  ),
  refused("a folder without its end", () => new List().root().file("a", 0), "no more data come"),
  refused("no end at all", () => new List().root(), "entries are missing"),
  refused(
    "a folder whose entries do not come",
    () => new List().root().sub("a").end(),
    "entries are missing",
  ),
  refused("a mode out of range", () => new List().root().file("a", 1, 0o10000), "Cannot take a mode"),
  refused("the largest mode", () => new List().root().sub("a", HUGE), "Cannot take a mode"),
  refused("a link to nothing", () => new List().root().link("a", ""), "a link to nowhere"),
  refused("a link to NUL", () => new List().root().link("a", "a\0b"), "a link to nowhere"),
  refused("a record of kind 0", () => new List().root().byte(0), "record of kind 0"),
  refused("a record of kind 255", () => new List().byte(255), "record of kind 255"),
  refused("a list that is cut short", () => new List().root().byte(5), "cut short"),
  refused("a name longer than its message", () => new List().root().byte(5).number(HUGE), "cut short"),
  refused(
    "a number that is too large",
    () => new List().byte(3).raw(new Uint8Array(9).fill(255)),
    "too large",
  ),
  ...[null, "text", 7, [1, 2], {}].map((item): Case => ({
    name: `${JSON.stringify(item)} for a list`,
    play: (sender) => sender.item("list", item),
    error: "it is not bytes",
  })),
  {
    name: "a link out of the target, and a file below it",
    play: async (sender, { around }) => {
      await sender.list(new List().root().link("a", `${around}/folder`).file("a/secret", 1));
    },
    error: 'named "a/secret"',
  },
  {
    name: "a link out of the target, and its entries",
    play: (sender, { around }) =>
      sender.list(new List().root().link("a", `${around}/folder`).end().folder(1)),
    error: "entries of folder 1",
  },
  {
    name: "a root that is there and is a file",
    prepare: ({ dest }) => {
      Deno.removeSync(dest);
      Deno.writeTextFileSync(dest, "old");
    },
    play: (sender) => sender.list(new List().root().end()),
    error: "is no folder",
    check: ({ dest }) => assertEquals(Deno.readTextFileSync(dest), "old"),
  },
];

for (const { name, play, error, check, ...options } of CASES) {
  test(`receive() refuses ${name}`, async () => {
    const outcome = await withReceiver(options, async (sender, around) => {
      await play(sender, around);
      await sender.endList();
      await sender.endData();
      check?.(around);
    });
    assert(!outcome.ended);
    assert(
      outcome.errors.some((text) => text.startsWith("fatal") && text.includes(error)),
      outcome.errors.join("\n"),
    );
  });
}

test("receive() puts a folder in the place of a link that leads out of the target", async () => {
  const outcome = await withReceiver({
    prepare: ({ around, dest }) => Deno.symlinkSync(`${around}/folder`, `${dest}/a`),
  }, async (sender, { dest }) => {
    await sender.list(new List().root().sub("a").end().folder(1).file("secret", 3).end());
    await sender.endList();
    await sender.want();
    await sender.data(new Data().file(0, new Uint8Array(3)));
    assertEquals((await sender.finish()).errors, []);
    assert(Deno.lstatSync(`${dest}/a`).isDirectory);
    assertEquals(Deno.readFileSync(`${dest}/a/secret`), new Uint8Array(3));
  });
  assertEquals(outcome.errors, []);
});

test("receive() puts a file in the place of a link that leads out of the target", async () => {
  await withReceiver({
    prepare: ({ around, dest }) => Deno.symlinkSync(`${around}/secret`, `${dest}/a`),
  }, async (sender, { dest }) => {
    await sender.list(new List().root().file("a", 6).end());
    await sender.endList();
    const want = await sender.want();
    assertEquals([want.byte(), want.number(), want.done], [1, 0, true], "it comes whole");
    await sender.data(new Data().file(0, new Uint8Array(6)));
    assertEquals(await sender.finish(), { ended: true, done: [0], errors: [] });
    assert(Deno.lstatSync(`${dest}/a`).isFile);
  });
});

test("receive() removes links that lead out of the target, and not what they lead to", async () => {
  await withReceiver({
    setup: { delete: true },
    prepare: ({ around, dest }) => {
      Deno.mkdirSync(`${dest}/a`);
      Deno.symlinkSync(`${around}/folder`, `${dest}/a/link`);
      Deno.symlinkSync(`${around}/folder`, `${dest}/link`);
      Deno.symlinkSync(`${around}/secret`, `${dest}/file`);
    },
  }, async (sender, { dest }) => {
    await sender.list(new List().root().end());
    assertEquals(await sender.finish(), { ended: true, done: [], errors: [] });
    assertEquals([...Deno.readDirSync(dest)], []);
  });
});

test("receive() lets nothing follow the one file that a source is", async () => {
  const lists: Record<string, (around: Around) => List> = {
    "its end": () => new List().byte(2).file("a", 3).end(),
    "another file": () => new List().byte(2).file("a", 3).file("b", 3),
    "a link in its place": ({ around }) => new List().byte(2).file("a", 3).link("b", `${around}/secret`),
    "a folder in its place": () => new List().byte(2).file("a", 3).sub("b"),
    "a root": () => new List().byte(2).file("a", 3).root(),
  };
  for (const [name, list] of Object.entries(lists)) {
    const outcome = await withReceiver({
      setup: { single: true },
      dest: "dest/file",
      prepare: ({ dest }) => Deno.writeTextFileSync(dest, "old"),
    }, async (sender, around) => {
      await sender.list(list(around));
      await sender.endList();
      await sender.want().catch(() => {});
    });
    assert(
      outcome.errors.some((text) => text.includes("the source is one file")),
      `${name}: ${outcome.errors}`,
    );
  }
});

test("receive() refuses entries in place of the one file that a source is", async () => {
  const lists: Record<string, (around: Around) => List> = {
    "a link": ({ around }) => new List().byte(2).link("a", around),
    "a folder": () => new List().byte(2).sub("a"),
    "the root of a folder": () => new List().root(),
  };
  for (const [name, list] of Object.entries(lists)) {
    const outcome = await withReceiver(
      { setup: { single: true }, dest: "dest/file" },
      async (sender, around) => {
        await sender.list(list(around));
        await sender.endList();
        await sender.endData();
        assert(!exists(around.dest), name);
      },
    );
    assert(outcome.errors.some((text) => text.startsWith("fatal")), `${name}: ${outcome.errors}`);
  }
});

test("receive() leaves the folder alone that the one file is in", async () => {
  await withReceiver({ setup: { single: true }, dest: "dest/file" }, async (sender, { dest }) => {
    await sender.list(new List().byte(2).file("a", 3));
    await sender.endList();
    await sender.want();
    await sender.data(new Data().file(0, new Uint8Array(3)));
    assertEquals(await sender.finish(), { ended: true, done: [0], errors: [] });
    assertEquals(Deno.readFileSync(dest), new Uint8Array(3));
  });
});

test("receive() ends with an error when the setup is none", async () => {
  const setups: readonly ReceiverOptions["setup"][] = [{ data: null }, { data: 7 }, { dest: 5 }, {
    dest: null,
  }];
  for (const setup of setups) {
    const outcome = await withReceiver({ setup: setup! }, (sender) => sender.list(new List().root().end()));
    assert(outcome.errors.length > 0 && !outcome.ended, JSON.stringify([setup, outcome]));
  }
});
