import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "jsr:@std/assert@^1.0.19";
import { SMALL_BYTES, Source, SourceError } from "../../rsync/source.ts";
import type { OpenFile } from "../../rsync/source.ts";
import type { SourceFile } from "../../rsync/walk.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { concat } from "../helpers/sessions.ts";
import { setTime } from "../helpers/tree.ts";
import { run } from "../parts/run.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const TIME = Date.UTC(2020, 0, 1);
const LARGE = new Uint8Array(2_500_000).map((_, i) => i ^ (i >>> 8));

/** A file of a source, as the walk found it. */
function fileAt(path: string, content: Bytes, index = 0): SourceFile {
  Deno.writeFileSync(path, content);
  Deno.chmodSync(path, 0o640);
  setTime(path, TIME);
  return { index, path, name: `f${index}`, size: content.length, mode: 0o640, mtime: TIME };
}

/** Does something to a file after so many pieces of it were read. */
async function readWith(opened: OpenFile, after: number, action: () => void): Promise<Bytes> {
  const parts: Bytes[] = [];
  for await (const piece of opened.pieces()) {
    parts.push(piece.slice());
    if (parts.length === after) action();
  }
  return concat(...parts);
}

function withFile(body: (folder: string) => void): Promise<void> {
  return withFolder((folder) => Promise.resolve(body(folder)));
}

async function assertChanged(promise: Promise<unknown>, text: string): Promise<void> {
  const error = await assertRejects(() => promise, SourceError, text);
  assert(error.changed);
}

test("Source.small() gives all of a small file, with what it is", () =>
  withFile((folder) => {
    for (const size of [0, 1, SMALL_BYTES]) {
      const content = LARGE.slice(0, size);
      const small = new Source(false, 1).small(fileAt(`${folder}/f`, content));
      assertEquals(small, { content, size, mode: 0o640, mtime: TIME });
    }
  }));

test("Source.small() gives nothing when the file is small no more", () =>
  withFile((folder) => {
    const file = fileAt(`${folder}/f`, new Uint8Array(10));
    Deno.writeFileSync(file.path, new Uint8Array(SMALL_BYTES + 1));
    assertStrictEquals(new Source(false, 1).small(file), undefined);
  }));

test("Source.small() gives a file as it is now, not as it was listed", () =>
  withFile((folder) => {
    const file = fileAt(`${folder}/f`, new Uint8Array(10));
    Deno.writeFileSync(file.path, Uint8Array.of(1, 2));
    setTime(file.path, TIME + 5000);
    const small = new Source(false, 1).small(file)!;
    assertEquals([[...small.content], small.size, small.mtime], [[1, 2], 2, TIME + 5000]);
  }));

test("Source.small() reads a file once for several targets, and keeps no more than 8 MiB", () =>
  withFile((folder) => {
    const content = LARGE.slice(0, SMALL_BYTES);
    const files = Array.from({ length: 140 }, (_, i) => fileAt(`${folder}/f${i}`, content, i));
    const source = new Source(false, 2);
    const first = files.map((file) => source.small(file)!);
    const kept = files.filter((file, i) => source.small(file) === first[i]);
    assert(!kept.includes(files[0]!), "the oldest ones go");
    const last = source.small(files[139]!);
    assertStrictEquals(source.small(files[139]!), last);
    const alone = new Source(false, 1);
    assert(alone.small(files[0]!) !== alone.small(files[0]!), "nobody else wants it");
  }));

test("Source.small() keeps few files that are next to empty, for each takes memory besides", () =>
  withFile((folder) => {
    const source = new Source(false, 2);
    const file = fileAt(`${folder}/f`, new Uint8Array(0));
    const first = source.small(file);
    for (let index = 1; index < 10_000; index++) source.small({ ...file, index });
    assert(source.small(file) !== first, "ten thousand are kept");
  }));

test("Source says what cannot be read, which is not worth another try", () =>
  withFile((folder) => {
    const file = fileAt(`${folder}/f`, new Uint8Array(10));
    Deno.removeSync(file.path);
    for (const read of [() => new Source(false, 1).small(file), () => new Source(false, 1).open(file)]) {
      const error = assertThrows(read, SourceError);
      assert(!error.changed);
      assert(error.cause instanceof Deno.errors.NotFound);
    }
  }));

