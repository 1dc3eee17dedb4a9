/** Copies where something is wrong: with a target, with the source, or with what is copied. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "jsr:@std/assert@^1.0.19";
import { RSync } from "../../mod.ts";
import type { Gateway, RSyncOptions, RSyncResult, RSyncTargetOptions } from "../../mod.ts";
import { exists, withFolder } from "../helpers/folder.ts";
import { describeTree, readTree, setTime } from "../helpers/tree.ts";
import { limited } from "../helpers/wait.ts";
import { testWith } from "../parts/need.ts";
import { OTHER_USER, withOtherUser } from "../parts/other_user.ts";
import { run } from "../parts/run.ts";
import { copyTo, keys } from "./copies.ts";
import { forEachKind, forPopen } from "./kinds.ts";

/** Makes files that are all different. */
function make(root: string, files: Record<string, number>): void {
  Deno.mkdirSync(root, { recursive: true });
  for (const [name, size] of Object.entries(files)) {
    const bytes = new Uint8Array(size);
    crypto.getRandomValues(bytes.subarray(0, 65_536));
    Deno.writeFileSync(`${root}/${name}`, bytes);
  }
}

const messages = ({ errors }: RSyncResult): string => errors.map(({ message }) => message).join("\n");

forPopen("send() refuses to copy nothing, to nowhere and from nowhere", async ({ open }) => {
  await withFolder(async (folder) => {
    const gateway = await open(keys(folder));
    const rsync = new RSync(folder);
    const error = await assertRejects(() => rsync.send(), Error);
    assertEquals(error.message, `Cannot copy ${JSON.stringify(folder)}: there are no targets`);
    assertEquals(await rsync.send({ raises: false }), []);
    const missing = new RSync(`${folder}/none`);
    missing.addTarget(gateway, `${folder}/copy`);
    await assertRejects(() => missing.send(), Deno.errors.NotFound);
    await assertRejects(() => missing.send(), Error, "no targets");
    assert(!exists(`${folder}/copy`));
    const wrong = (action: () => void, text: string): void => void assertThrows(action, TypeError, text);
    wrong(() => new RSync("", {}), "a path or a file: URL");
    wrong(() => new RSync(new URL("https://example.com/")), "no file: URL");
    wrong(() => new RSync(new URL("file:///a%FFb")), "no path in UTF-8");
    wrong(() => new RSync(new URL("file:///a%00b")), "a path or a file: URL");
    wrong(() => new RSync(new URL("file://host/a")), "it is on another machine");
    wrong(() => new RSync(folder, { verbos: true } as RSyncOptions), 'no option "verbos"');
    wrong(() => new RSync(folder, { links: "copy" as "keep" }), "links must be one of rewrite, keep, follow");
    wrong(() => new RSync(folder, { checksum: 1 as unknown as boolean }), "checksum must be a boolean");
    wrong(() => rsync.addTarget(gateway, ""), "must be a path");
    wrong(() => rsync.addTarget(gateway, "x", { remove: true } as RSyncTargetOptions), 'no option "remove"');
  });
});

