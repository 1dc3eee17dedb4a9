/** Copies over every kind of gateway: what execnet's own tests assert, and what its users would expect. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { RSync } from "../../mod.ts";
import type { Gateway, RSyncResult, RSyncTargetOptions } from "../../mod.ts";
import { exists, withFolder } from "../helpers/folder.ts";
import { describeTree, digestOf, readTree, setTime } from "../helpers/tree.ts";
import { copyTo, keys } from "./copies.ts";
import { forEachKind, forPopen } from "./kinds.ts";
import { end, start } from "./program.ts";

/** Deno makes symbolic links only for those who may read and write everything. */
const ALL_FILES = "allow-read//allow-write";

/** How long a filter takes at the most, and how long a walk takes its time. */
const FILTER_MS = 5;
const WALK_LIMIT_MS = 15_000;
/** A large file, and by how much a process may grow that copies it: its size must not matter. */
const LARGE_BYTES = 256 * 1024 * 1024;
const MOST_GROWN_MIB = 64;

const OLD = Date.UTC(2021, 1, 3, 4, 5, 6, 789);

/** Makes files; a name that ends with a slash is a folder. */
function make(root: string, files: Record<string, string | Uint8Array>): void {
  Deno.mkdirSync(root, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = `${root}/${name}`;
    if (name.endsWith("/")) {
      Deno.mkdirSync(path, { recursive: true });
      continue;
    }
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    setTime(path, OLD);
  }
}

/** Copies to one target, where nothing may go wrong. */
async function copy(...args: Parameters<typeof copyTo>): Promise<RSyncResult> {
  const result = await copyTo(...args);
  assertEquals(result.errors, []);
  return result;
}

const names = (root: string): string[] => [...Deno.readDirSync(root)].map(({ name }) => name).sort();