test("Source never opens what has come in place of a file", async () => {
  await withFolder(async (folder) => {
    const file = fileAt(`${folder}/f`, new Uint8Array(10));
    fileAt(`${folder}/secret`, new Uint8Array(10));
    const others: (() => unknown)[] = [
      () => run(["mkfifo", file.path]),
      () => Deno.mkdirSync(file.path),
      () => Deno.symlinkSync("secret", file.path),
    ];
    const open = Deno.openSync;
    Deno.openSync = (): never => {
      throw new Error("It was opened");
    };
    try {
      for (const make of others) {
        Deno.removeSync(file.path);
        await make();
        assertThrows(() => new Source(false, 1).small(file), SourceError, "it is no file any more");
        assertThrows(() => new Source(false, 1).open(file), SourceError, "it is no file any more");
      }
    } finally {
      Deno.openSync = open;
    }
    // Where links are followed, it is read; a pipe behind a link is not.
    assertEquals(new Source(true, 1).small(file)!.size, 10);
    Deno.removeSync(`${folder}/secret`);
    await run(["mkfifo", `${folder}/secret`]);
    assertThrows(() => new Source(true, 1).small(file), SourceError, "it is no file any more");
    assertThrows(() => new Source(true, 1).open(file), SourceError, "it is no file any more");
  });
});

test("Source notices when another file has come between looking and opening", () =>
  withFile((folder) => {
    const file = fileAt(`${folder}/f`, new Uint8Array(10));
    fileAt(`${folder}/other`, new Uint8Array(10));
    const open = Deno.openSync;
    for (const read of [() => new Source(false, 1).small(file), () => new Source(false, 1).open(file)]) {
      Deno.openSync = () => open(`${folder}/other`);
      try {
        assert(assertThrows(read, SourceError, "it changed while it was read").changed);
      } finally {
        Deno.openSync = open;
      }
    }
  }));

test("OpenFile.pieces() gives all of a file", async () => {
  await withFolder(async (folder) => {
    for (const size of [0, 1, 1024 * 1024, 1024 * 1024 + 1, LARGE.length]) {
      const content = LARGE.slice(0, size);
      using opened = new Source(false, 1).open(fileAt(`${folder}/f`, content));
      assertEquals(opened.snapshot, { size, mode: 0o640, mtime: TIME });
      const read = await readWith(opened, -1, () => {});
      assertEquals(read.length, size);
      assert(read.every((byte, i) => byte === content[i]));
    }
  });
});

test("OpenFile.pieces() notices what happens to the file meanwhile", async () => {
  await withFolder(async (folder) => {
    const changes: Record<string, (path: string) => void> = {
      "it changed while it was read": (path) => Deno.writeFileSync(path, Uint8Array.of(1), { append: true }),
      "it shrank while it was read": (path) => Deno.truncateSync(path, 1_000_000),
      "it changed while": (path) => {
        using file = Deno.openSync(path, { write: true });
        file.writeSync(Uint8Array.of(1));
      },
    };
    for (const [text, change] of Object.entries(changes)) {
      const file = fileAt(`${folder}/f`, LARGE);
      using opened = new Source(false, 1).open(file);
      await assertChanged(readWith(opened, 1, () => change(file.path)), text);
    }
  });
});

test("OpenFile.pieces() goes on reading a file that was replaced, which is still whole", async () => {
  await withFolder(async (folder) => {
    const file = fileAt(`${folder}/f`, LARGE);
    using opened = new Source(false, 1).open(file);
    const read = await readWith(opened, 1, () => {
      Deno.writeFileSync(`${folder}/new`, Uint8Array.of(1));
      Deno.renameSync(`${folder}/new`, file.path);
    });
    assert(read.every((byte, i) => byte === LARGE[i]));
  });
});

test("OpenFile can be closed amid its pieces", async () => {
  await withFolder(async (folder) => {
    using opened = new Source(false, 1).open(fileAt(`${folder}/f`, LARGE));
    for await (const piece of opened.pieces()) {
      assertEquals(piece.length, 1024 * 1024);
      break;
    }
  });
});