forPopen("RSync copies to all other targets when some fail", async ({ open, group }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    make(source, { a: 10, b: 3_000_000, c: 20 });
    Deno.writeTextFileSync(`${folder}/file`, "in the way");
    const good = await open(keys(folder));
    const closed = await open(keys(folder));
    await closed.exit();
    await closed.closed;
    const dying = await open(keys(folder));
    const { pid } = await dying.remoteInfo();
    const poor = await group.makeGateway("popen", { stderr: "null" });
    let killed = false;
    const rsync = new RSync(source, {
      onProgress: ({ gateway, path }) => {
        if (gateway !== dying || path !== "b" || killed) return;
        killed = true;
        Deno.kill(pid, "SIGKILL");
      },
    });
    const finished: string[] = [];
    const add = (gateway: Gateway, name: string): void =>
      rsync.addTarget(gateway, `${folder}/${name}`, { finished: () => finished.push(name) });
    add(good, "one");
    add(closed, "closed");
    add(poor, "poor");
    add(good, "file");
    add(dying, "dying");
    add(good, "two");
    const results = await rsync.send();
    assertEquals(results.map(({ dest }) => dest.slice(folder.length + 1)), [
      "one",
      "closed",
      "poor",
      "file",
      "dying",
      "two",
    ]);
    assertEquals(finished.sort(), ["one", "two"]);
    assertEquals(results.map(({ errors }) => errors.length), [0, 1, 1, 1, 1, 0]);
    assertMatch(messages(results[1]!), /Cannot copy to ".*\/closed" on gateway "gw1": .*closed/);
    assertMatch(messages(results[2]!), /add allow-read=.*poor\/\/allow-write=.*poor to its spec/);
    assertMatch(messages(results[3]!), /file is there and is no folder/);
    assertMatch(
      messages(results[4]!),
      /Cannot copy to ".*\/dying" on gateway "gw2": Gateway "gw2" is closed/,
    );
    for (const name of ["one", "two"]) {
      assertEquals(await describeTree(`${folder}/${name}`), await describeTree(source));
    }
    assertEquals(Deno.readTextFileSync(`${folder}/file`), "in the way");
  });
});

forPopen(
  "RSync is not delayed by a target that stands still, and goes on with it later",
  async ({ open }) => {
    await withFolder(async (folder) => {
      const source = `${folder}/source`;
      const files: Record<string, number> = { large: 20_000_000 };
      for (let i = 0; i < 3000; i++) files[`small${i}`] = 10;
      make(source, files);
      const slow = await open(keys(folder));
      const quick = await open(keys(folder));
      const { pid } = await slow.remoteInfo();
      Deno.kill(pid, "SIGSTOP");
      const { promise, resolve } = Promise.withResolvers<void>();
      const rsync = new RSync(source);
      const finished: string[] = [];
      rsync.addTarget(slow, `${folder}/slow`, { finished: () => finished.push("slow") });
      rsync.addTarget(quick, `${folder}/quick`, { finished: resolve });
      const sent = rsync.send();
      await limited("the quick target", promise, 15_000);
      assertEquals(await describeTree(`${folder}/quick`), await describeTree(source));
      assertEquals(finished, []);
      Deno.kill(pid, "SIGCONT");
      for (const { errors } of await sent) assertEquals(errors, []);
      assertEquals(await describeTree(`${folder}/slow`), await describeTree(source));
    });
  },
  { limit: 40_000 },
);

forPopen("send() ends by its signal though a target does not answer", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    make(source, { large: 20_000_000 });
    const silent = await open(keys(folder));
    const { pid } = await silent.remoteInfo();
    const rsync = new RSync(source, {
      onProgress: () => Deno.kill(pid, "SIGSTOP"),
    });
    rsync.addTarget(silent, `${folder}/copy`);
    const stop = new AbortController();
    const sent = rsync.send({ signal: stop.signal });
    const reason = new Error("enough");
    stop.abort(reason);
    assertStrictEquals(await limited("the end", sent.catch((error) => error), 10_000), reason);
    Deno.kill(pid, "SIGCONT");
    await assertRejects(() => new RSync(source).send({ signal: AbortSignal.abort(reason) }), Error);
  });
});

forPopen(
  "send() rejects with what a function of its caller throws, and leaves nothing half-done",
  async ({ open }) => {
    await withFolder(async (folder) => {
      const source = `${folder}/source`;
      make(source, { a: 10, b: 3_000_000 });
      const gateway = await open(keys(folder));
      const reason = new Error("not this");
      const fail = (): never => {
        throw reason;
      };
      const attempts: [RSyncOptions, RSyncTargetOptions][] = [
        [{ filter: fail }, {}],
        [{ onProgress: ({ path }) => path === "b" ? fail() : undefined }, {}],
        [{}, { finished: fail }],
      ];
      for (const [options, to] of attempts) {
        const dest = `${folder}/copy`;
        const outcome = await copyTo(gateway, source, dest, { ...options, to }).catch((error) => error);
        assertStrictEquals(outcome, reason);
        if (!exists(dest)) continue;
        for (const { name } of Deno.readDirSync(dest)) assert(["a", "b"].includes(name), name);
      }
      assertEquals((await copyTo(gateway, source, `${folder}/copy`)).errors, []);
    });
  },
);