forEachKind("RSync copies a tree exactly, and then only what has changed", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/deep/down/copy`;
    make(source, {
      "a": "first",
      "empty": "",
      "folder/inside/b": "second",
      "folder/nothing/": "",
      "large": new Uint8Array(300_000).fill(7),
      "new\nline \u{1f600}": "named",
    });
    Deno.chmodSync(`${source}/a`, 0o600);
    Deno.chmodSync(`${source}/folder/inside`, 0o750);
    setTime(`${source}/folder`, OLD);
    const gateway = await open(keys(folder));

    const first = await copy(gateway, source, dest);
    assertEquals(await describeTree(dest), await describeTree(source));
    assertEquals([first.files, first.transferred, first.deleted], [5, 5, 0]);
    assertEquals(first.bytesTotal, 300_016);
    assert(first.bytesSent > 300_000 && first.bytesSent < 301_000, `${first.bytesSent} bytes sent`);
    assert(first.gateway === gateway && first.dest === dest);

    const again = await copy(gateway, source, dest);
    assertEquals([again.files, again.transferred, again.bytesTotal], [5, 0, 300_016]);
    assert(again.bytesSent < 300, `${again.bytesSent} bytes sent`);

    make(source, { "a": "FIRST, longer", "folder/new": "third" });
    setTime(`${source}/a`, OLD + 1);
    const large = new Uint8Array(300_001).fill(7);
    large[150_000] = 8;
    make(source, { large });
    const changed = await copy(gateway, source, dest);
    assertEquals(await describeTree(dest), await describeTree(source));
    assertEquals(changed.transferred, 3);
    assert(changed.bytesSent < 4_000, `${changed.bytesSent} bytes sent`);
  });
});

forEachKind(
  "RSync copies to several targets at once, and removes only where it is asked to",
  async ({ open }) => {
    await withFolder(async (folder) => {
      const source = `${folder}/source`;
      make(source, { "subdir/file1": "content1", "subdir/subsubdir/file2": "content2", "gone": "x" });
      const one = await open(keys(folder));
      const two = await open(keys(folder));
      const targets: [Gateway, string][] = [[one, `${folder}/one`], [two, `${folder}/two`], [
        one,
        `${folder}/three`,
      ]];
      const send = async (options: RSyncTargetOptions = {}): Promise<RSyncResult[]> => {
        const rsync = new RSync(source);
        for (const [i, [gateway, dest]] of targets.entries()) {
          rsync.addTarget(gateway, dest, i === 0 ? options : {});
        }
        const results = await rsync.send();
        for (const { errors } of results) {
          assertEquals(errors, []);
        }
        await assertRejects(() => rsync.send(), Error, "no targets");
        return results;
      };
      const results = await send();
      assertEquals(results.map(({ gateway, dest }) => [gateway, dest]), targets);
      for (const [, dest] of targets) assertEquals(await describeTree(dest), await describeTree(source));

      // Of the same size and of another one; times count, not their order.
      Deno.writeTextFileSync(`${source}/subdir/file1`, "CONTENT1");
      Deno.writeTextFileSync(`${source}/subdir/subsubdir/file2`, "shorter");
      setTime(`${source}/subdir/file1`, 0);
      setTime(`${source}/subdir/subsubdir/file2`, 0);
      Deno.removeSync(`${source}/gone`);
      assertEquals((await send({ delete: true })).map(({ deleted }) => deleted), [1, 0, 0]);
      for (const [, dest] of targets) {
        assertEquals(Deno.readTextFileSync(`${dest}/subdir/file1`), "CONTENT1");
        assertEquals(Deno.readTextFileSync(`${dest}/subdir/subsubdir/file2`), "shorter");
      }
      assertEquals(targets.map(([, dest]) => exists(`${dest}/gone`)), [false, true, true]);
    });
  },
);

forEachKind("RSync keeps modes exactly, those of files that have not changed too", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/copy`;
    make(source, { "secret": "s", "program": "p", "folder/file": "f", "closed/file": "c" });
    Deno.chmodSync(`${source}/secret`, 0o600);
    Deno.chmodSync(`${source}/program`, 0o4755);
    Deno.chmodSync(`${source}/folder`, 0o1777);
    Deno.chmodSync(`${source}/closed`, 0o500);
    const gateway = await open(keys(folder));
    await copy(gateway, source, dest);
    assertEquals(await describeTree(dest), await describeTree(source));

    Deno.chmodSync(`${source}/secret`, 0o400);
    Deno.chmodSync(`${source}/program`, 0o600);
    Deno.chmodSync(`${source}/folder`, 0o700);
    const { transferred } = await copy(gateway, source, dest);
    assertEquals(transferred, 0);
    assertEquals(await describeTree(dest), await describeTree(source));
    Deno.writeTextFileSync(`${source}/closed/more`, "m");
    await copy(gateway, source, dest);
    assertEquals(await describeTree(dest), await describeTree(source));
  });
});

forEachKind("RSync makes links as its policy says", async ({ open, kind }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    make(source, { "a": "text", "folder/b": "more" });
    Deno.symlinkSync("a", `${source}/relative`);
    Deno.symlinkSync("relative", `${source}/toLink`);
    Deno.symlinkSync(`${source}/folder/b`, `${source}/absolute`);
    Deno.symlinkSync(source, `${source}/root`);
    Deno.symlinkSync(`${source}/../outside/./x`, `${source}/outside`);
    Deno.symlinkSync("/etc/hostname", `${source}/folder/far`);
    Deno.symlinkSync("nowhere", `${source}/broken`);
    // Worker gateways share the permissions of the tests, which are all.
    const gateway = await open(ALL_FILES);
    const links = (dest: string): Record<string, string> =>
      Object.fromEntries(
        ["relative", "toLink", "absolute", "root", "outside", "folder/far", "broken"].map((name) => [
          name,
          Deno.readLinkSync(`${dest}/${name}`),
        ]),
      );
    const verbatim = links(source);
    const rewritten = { ...verbatim, absolute: `${folder}/copy/folder/b`, root: `${folder}/copy` };

    await copy(gateway, source, `${folder}/copy`);
    assertEquals(links(`${folder}/copy`), rewritten, kind.name);
    assertEquals(Deno.readTextFileSync(`${folder}/copy/absolute`), "more");
    // Nothing is made again.
    const before = Deno.lstatSync(`${folder}/copy/absolute`).ino;
    await copy(gateway, source, `${folder}/copy`);
    assertEquals(Deno.lstatSync(`${folder}/copy/absolute`).ino, before);

    await copy(gateway, source, `${folder}/kept`, { links: "keep" });
    assertEquals(links(`${folder}/kept`), verbatim);
    assertEquals(
      (await readTree(`${folder}/kept`)).get("broken")!.mtime,
      (await readTree(source)).get("broken")!.mtime,
    );

    // Where they lead to, but for what leads nowhere or around in a circle.
    const { errors } = await copyTo(gateway, source, `${folder}/followed`, { links: "follow" });
    assertEquals(errors.length, 3);
    assertMatch(errors.map(({ message }) => message).join("\n"), /broken.*leads nowhere/);
    assertMatch(errors.map(({ message }) => message).join("\n"), /root.*leads to a folder around it/);
    assertEquals(Deno.readTextFileSync(`${folder}/followed/toLink`), "text");
    assert(Deno.lstatSync(`${folder}/followed/folder/far`).isFile);
  });
});

