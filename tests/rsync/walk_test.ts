import { assert, assertEquals, assertRejects, assertStrictEquals } from "jsr:@std/assert@^1.0.19";
import { ListKind, readMeta } from "../../rsync/common/messages.ts";
import { ByteReader } from "../../rsync/common/wire.ts";
import { walk } from "../../rsync/walk.ts";
import type { Batch, SourceFile, WalkOptions } from "../../rsync/walk.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { run } from "../parts/run.ts";

/** A list as text, a line for each record, and what came with it. */
interface Walked {
  readonly lines: string[];
  readonly files: SourceFile[];
  readonly batches: Batch[];
  readonly problems: string[];
}

async function walked(root: string, options: Partial<WalkOptions> = {}): Promise<Walked> {
  const result: Walked = { lines: [], files: [], batches: [], problems: [] };
  const problem = ({ message }: Error): void => void result.problems.push(message.replaceAll(root, ""));
  const all = { filter: undefined, links: "rewrite", keep: false, problem, ...options } as const;
  for await (const batch of walk(root, all)) {
    result.batches.push(batch);
    result.files.push(...batch.files);
    assertEquals(batch.size, batch.files.reduce((sum, { size }) => sum + size, 0));
    const reader = new ByteReader(batch.bytes);
    while (!reader.done) result.lines.push(line(reader));
  }
  return result;
}

function line(reader: ByteReader): string {
  const kind = reader.byte();
  const meta = (): string => readMeta(reader).mode.toString(8);
  switch (kind) {
    case ListKind.ROOT_FOLDER:
      return `root ${meta()}`;
    case ListKind.ROOT_FILE:
      return "root file";
    case ListKind.FOLDER:
      return `in ${reader.number()}`;
    case ListKind.END:
      return reader.byte() === 1 ? "end" : "end, not all";
    case ListKind.FILE:
      return `file ${reader.text()} ${meta()} ${reader.number()}`;
    case ListKind.SUBFOLDER:
      return `folder ${reader.text()} ${meta()}`;
    case ListKind.LINK: {
      const name = reader.text();
      reader.signed();
      return `link ${name} ${reader.byte() === 1 ? "inside" : "to"} ${reader.text()}`;
    }
    case ListKind.KEEP:
      return `keep ${reader.text()}`;
    default:
      throw new Error(`A record of kind ${kind}`);
  }
}

/** The lines but for those of the root and of its end. */
async function entries(root: string, options?: Partial<WalkOptions>): Promise<string[]> {
  const { lines } = await walked(root, options);
  assertEquals([lines[0], lines[1], lines.at(-1)], ["root 755", "in 0", "end"]);
  return lines.slice(2, -1);
}

/** Replaces a function of Deno's while `body` runs. */
async function replacing<K extends "lstatSync" | "readDirSync">(
  name: K,
  make: (real: typeof Deno[K]) => typeof Deno[K],
  body: () => Promise<void>,
): Promise<void> {
  const real = Deno[name];
  Deno[name] = make(real);
  try {
    await body();
  } finally {
    Deno[name] = real;
  }
}

/** A folder with a mode that does not depend on whose it is. */
function withRoot(body: (root: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const root = `${folder}/root`;
    Deno.mkdirSync(root);
    Deno.chmodSync(root, 0o755);
    await body(root);
  });
}

function write(path: string, text = "", mode = 0o644): void {
  Deno.writeTextFileSync(path, text);
  Deno.chmodSync(path, mode);
}

function mkdir(path: string, mode = 0o755): void {
  Deno.mkdirSync(path);
  Deno.chmodSync(path, mode);
}