forEachKind("RSync goes on without files that vanish, and reports them", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    make(source, { a: 10, b: 10, c: 2_000_000, d: 10, e: 10 });
    const gateway = await open(keys(folder));
    // When `d` is asked about, the files before it have been listed.
    const filter = (path: string): boolean => {
      assert(path !== source);
      if (path.endsWith("/d")) { for (const name of ["a", "c"]) Deno.removeSync(`${source}/${name}`); }
      return true;
    };
    const result = await copyTo(gateway, source, `${folder}/copy`, { filter });
    assertEquals(result.errors.length, 2);
    for (const name of ["a", "c"]) {
      assertMatch(messages(result), new RegExp(`Cannot copy ".*/source/${name}": No such file`));
    }
    assertEquals([result.files, result.transferred], [5, 3]);
    assertEquals([...Deno.readDirSync(`${folder}/copy`)].map(({ name }) => name).sort(), ["b", "d", "e"]);
  });
});

forEachKind(
  "RSync copies a file that changes once as it is then, and keeps the old one if it never rests",
  async ({ open }) => {
    await withFolder(async (folder) => {
      const source = `${folder}/source`;
      const dest = `${folder}/copy`;
      make(source, { once: 6_000_000, restless: 6_000_000, "shrinks": 6_000_000, still: 6_000_000 });
      const gateway = await open(keys(folder));
      assertEquals((await copyTo(gateway, source, dest)).errors, []);
      const old = (await readTree(dest)).get("restless");
      for (const name of ["once", "restless", "shrinks", "still"]) setTime(`${source}/${name}`, 1);
      const times = new Map<string, number>();
      const onProgress = ({ path = "", bytes }: { path: string | undefined; bytes: number }): void => {
        const time = (times.get(path) ?? 0) + 1;
        times.set(path, time);
        const file = `${source}/${path}`;
        if (path === "restless" || (path === "once" && time === 2)) {
          Deno.writeTextFileSync(file, `${time}`, { append: true });
          setTime(file, 1000 * time + bytes);
        } else if (path === "shrinks" && bytes > 100 && Deno.statSync(file).size > 100) {
          Deno.truncateSync(file, 100);
        }
      };
      // Whole and as what has changed.
      for (const target of [`${folder}/new`, dest]) {
        times.clear();
        const result = await copyTo(gateway, source, target, { onProgress });
        assertMatch(messages(result), /^Cannot copy ".*restless": it changed while it was read, 3 times$/);
        const tree = await readTree(target);
        for (const name of ["once", "shrinks", "still"]) {
          assertEquals(tree.get(name), (await readTree(source)).get(name), name);
        }
        assertEquals(tree.get("restless"), target === dest ? old : undefined);
        assertEquals([...tree.keys()].filter((name) => name.startsWith(".execnet")), []);
      }
    });
  },
  { limit: 40_000 },
);

forEachKind(
  "RSync reports what it cannot copy, one by one, and leaves it alone on the target",
  async ({ open, kind }) => {
    await withFolder(async (folder) => {
      const source = `${folder}/source`;
      const dest = `${folder}/copy`;
      make(source, { fine: 10, "new\nline": 10, "\ufffd": 10 });
      make(dest, { pipe: 3 });
      await run(["mkfifo", `${source}/pipe`]);
      await run(["sh", "-c", `: > "$1/$(printf 'bad\\377name')"; : > "$1/$(printf '\\377')"`, "sh", source]);
      const gateway = await open(keys(folder));
      const result = await copyTo(gateway, source, dest, { to: { delete: true } });
      assertEquals(result.errors.length, 3, messages(result));
      assertMatch(
        messages(result),
        /Cannot copy ".*\/pipe": it is neither a file, a folder nor a symbolic link/,
      );
      assertEquals(
        messages(result).split("its name is not UTF-8, which Deno cannot name").length,
        3,
        kind.name,
      );
      const tree = await readTree(dest);
      assertEquals([...tree.keys()], [".", "fine", "new\nline", "pipe", "\ufffd"]);
    });
  },
);