forEachKind("RSync says which keys the spec lacks", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/100%25 of it/copy`;
    make(source, { "a": "text" });
    Deno.symlinkSync("a", `${source}/link`);
    const nothing = await open();
    const both = `allow-read=${dest.replace("%25", "%2525")}//allow-write=${dest.replace("%25", "%2525")}`;
    const [error, ...more] = (await copyTo(nothing, source, dest)).errors;
    assertEquals(more, []);
    assert(error instanceof Deno.errors.NotCapable);
    assertEquals(
      error!.message,
      `Cannot write ${JSON.stringify(dest)} on gateway "${nothing.id}": it is not allowed to; ` +
        `add ${both} to its spec`,
    );
    assert(!exists(dest));

    const reads = await open(`allow-read=${folder}`);
    const [second] = (await copyTo(reads, source, dest)).errors;
    assertMatch(second!.message, /^Cannot write .*; add allow-write=[^/]*\/[^ ]* of it\/copy to its spec$/);

    // With these it works, but for links.
    const may = await open(both);
    const { errors } = await copyTo(may, source, dest);
    assertEquals(errors.map(({ message }) => message), [
      `Cannot make the symbolic link ${JSON.stringify(`${dest}/link`)} on gateway "${may.id}": ` +
      `it is not allowed to; add allow-read//allow-write to its spec`,
    ]);
    assertEquals(names(dest), ["a"]);
  });
});

forEachKind("RSync leaves alone what the filter leaves out, also where it removes", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/copy`;
    make(source, { "a.txt": "a", "a.log": "log", "skip/x": "x", "folder/b.txt": "b" });
    make(dest, {
      "a.log": "their own",
      "b.log": "their own",
      "extra": "to go",
      "old/x": "to go",
      "kept/deep/c.log": "their own",
      "kept/deep/d": "to go",
      "skip/y": "their own",
    });
    const asked: string[] = [];
    const filter = (path: string, { name, isDirectory }: Deno.DirEntry): boolean => {
      asked.push(path);
      assert(path.endsWith(`/${name}`));
      return !name.endsWith(".log") && !(isDirectory && name === "skip");
    };
    const gateway = await open(keys(folder));
    const { deleted, files } = await copy(gateway, source, dest, { filter, to: { delete: true } });
    assertEquals([...(await readTree(dest)).keys()].sort(), [
      ".",
      "a.log",
      "a.txt",
      "b.log",
      "folder",
      "folder/b.txt",
      "kept",
      "kept/deep",
      "kept/deep/c.log",
      "skip",
      "skip/y",
    ]);
    assertEquals([deleted, files], [4, 2]);
    assertEquals(Deno.readTextFileSync(`${dest}/a.log`), "their own");
    assert(!asked.includes(source) && asked.every((path) => path.startsWith(`${source}/`)));
  });
});

forEachKind("RSync changes nothing in a dry run, and reports the same", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/copy`;
    const changed = new Uint8Array(200_000);
    crypto.getRandomValues(changed.subarray(0, 60_000));
    make(dest, {
      "same": "s",
      "changed": changed.slice(),
      "extra/x": "e",
      "type/x": "t",
      "touched": "same text",
    });
    changed[1]! ^= 1;
    make(source, {
      "same": "s",
      "new/a": "a",
      "changed": changed,
      "type": "a file now",
      "touched": "same text",
    });
    setTime(`${source}/touched`, OLD + 5_000);
    setTime(`${source}/changed`, OLD + 5_000);
    const before = await describeTree(folder);
    const gateway = await open(keys(folder));
    const report = async (dryRun: boolean): Promise<unknown> => {
      const seen: string[] = [];
      const options = {
        dryRun,
        to: { delete: true },
        onProgress: ({ path }: { path: string | undefined }) => seen.push(path ?? ""),
      };
      const { gateway: _, bytesSent, ...result } = await copy(gateway, source, dest, options);
      return { ...result, seen: [...new Set(seen)].sort(), sent: Math.round(bytesSent / 100) };
    };
    const dry = await report(true);
    assertEquals(await describeTree(folder), before);
    assertEquals(dry, await report(false));
    assertEquals(await describeTree(dest), await describeTree(source));
    // Where there is nothing yet, nothing is made.
    const { files, transferred } = await copy(gateway, source, `${folder}/none/such`, { dryRun: true });
    assertEquals([files, transferred], [5, 5]);
    assert(!exists(`${folder}/none`));
  });
});

