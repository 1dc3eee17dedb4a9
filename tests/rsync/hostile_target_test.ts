import { assert, assertEquals, assertStrictEquals } from "jsr:@std/assert@^1.0.19";
import type { Channel } from "../../channel/channel.ts";
import { MAX_DELTA_BYTES } from "../../rsync/common/blocks.ts";
import type { Setup } from "../../rsync/common/messages.ts";
import type { ByteWriter } from "../../rsync/common/wire.ts";
import { receiveAll } from "../../rsync/far/receive.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { keepingInside } from "../helpers/keeping_inside.ts";
import { copyTo, News, playing, Want } from "../helpers/scripted_target.ts";
import type { CopyOptions, RunTarget, ScriptedTarget, TargetScript } from "../helpers/scripted_target.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import type { Random } from "../helpers/seeded.ts";
import { describeTree } from "../helpers/tree.ts";

const HUGE = Number.MAX_SAFE_INTEGER;
const FILES = 4;

/** Makes a source of four files, `f0` to `f3`, beside a secret. */
async function withSource(body: (root: string, folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const root = `${folder}/source`;
    Deno.mkdirSync(root);
    Deno.writeTextFileSync(`${folder}/secret`, "secret");
    for (const [i, size] of [10, 3000, 100_000, 0].entries()) {
      Deno.writeFileSync(`${root}/f${i}`, new Uint8Array(size).map((_, at) => at * i));
    }
    await body(root, folder);
  });
}

/** Copies to one target, which must read nothing but the source. */
async function copyToOne(script: TargetScript, options: CopyOptions = {}): Promise<RunTarget> {
  let ran: RunTarget | undefined;
  await withSource(async (root) => {
    const left = await keepingInside([root], async () => {
      [ran] = await copyTo(root, [script], options);
    });
    assertEquals(left, [], "what was opened outside of the source");
  });
  return ran!;
}

/** Wants that must be refused, and what is said of them. */
const WANTS: Record<string, readonly [() => ByteWriter | Uint8Array, string]> = {
  "a file that was never offered": [() => new Want().whole(FILES), "Cannot give file 4"],
  "a file of the largest number": [() => new Want().whole(HUGE), "Cannot give file"],
  "a file twice": [() => new Want().whole(0).whole(0), "Cannot give file 0: file 1 of 4 is the next"],
  "files out of order": [() => new Want().whole(1), "Cannot give file 1: file 0 of 4 is the next"],
  "changes of a file out of order": [() => new Want().delta(2, 100), "Cannot give file 2"],
  "more files the same than were offered": [() => new Want().same(5, 0), "Cannot pass over 5 files"],
  "the largest number of files the same": [() => new Want().same(HUGE, 0), "Cannot pass over"],
  "more bytes the same than were offered": [() => new Want().same(4, HUGE), "there are not so many"],
  "a file that was said to be the same": [() => new Want().same(4, 0).whole(3), "Cannot give file 3"],
  "an old copy of no bytes": [() => new Want().delta(0, 0), "an old file of 0 bytes"],
  "an old copy that is too large": [() => new Want().delta(0, MAX_DELTA_BYTES + 1), "Cannot take the hashes"],
  "an old copy of the largest size": [
    () => new Want().delta(0, HUGE),
    "Cannot take the hashes of an old file",
  ],
  "too many hashes": [() => new Want().delta(0, 1000).sums(3), "there are too many"],
  "too many hashes, bit by bit": [() => new Want().delta(0, 1000).sums(1).sums(2), "there are too many"],
  "the largest number of hashes": [
    () => new Want().delta(0, 1000).sums(HUGE, new Uint8Array(24)),
    "cut short",
  ],
  "too few hashes": [() => new Want().delta(0, 1000).sums(1).whole(1), "some are missing"],
  "hashes of nothing": [() => new Want().sums(1), "record of kind 3"],
  "a file anew that was never sent": [() => new Want().redo(0), "it is not under way"],
  "a file anew that was never offered": [() => new Want().redo(HUGE), "it is not under way"],
  "a file a third time": [() => new Want().whole(0).redo(0).redo(0), "Cannot send file 0 a third time"],
  "an answer without a filter": [() => new Want().ask(0, "", ["a"]), "Cannot say what may go"],
  "a record of kind 0": [() => new Want().byte(0), "record of kind 0"],
  "a record of kind 255": [() => new Want().byte(255), "record of kind 255"],
  "a number that is too large": [() => new Want().byte(1).raw(new Uint8Array(9).fill(255)), "too large"],
  "wants that are cut short": [() => new Want().byte(1), "cut short"],
};