forEachKind("RSync removes what a dead copy left, and nothing of one that lives", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/copy`;
    make(source, { a: 10 });
    const gateway = await open(keys(folder));
    await copyTo(gateway, source, dest);
    const before = await describeTree(dest);
    Deno.writeTextFileSync(`${dest}/.execnet-rsync-dead-0`, "litter");
    const living = Deno.createSync(`${dest}/.execnet-rsync-living-0`);
    living.lockSync(true);
    await copyTo(gateway, source, dest);
    assert(!exists(`${dest}/.execnet-rsync-dead-0`));
    assert(exists(`${dest}/.execnet-rsync-living-0`));
    // Until it becomes another program, a process that this one starts just now has every file that is open, and with
    // the file its lock: closing alone would leave it locked for that while.
    living.unlockSync();
    living.close();
    await copyTo(gateway, source, dest);
    assertEquals(await describeTree(dest), before);
  });
});

forPopen("RSync removes what a dead copy of a single file left beside it", async ({ open }) => {
  await withFolder(async (folder) => {
    make(folder, { file: 10 });
    make(`${folder}/theirs`, { ".execnet-rsync-dead-0": 3, other: 5 });
    const gateway = await open(keys(folder));
    const to = `${folder}/theirs/file`;
    assertEquals((await copyTo(gateway, `${folder}/file`, to, { dryRun: true })).errors, []);
    assert(exists(`${folder}/theirs/.execnet-rsync-dead-0`));
    assertEquals((await copyTo(gateway, `${folder}/file`, to)).errors, []);
    assertEquals([...(await readTree(`${folder}/theirs`)).keys()], [".", "file", "other"]);
  });
});

forEachKind("RSync prints what it sends, if it is asked to", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    make(source, { hello: 10 });
    make(`${source}/sub`, { world: 10, "x\x1b[2J\n\u202ey": 10 });
    const gateway = await open(keys(folder));
    const printed: unknown[][] = [];
    const { log } = console;
    console.log = (...args) => void printed.push(args);
    try {
      await copyTo(gateway, source, `${folder}/quiet`);
      assertEquals(printed, []);
      for (let i = 0; i < 2; i++) await copyTo(gateway, source, `${folder}/copy`, { verbose: true });
    } finally {
      console.log = log;
    }
    // What a terminal would obey is spelled.
    const names = ["hello", "sub/world", "sub/x\\u{1b}[2J\\u{a}\\u{202e}y"];
    assertEquals(printed, names.map((name) => [`${gateway.id} <= ${name}`]));
  });
});

testWith(
  OTHER_USER,
  "RSync writes into read-only folders of its own user, and says what it may not",
  async () => {
    await withOtherUser(async ({ gateway, folder, source, dest }) => {
      make(`${source}/closed`, { a: 10 });
      make(`${source}/secret`, { b: 10 });
      Deno.chmodSync(`${source}/closed`, 0o500);
      Deno.chmodSync(`${source}/secret`, 0o000);
      for (let i = 0; i < 2; i++) {
        assertEquals((await copyTo(gateway, source, dest, { to: { delete: true } })).errors, []);
        assertEquals(await describeTree(dest), await describeTree(source));
        make(`${source}/closed`, { [`more${i}`]: 10 });
        make(`${source}/secret`, { b: 11 + i });
        if (i === 0) Deno.removeSync(`${source}/closed/a`);
      }
      assertEquals((await copyTo(gateway, source, dest, { to: { delete: true } })).errors, []);
      assertEquals(await describeTree(dest), await describeTree(source));
      // Root's own folder.
      Deno.mkdirSync(`${folder}/ours`);
      const [error, ...more] = (await copyTo(gateway, source, `${folder}/ours`)).errors;
      assert(error !== undefined && more.length > 0);
      assertMatch(error!.message, /Permission denied/);
      assertEquals([...Deno.readDirSync(`${folder}/ours`)], []);
    });
  },
);