forEachKind("RSync compares content with checksum, and files of another time anyway", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const dest = `${folder}/copy`;
    make(source, { "a": "one", "b": "same", "c": "x".repeat(100_000) });
    const gateway = await open(keys(folder));
    await copy(gateway, source, dest);
    // Of the same size and time.
    Deno.writeTextFileSync(`${dest}/a`, "ONE");
    setTime(`${dest}/a`, OLD);
    assertEquals((await copy(gateway, source, dest)).transferred, 0);
    assertEquals(Deno.readTextFileSync(`${dest}/a`), "ONE");
    const { transferred, bytesSent } = await copy(gateway, source, dest, { checksum: true });
    assertEquals(transferred, 1);
    assert(bytesSent < 1_000, `${bytesSent} bytes sent`);
    assertEquals(await describeTree(dest), await describeTree(source));
    // A new time of the same content moves no content, and leaves the file where it is.
    const { ino } = Deno.statSync(`${dest}/c`);
    setTime(`${source}/c`, OLD + 60_000);
    assertEquals((await copy(gateway, source, dest)).transferred, 0);
    assertEquals(Deno.statSync(`${dest}/c`).ino, ino);
    assertEquals(await describeTree(dest), await describeTree(source));
  });
});

forEachKind("RSync tells every target's progress, and when it is finished", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    make(source, { "a": new Uint8Array(100), "sub/b": new Uint8Array(10), "big": new Uint8Array(3_000_000) });
    const gateway = await open(keys(folder));
    const events: Record<
      string,
      { files: number; bytes: number; filesTotal: number; bytesTotal: number; path?: string }[]
    > = {};
    const rsync = new RSync(source, {
      onProgress: ({ gateway: own, dest, ...event }) => {
        assert(own === gateway);
        (events[dest] ??= []).push(event as typeof events[string][number]);
      },
    });
    const finished: string[] = [];
    for (const name of ["one", "two"]) {
      rsync.addTarget(gateway, `${folder}/${name}`, { finished: () => finished.push(name) });
    }
    await rsync.send();
    assertEquals(finished.sort(), ["one", "two"]);
    for (const name of ["one", "two"]) {
      const own = events[`${folder}/${name}`]!;
      const { files, bytes, filesTotal, bytesTotal } = own.at(-1)!;
      assertEquals([files, bytes, filesTotal, bytesTotal], [3, 3_000_110, 3, 3_000_110]);
      // A large file moves the bar while it is on its way.
      assert(own.filter(({ path }) => path === "big").length >= 3);
      for (const [i, event] of own.entries()) {
        assert(event.bytes <= event.bytesTotal && event.files <= event.filesTotal);
        assert(i === 0 || event.bytes >= own[i - 1]!.bytes);
      }
    }
  });
});