/** News that must be refused, and what is said of them. */
const NEWS: Record<string, readonly [() => ByteWriter | Uint8Array, string]> = {
  "a file done that was never offered": [
    () => new News().done(99),
    "Cannot count file 99: it is not under way",
  ],
  "a file done that was not sent": [() => new News().done(0), "Cannot count file 0: it is not under way"],
  "a file done of the largest number": [() => new News().done(HUGE), "it is not under way"],
  "a file failed that was not sent": [() => new News().failed(1, "x"), "it is not under way"],
  "the end of all before anything": [() => new News().end(), "Only 0 of 4 files were dealt with"],
  "a kind of trouble that is not known": [() => new News().problem("a", "x", 9), "record of kind 9"],
  "a text that is too long": [() => new News().problem("a", "x".repeat(5000)), "a text of 5000 characters"],
  "a path that is too long": [
    () => new News().problem("x".repeat(100_000), "x"),
    "a text of 100000 characters",
  ],
  "a last text that is too long": [() => new News().fatal("x".repeat(5000)), "a text of 5000 characters"],
  "a text that is not UTF-8": [() => new News().byte(6).byte(0).bytes(Uint8Array.of(255)), "not UTF-8"],
  "a record of kind 0": [() => new News().byte(0), "record of kind 0"],
  "a record of kind 255": [() => new News().byte(255), "record of kind 255"],
  "news that are cut short": [() => new News().byte(1), "cut short"],
  "what went wrong": [() => new News().fatal("the disk is full"), "the disk is full"],
};

for (const [where, refused] of [["want", WANTS], ["news", NEWS]] as const) {
  for (const [name, [message, error]] of Object.entries(refused)) {
    test(`Target.run() ends with an error when ${where === "want" ? "the wants are" : "the news are"} ${name}`, async () => {
      const ran = await copyToOne(playing(async (target) => {
        await target[where](message());
        if (name.startsWith("the end")) await target.endWants();
      }));
      assert(ran.errors.includes(error), ran.errors);
      assert(!ran.target.complete && !ran.target.alive);
      assertEquals([ran.rejected, ran.kills], [undefined, 0]);
    });
  }
}

test("Target.run() ends with an error when what comes is no bytes", async () => {
  for (const where of ["want", "news"] as const) {
    for (const item of [null, "text", 7, [1], { a: 1 }]) {
      const ran = await copyToOne(playing((target) => target.item(where, item)));
      assert(ran.errors.includes("not bytes"), ran.errors);
    }
  }
});

test("Target.run() ends with an error when wants end amid the hashes of a file", async () => {
  const ran = await copyToOne(playing(async (target) => {
    await target.want(new Want().delta(0, 1000).sums(1));
    await target.endWants();
  }));
  assert(ran.errors.includes("some are missing"), ran.errors);
});

test("Target.run() ends with an error when a file is done twice", async () => {
  const ran = await copyToOne(playing(async (target) => {
    await target.want(new Want().whole(0));
    await target.data();
    await target.news(new News().done(0).done(0));
  }));
  assert(ran.errors.includes("Cannot count file 0: it is not under way"), ran.errors);
});

test("Target.run() ends with an error when a target ends before it has said so", async () => {
  const endsWants = async (main: Channel): Promise<void> => {
    const { data } = await main.receive() as unknown as Setup;
    await data.closeWrite();
  };
  for (const script of [endsWants, () => Promise.resolve()]) {
    const ran = await copyToOne(script);
    assert(ran.errors.startsWith('Cannot copy to "/nowhere" on gateway "gw0": '), ran.errors);
    assert(!ran.target.complete);
  }
});

test("Target.run() says what may go only of names in folders", async () => {
  const asked: string[] = [];
  const filter = (path: string): boolean => {
    asked.push(path);
    return true;
  };
  const bad: readonly Want[] = [
    ...["..", "/etc", "a/..", "a//b", "/", ".", "a/./b", "../secret", "a\0b", "a/"].map((folder) =>
      new Want().ask(0, folder, ["x"])
    ),
    ...["..", ".", "", "/etc/passwd", "a/b", "../secret", "a\0b"].map((name) =>
      new Want().ask(0, "", [name])
    ),
  ];
  for (const want of bad) {
    const ran = await copyToOne(playing((target) => target.want(want)), { filter });
    assert(/Cannot say (what may go in|whether)/.test(ran.errors), ran.errors);
  }
  for (const count of [2, 2 ** 32, HUGE]) {
    const ran = await copyToOne(playing((target) => target.want(new Want().ask(0, "", ["x"], count))), {
      filter,
    });
    assert(ran.errors.includes("cut short"), ran.errors);
  }
  assert(asked.every((path) => /\/source\/(f\d|x)$/.test(path)), asked.join("\n"));
});

test("Target.run() keeps what the filter cannot tell of, and reports it", async () => {
  const filter = (path: string): boolean => {
    if (path.endsWith("/x")) throw new Error("I do not know");
    return true;
  };
  const ran = await copyToOne(
    playing(async (target) => {
      await target.want(new Want().ask(7, "", ["x", "y"]));
      assertEquals([...await target.data() as Uint8Array], [0, 8, 7, 2, 0, 1]);
      await target.news(new News().fatal("that was it"));
    }),
    { filter },
  );
  assert(ran.errors.includes("I do not know"), ran.errors);
});