test("walk() lists names in rising order, folder after folder", async () => {
  await withRoot(async (root) => {
    for (const name of ["b", "a", "\u{1f600}", "\uff5e", "B", "a.b", "-"]) write(`${root}/${name}`, name);
    mkdir(`${root}/c`);
    mkdir(`${root}/c/e`, 0o2700);
    write(`${root}/c/d`, "12345", 0o4711);
    mkdir(`${root}/0`);
    const { lines, files, problems } = await walked(root);
    assertEquals(lines, [
      "root 755",
      "in 0",
      "file - 644 1",
      "folder 0 755",
      "file B 644 1",
      "file a 644 1",
      "file a.b 644 3",
      "file b 644 1",
      "folder c 755",
      "file \u{1f600} 644 4",
      "file \uff5e 644 3",
      "end",
      "in 1",
      "end",
      "in 2",
      "file d 4711 5",
      "folder e 2700",
      "end",
      "in 3",
      "end",
    ]);
    assertEquals(problems, []);
    assertEquals(files.map(({ index }) => index), [0, 1, 2, 3, 4, 5, 6, 7]);
    assertEquals(files.at(-1)!.name, "c/d");
    assertEquals(files.at(-1)!.path, `${root}/c/d`);
  });
});

test("walk() lists a single file, links to it followed, and asks no filter", async () => {
  await withRoot(async (root) => {
    write(`${root}/file`, "abc", 0o600);
    Deno.symlinkSync("file", `${root}/link`);
    const filter = (): boolean => false;
    assertEquals((await walked(`${root}/file`, { filter })).lines, ["root file", "file file 600 3"]);
    assertEquals((await walked(`${root}/link`)).lines, ["root file", "file link 600 3"]);
    assertEquals((await walked(`${root}/file`)).files[0]!.name, "file");
  });
});

test("walk() rejects when there is nothing, or neither a folder nor a file", async () => {
  await withRoot(async (root) => {
    await assertRejects(() => walked(`${root}/none`), Deno.errors.NotFound);
    await run(["mkfifo", `${root}/pipe`]);
    await assertRejects(() => walked(`${root}/pipe`), TypeError, "neither a folder nor a file");
  });
});

test("walk() asks the filter with full paths, never for the root nor below what is left out", async () => {
  await withRoot(async (root) => {
    for (const name of ["in", "out", "in/deep"]) mkdir(`${root}/${name}`);
    for (const name of ["a", "in/b", "in/deep/c", "out/d"]) write(`${root}/${name}`);
    const asked: string[] = [];
    const filter = (path: string, entry: Deno.DirEntry): boolean => {
      asked.push(`${path.slice(root.length)} ${entry.name} ${entry.isDirectory}`);
      return entry.name !== "out" && entry.name !== "b";
    };
    const left = await walked(root, { filter, keep: true });
    assertEquals(asked, [
      "/a a false",
      "/in in true",
      "/out out true",
      "/in/b b false",
      "/in/deep deep true",
      "/in/deep/c c false",
    ]);
    assertEquals(left.lines.filter((line) => line.startsWith("keep")), ["keep out", "keep b"]);
    const { lines } = await walked(root, { filter });
    assert(!lines.some((line) => line.startsWith("keep")), "only where something may be removed");
  });
});

test("walk() rejects with what the filter throws", async () => {
  await withRoot(async (root) => {
    write(`${root}/a`);
    const thrown = new Error("the filter's");
    const filter = (): boolean => {
      throw thrown;
    };
    assertStrictEquals(await assertRejects(() => walked(root, { filter })), thrown);
  });
});

test("walk() treats links as its policy says", async () => {
  await withRoot(async (root) => {
    write(`${root}/file`, "abc");
    mkdir(`${root}/folder`);
    const links: Record<string, string> = {
      l1: "file",
      l2: `${root}/file`,
      l3: `${root}/folder/../folder/x//./y`,
      l4: root,
      l5: `${root}2`,
      l6: "/",
      l7: "nowhere",
      l8: "../../outside",
      l9: `${root}/..`,
    };
    for (const [name, to] of Object.entries(links)) Deno.symlinkSync(to, `${root}/${name}`);
    const shown = async (policy: WalkOptions["links"]): Promise<string[]> =>
      (await walked(root, { links: policy })).lines.filter((line) => line.startsWith("link"));
    assertEquals(await shown("keep"), Object.entries(links).map(([name, to]) => `link ${name} to ${to}`));
    assertEquals(await shown("rewrite"), [
      "link l1 to file",
      "link l2 inside file",
      "link l3 inside folder/x/y",
      "link l4 inside .",
      `link l5 to ${root}2`,
      "link l6 to /",
      "link l7 to nowhere",
      "link l8 to ../../outside",
      `link l9 to ${root}/..`,
    ]);
  });
});