forEachKind("RSync copies a single file", async ({ open }) => {
  await withFolder(async (folder) => {
    make(folder, { "file": "content", "other": "untouched", "folder/": "" });
    const gateway = await open(keys(folder));
    const { files, transferred } = await copy(gateway, `${folder}/file`, `${folder}/sub/renamed`, {
      to: { delete: true },
    });
    assertEquals([files, transferred], [1, 1]);
    assertEquals(await describeTree(`${folder}/sub/renamed`), await describeTree(`${folder}/file`));
    assertEquals((await copy(gateway, `${folder}/file`, `${folder}/sub/renamed`)).transferred, 0);
    await copy(gateway, new URL(`file://${folder}/file`), `${folder}/other`, { to: { delete: true } });
    assertEquals(Deno.readTextFileSync(`${folder}/other`), "content");
    const [error] = (await copyTo(gateway, `${folder}/file`, `${folder}/folder`)).errors;
    assertMatch(error!.message, /is there and is a folder/);
    assertEquals(names(folder), ["file", "folder", "other", "sub"]);
  });
});

forPopen("RSync begins to copy while it still walks", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    make(source, Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, "x"])));
    const gateway = await open(keys(folder));
    let copied = false;
    let last = false;
    const started = performance.now();
    // The filter takes its time until the first file is there.
    const filter = (): boolean => {
      const now = performance.now();
      while (!copied && now - started < WALK_LIMIT_MS && performance.now() - now < FILTER_MS);
      last = copied;
      return true;
    };
    await copy(gateway, source, `${folder}/copy`, { filter, onProgress: () => copied = true });
    assert(last, "nothing was copied before the last entry was walked over");
  });
});

forPopen("RSync compresses what gets smaller, when it is asked to", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const noise = new Uint8Array(400_000);
    for (let i = 0; i < noise.length; i += 40_000) crypto.getRandomValues(noise.subarray(i, i + 40_000));
    const text = Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join("");
    make(source, { noise, text, "small": "the same again and again ".repeat(100) });
    const gateway = await open(keys(folder));
    const sent: number[] = [];
    for (const compress of [false, undefined, true]) {
      const options = compress === undefined ? {} : { compress };
      sent.push((await copy(gateway, source, `${folder}/${compress}`, options)).bytesSent);
      assertEquals(await describeTree(`${folder}/${compress}`), await describeTree(source));
    }
    // A local way is faster than compressing.
    assertEquals(sent[0], sent[1]);
    assert(sent[2]! > 400_000 && sent[2]! < 400_000 + text.length / 3, `${sent} bytes sent`);
  });
});

forPopen("RSync holds no large file in memory, and sends little of one that changed a little", async () => {
  await withFolder(async (folder) => {
    const source = `${folder}/source`;
    const large = new Uint8Array(LARGE_BYTES);
    for (let i = 0; i < large.length; i += 65_536) crypto.getRandomValues(large.subarray(i, i + 65_536));
    Deno.mkdirSync(source);
    // Each is made of the first state, so that the one before is undone with it: a block for each.
    const edits: [string, (bytes: Uint8Array) => Uint8Array[], number][] = [
      ["new", (bytes) => [bytes], LARGE_BYTES + 10_000],
      [
        "a byte changed",
        (bytes) => [bytes.subarray(0, 7_777_777), Uint8Array.of(1), bytes.subarray(7_777_778)],
        40_000,
      ],
      [
        "a byte put in",
        (bytes) => [bytes.subarray(0, 1_234_567), Uint8Array.of(2), bytes.subarray(1_234_567)],
        80_000,
      ],
      ["the beginning cut off", (bytes) => [bytes.subarray(12_345)], 80_000],
    ];
    for (const [name, edit, most] of edits) {
      using file = Deno.createSync(`${source}/large`);
      for (const part of edit(large)) {
        for (let at = 0; at < part.length;) at += file.writeSync(part.subarray(at));
      }
      const program = start("rsync_memory.ts", [source, `${folder}/copy`]);
      assert((await end(program, 40_000)).success, program.stderr.text);
      const { grown, errors, sent } = JSON.parse(program.stdout.text);
      assertEquals(errors, []);
      assert(
        grown.every((mebibytes: number) => mebibytes < MOST_GROWN_MIB),
        `${name}: grown by ${grown} MiB`,
      );
      assert(sent < most, `${name}: ${sent} bytes sent`);
      assertEquals(await digestOf(`${folder}/copy/large`), await digestOf(`${source}/large`));
    }
  });
}, { limit: 120_000 });