test("Target.run() keeps a thousand errors of a target that has no end of them", async () => {
  const ran = await copyToOne(playing(async (target) => {
    const news = new News();
    for (let i = 0; i < 1000; i++) news.problem("a".repeat(4 * i), "x".repeat(4000));
    const bytes = news.take();
    for (let i = 0; i < 3; i++) await target.news(bytes);
    await target.news(new News().fatal("enough"));
  }));
  const { errors } = ran.target.tally;
  assertEquals(errors.length, 1001);
  assertEquals(errors[1000]!.message, "And 2001 errors more");
  assert(errors.every(({ message }) => message.length < 10_000));
});

test("Target.run() rejects with the signal's reason when a target is silent", async () => {
  const reason = new Error("the caller's");
  const stop = new AbortController();
  const ran = await copyToOne(
    playing(async (target) => {
      await target.list();
      stop.abort(reason);
    }),
    { signal: stop.signal },
  );
  assertStrictEquals(ran.rejected, reason);
  assertEquals([ran.errors, ran.kills], ["", 0]);
});

test("Target.run() ends the execution of a target that does not even hear that it is over", async () => {
  const ran = await copyToOne(async (main) => {
    const never = Promise.withResolvers<void>();
    await main.send(new News().byte(0).take() as never);
    await never.promise;
  });
  assert(ran.errors.includes("record of kind 0"), ran.errors);
  assertEquals(ran.kills, 1);
});

test("Target.run() does not let a target harm another one", async () => {
  await withSource(async (root, folder) => {
    const scripts = [
      ...Object.values(WANTS).map(([message]) => playing((target) => target.want(message()))),
      // Who says that it is over, and nothing more, is waited for.
      ...Object.entries(NEWS).filter(([name]) => !name.startsWith("the end")).map(([, [message]]) =>
        playing((target) => target.news(message()))
      ),
    ];
    const dest = `${folder}/copy`;
    const ran = await copyTo(root, [...scripts, receiveAll], { dest });
    const good = ran.pop()!;
    assertEquals([good.errors, good.target.complete], ["", true]);
    assertEquals(await describeTree(dest), await describeTree(root));
    assert(ran.every(({ target, errors }) => !target.complete && errors !== ""));
  });
});

// ---- garbage ----

const RUNS = 600;

function number(random: Random): number {
  return random.pick([0, 0, 1, 1, 2, 3, 4, 600, 3000, 2 ** 32, HUGE]);
}

function badWant(random: Random): Want {
  const want = new Want();
  let next = 0;
  for (let i = random.between(1, 8); i > 0; i--) {
    const index = random.chance(0.9) ? next++ : number(random);
    random.pick<() => unknown>([
      () => want.whole(index),
      () => want.whole(index),
      () => want.delta(index, 600).sums(2, random.bytes(24)),
      () => want.delta(index, 600).sums(0),
      () => want.delta(index, number(random)).sums(1),
      () => want.same(random.below(2), random.below(10)),
      () => want.redo(index - 1 < 0 ? 0 : index - 1),
      () => want.ask(number(random), random.pick(["", "a", "..", "a/b"]), ["x"]),
      () => random.chance(0.2) && want.raw(random.bytes(5)),
    ])();
  }
  return want;
}

function badNews(random: Random): News {
  const news = new News();
  for (let i = random.between(1, 4); i > 0; i--) {
    random.pick<() => unknown>([
      () => news.done(random.below(4)),
      () => news.failed(random.below(4), "x", random.below(6)),
      () => news.problem("a", "x", random.below(6)),
      () => random.chance(0.3) && news.end(),
      () => random.chance(0.2) && news.raw(random.bytes(5)),
    ])();
  }
  return news;
}

async function misbehave(target: ScriptedTarget, random: Random): Promise<void> {
  for (let i = random.between(1, 4); i > 0; i--) {
    await target.want(badWant(random));
    if (random.chance(0.7)) await target.news(badNews(random));
  }
  await target.endWants();
  await target.news(random.chance(0.5) ? new News().end() : new News().byte(255));
}

test("Target.run() ends whatever a target says, and never opens what is not in the source", async () => {
  await withSource(async (root) => {
    const left = await keepingInside([root], () =>
      forSeeds(seeds(RUNS), async (random) => {
        const filter = random.chance(0.5) ? (): boolean => true : undefined;
        const [ran] = await copyTo(root, [playing((target) => misbehave(target, random))], { filter });
        assertEquals(ran!.rejected, undefined);
        assert(ran!.errors !== "" || ran!.target.complete);
      }));
    assertEquals(left, []);
  });
}, 60_000);