test("walk() takes links by any name of the source to be links into it", async () => {
  await withRoot(async (root) => {
    mkdir(`${root}/real`);
    Deno.symlinkSync("real", `${root}/other`);
    Deno.symlinkSync(`${root}/real/a`, `${root}/real/one`);
    Deno.symlinkSync(`${root}/other/b`, `${root}/real/two`);
    assertEquals(await entries(`${root}/other`), ["link one inside a", "link two inside b"]);
  });
});

test("walk() follows links where it must, and reports those that lead nowhere or around", async () => {
  await withRoot(async (root) => {
    mkdir(`${root}/a`);
    write(`${root}/a/file`, "abc");
    Deno.symlinkSync("a/file", `${root}/f`);
    Deno.symlinkSync("a", `${root}/g`);
    Deno.symlinkSync("nowhere", `${root}/h`);
    Deno.symlinkSync("..", `${root}/a/loop`);
    Deno.symlinkSync(".", `${root}/a/self`);
    Deno.symlinkSync("turn", `${root}/turn`);
    const { lines, problems } = await walked(root, { links: "follow", keep: true });
    assertEquals(lines, [
      "root 755",
      "in 0",
      "folder a 755",
      "file f 644 3",
      "folder g 755",
      "keep h",
      "keep turn",
      "end",
      ...[1, 2].flatMap((id) => [`in ${id}`, "file file 644 3", "keep loop", "keep self", "end"]),
    ]);
    const around = "it is a symbolic link that leads to a folder around it";
    assertEquals(problems.filter((text) => !text.includes("turn")), [
      'Cannot copy "/h": it is a symbolic link that leads nowhere',
      ...["a", "g"].flatMap((name) => [
        `Cannot copy "/${name}/loop": ${around}`,
        `Cannot copy "/${name}/self": ${around}`,
      ]),
    ]);
    assertEquals(problems.length, 6);
  });
});

test("walk() reports special files, and has targets keep theirs", async () => {
  await withRoot(async (root) => {
    await run(["mkfifo", `${root}/pipe`]);
    write(`${root}/z`);
    const { lines, problems } = await walked(root, { keep: true });
    assertEquals(lines.slice(2), ["keep pipe", "file z 644 0", "end"]);
    assertEquals(problems, ['Cannot copy "/pipe": it is neither a file, a folder nor a symbolic link']);
    assertEquals(await entries(root), ["file z 644 0"]);
  });
});

test("walk() passes over what has vanished since its folder was read", async () => {
  await withRoot(async (root) => {
    for (const name of ["a", "b", "c"]) write(`${root}/${name}`);
    const filter = (path: string, { name }: Deno.DirEntry): boolean => {
      if (name === "b") Deno.removeSync(path);
      return true;
    };
    const { lines, problems } = await walked(root, { filter, keep: true });
    assertEquals(lines.slice(2), ["file a 644 0", "file c 644 0", "end"]);
    assertEquals(problems, []);
  });
});

test("walk() says so when a folder has vanished before it was read", async () => {
  await withRoot(async (root) => {
    for (const name of ["a", "b"]) mkdir(`${root}/${name}`);
    const filter = (_: string, { name }: Deno.DirEntry): boolean => {
      if (name === "b") Deno.removeSync(`${root}/a`);
      return true;
    };
    const { lines, problems } = await walked(root, { filter });
    assertEquals(lines.slice(4), ["end", "in 1", "end, not all", "in 2", "end"]);
    assertEquals(problems.length, 1);
    assert(problems[0]!.startsWith('Cannot copy "/a": '), problems[0]);
  });
});

test("walk() reports names that are not UTF-8, and has targets keep theirs", async () => {
  await withRoot(async (root) => {
    const script = 'cd "$1" && printf x > "$(printf "a\\377")" && printf x > "$(printf "a\\376")" && ' +
      'ln -s "$(printf "\\377")" link';
    await run(["sh", "-c", script, "sh", root]);
    write(`${root}/real\ufffd`);
    Deno.symlinkSync("real\ufffd", `${root}/real link`);
    const { lines, problems } = await walked(root, { keep: true });
    assertEquals(lines.slice(2), [
      "keep a\ufffd",
      "keep link",
      "link real link to real\ufffd",
      "file real\ufffd 644 0",
      "end",
    ]);
    const unnamed = 'Cannot copy "/a\ufffd": its name is not UTF-8, which Deno cannot name';
    assertEquals(problems.slice(0, 2), [unnamed, unnamed]);
    assertEquals(problems.length, 3);
    assert(problems[2]!.startsWith('Cannot copy "/link": '), problems[2]);
  });
});

test("walk() reports what has a name that copies use, and never names it to targets", async () => {
  await withRoot(async (root) => {
    write(`${root}/.execnet-rsync-123-0`);
    write(`${root}/a`);
    const { lines, problems } = await walked(root, { keep: true });
    assertEquals(lines.slice(2), ["file a 644 0", "end"]);
    assertEquals(problems, [
      'Cannot copy "/.execnet-rsync-123-0": its name is one of those that copies use for a while',
    ]);
    const left = await walked(root, { keep: true, filter: () => false });
    assertEquals([left.lines.slice(2), left.problems], [["keep a", "end"], []]);
  });
});

test("walk() lists folders of any number of entries, in parts", async () => {
  await withRoot(async (root) => {
    const count = 200_000;
    const many = function* (): Generator<Deno.DirEntry> {
      for (let i = count; i > 0; i--) {
        yield { name: `${i}`, isFile: true, isDirectory: false, isSymlink: false };
      }
    };
    write(`${root}/file`);
    const info = Deno.lstatSync(`${root}/file`);
    await replacing("readDirSync", () => many, () =>
      replacing("lstatSync", () => () => info, async () => {
        const { files, batches, problems } = await walked(root);
        assertEquals([files.length, problems], [count, []]);
        assert(batches[0]!.files.length <= 32);
        assert(batches.every((batch) => batch.files.length <= 512));
      }));
  });
});

test("walk() lists what was modified when no Date can be", async () => {
  await withRoot(async (root) => {
    write(`${root}/a`);
    const lstat = (real: typeof Deno.lstatSync): typeof Deno.lstatSync => (path) => ({
      ...real(path),
      mtime: new Date(NaN),
    });
    await replacing("lstatSync", lstat, async () => {
      const { files, lines } = await walked(root);
      assertEquals([files[0]!.mtime, lines.slice(2)], [0, ["file a 644 0", "end"]]);
    });
  });
});

test("walk() says so when it may not read a folder", async () => {
  await withRoot(async (root) => {
    mkdir(`${root}/a`);
    const readDir = (real: typeof Deno.readDirSync): typeof Deno.readDirSync => (path) => {
      if (String(path).endsWith("/a")) throw new Deno.errors.PermissionDenied("Permission denied");
      return real(path);
    };
    await replacing("readDirSync", readDir, async () => {
      const { lines, problems } = await walked(root);
      assertEquals(lines.slice(2), [
        "folder a 755",
        "end",
        "in 1",
        "end, not all",
      ]);
      assertEquals(problems.length, 1);
    });
  });
});
