import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import type { Channel } from "../../channel/channel.ts";
import type { ChannelReadFile, ChannelWriteFile } from "../../channel/channel_file.ts";
import { ChannelClosedError, TimeoutError } from "../../channel/errors.ts";
import { RemoteError } from "../../channel/remote_error.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { Random } from "../helpers/seeded.ts";
import { type Ends, withPair } from "../helpers/sessions.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function withEnds(body: (ends: Ends) => Promise<void>): Promise<void> {
  return withPair({}, async (pair) => await body(await pair.open()));
}

/** Sends items, ends the channel, and gives a file that reads them. */
async function fileOf(
  { near, far }: Ends,
  items: readonly unknown[],
  error?: string,
): Promise<ChannelReadFile> {
  for (const item of items) await far.send(item as never);
  await far.close(error);
  return near.makeFile("r");
}

test("makeFile() gives files of precise types and refuses other modes and options", () =>
  withEnds(({ near }) => {
    const read: ChannelReadFile = near.makeFile("r");
    const write: ChannelWriteFile = near.makeFile("w", { proxyClose: true });
    assert(!read.isTTY && !write.isTTY && !read.isatty() && !write.isatty());
    for (const mode of ["rw", "", "R", undefined, 1]) {
      assertThrows(() => near.makeFile(mode as never), RangeError, 'the mode must be "w" or "r"');
    }
    assertThrows(() => near.makeFile("w", { proxyClose: 1 } as never), TypeError, "proxyClose");
    return Promise.resolve();
  }));

test("write() sends each piece as one item, a subclass of Uint8Array too", () =>
  withEnds(async ({ near, far }) => {
    const file = near.makeFile("w");
    class Special extends Uint8Array {}
    for (const piece of ["a", "", bytes("b"), new Special([1, 2])]) await file.write(piece);
    await file.flush();
    assertEquals([await far.receive(), await far.receive(), await far.receive()], ["a", "", bytes("b")]);
    const last = await far.receive() as unknown as Uint8Array;
    assertEquals(Object.getPrototypeOf(last), Uint8Array.prototype);
    assertEquals([...last], [1, 2]);
    for (const bad of [1, null, undefined, ["a"], {}]) {
      await assertRejects(() => file.write(bad as never), TypeError, "not a string or a Uint8Array");
    }
  }));

test("write() rejects after the channel or the file was closed, and close() keeps the channel open", () =>
  withEnds(async ({ near, far }) => {
    const first = near.makeFile("w");
    await first.write("a");
    await first.close();
    await first.close();
    await assertRejects(() => first.write("b"), ChannelClosedError, "the file is closed");
    assert(!near.isClosed());
    const second = near.makeFile("w");
    await second.write("c");
    assertEquals([await far.receive(), await far.receive()] as unknown[], ["a", "c"]);
    await far.close();
    await near.waitClose();
    await assertRejects(() => second.write("d"), ChannelClosedError, "closed by the far side");
    await assertRejects(() => second.flush(), ChannelClosedError, "closed by the far side");
  }));

test("close() with proxyClose closes the channel after what was written", () =>
  withEnds(async ({ near, far }) => {
    {
      await using file = near.makeFile("w", { proxyClose: true });
      void file.write("a");
    }
    assert(near.isClosed());
    assertEquals(await far.makeFile("r").read(Infinity), "a");
    assert(far.isClosed());
  }));

test("flush() waits for the window, with a deadline, and for nothing when all is sent", () =>
  withEnds(async ({ near, far }) => {
    const file = near.makeFile("w");
    await file.flush({ timeout: 0 });
    const big = new Uint8Array(4 * 1024 * 1024);
    for (let i = 0; i < 2; i++) void file.write(big);
    const flushed = watch(file.flush());
    await assertRejects(() => file.flush({ timeout: 0 }), TimeoutError, "not all sent");
    await assertRejects(() => file.flush({ signal: AbortSignal.abort(new Error("stop")) }), Error, "stop");
    await assertRejects(() => file.flush({ timeout: -1 }), RangeError);
    await settle();
    assertEquals(flushed.state, "pending");
    for (let i = 0; i < 2; i++) {
      assertEquals((await far.receive() as unknown as Uint8Array).length, big.length);
    }
    await settle();
    assertEquals(flushed.state, "resolved");
  }));

test("an error of a write that nobody awaits harms nobody, and flush() tells it", () =>
  withEnds(async ({ near, far }) => {
    const file = near.makeFile("w");
    for (let i = 0; i < 2; i++) void file.write(new Uint8Array(4 * 1024 * 1024));
    const flushed = watch(file.flush());
    await far.close("no more");
    await settle();
    assert(flushed.reason instanceof ChannelClosedError);
    void file.write("x");
    await settle();
    await assertRejects(() => file.flush(), ChannelClosedError);
  }));

test("writable writes, and ends the file in all ways", () =>
  withEnds(async ({ near, far }) => {
    const file = near.makeFile("w");
    assert(file.writable === file.writable);
    await ReadableStream.from(["a", bytes("b")]).pipeTo(file.writable);
    await assertRejects(() => file.write("c"), ChannelClosedError, "the file is closed");
    assert(!near.isClosed());
    assertEquals([await far.receive(), await far.receive()] as unknown[], ["a", bytes("b")]);
    await near.makeFile("w").writable.abort("why");
    assert(!near.isClosed());
    await near.makeFile("w", { proxyClose: true }).writable.abort(new RangeError("why"));
    assertEquals((await assertRejects(() => far.receive(), RemoteError)).remoteName, "RangeError");
  }));

test("read() gives exactly what was asked for across items, less at the end, then nothing", () =>
  withEnds(async (ends) => {
    const file = await fileOf(ends, ["12", "", "345", "6789", "0"]);
    const parts: unknown[] = [];
    for (const count of [1, 0, 3, 5, 5, 5, 1]) parts.push(await file.read(count));
    assertEquals(parts, ["1", "", "234", "56789", "0", "", ""]);
    assertEquals(await file.readLine(), "");
    assertEquals(await file.read(Infinity), "");
  }));

test("read() gives bytes where the items are bytes, at the end no bytes", () =>
  withEnds(async (ends) => {
    const file = await fileOf(ends, [bytes("12"), bytes(""), bytes("345")]);
    const parts: unknown[] = [];
    for (const count of [3, 3, 3]) parts.push(await file.read(count));
    assertEquals(parts, [bytes("123"), bytes("45"), bytes("")]);
  }));

test("read() counts characters and never cuts one, also where an item does", () =>
  withEnds(async (ends) => {
    const file = await fileOf(ends, [
      "a\u{1f600}b\u{1f601}",
      "\ud83d",
      "",
      "\ude02c\ud83d",
      "\ud83d\ude03",
      "\ud800",
    ]);
    const parts: unknown[] = [];
    for (const count of [2, 1, 2, 1, 1, 2, 5]) parts.push(await file.read(count));
    assertEquals(parts, ["a\u{1f600}", "b", "\u{1f601}\u{1f602}", "c", "\ud83d", "\u{1f603}\ud800", ""]);
  }));

test("read() refuses a count that is none", () =>
  withEnds(async ({ near }) => {
    const file = near.makeFile("r");
    for (const bad of [undefined, "1", null]) await assertRejects(() => file.read(bad as never), TypeError);
    for (const bad of [-1, 1.5, NaN, -Infinity]) await assertRejects(() => file.read(bad), RangeError);
  }));

test("readLine() gives lines with their break, then the rest without one, then nothing", () =>
  withEnds(async (ends) => {
    const file = await fileOf(ends, ["12", "3\n", "\n\r\n4", "5"]);
    const lines: unknown[] = [];
    for (let i = 0; i < 6; i++) lines.push(await file.readLine());
    assertEquals(lines, ["123\n", "\n", "\r\n", "45", "", ""]);
  }));

test("iteration gives the lines; read(), readLine() and loops go on where the other was", () =>
  withEnds(async (ends) => {
    const file = await fileOf(ends, ["ab\ncd\nef", "\ngh\nij"]);
    assertEquals(await file.read(1), "a");
    assertEquals(await file.readLine(), "b\n");
    for await (const line of file) {
      assertEquals(line, "cd\n");
      break;
    }
    assertEquals(await file.read(4), "ef\ng");
    assertEquals(await Array.fromAsync(file), ["h\n", "ij"]);
    assertEquals(await Array.fromAsync(file), []);
  }));

test("readLine() reads bytes as UTF-8, though a character is cut by an item", () =>
  withEnds(async (ends) => {
    const whole = bytes("\ufeffé\u{1f600}\nü");
    const items = Array.from(whole, (_, i) => whole.slice(i, i + 1));
    const file = await fileOf(ends, [...items, new Uint8Array([0xff])]);
    assertEquals(await file.read(3), bytes("\ufeff"));
    assertEquals(await file.readLine(), "é\u{1f600}\n");
    assertEquals(await file.readLine(), "ü\ufffd");
    assertEquals(await file.readLine(), "");
  }));

test("an error at the end is thrown once, after what came before it", () =>
  withEnds(async (ends) => {
    const file = await fileOf(ends, ["123\n45"], "why");
    assertEquals(await file.readLine(), "123\n");
    assertEquals(await file.readLine(), "45");
    await assertRejects(() => file.readLine(), RemoteError, "why");
    assertEquals([await file.readLine(), await file.read(1)], ["", ""]);
  }));

test("an error at the end reaches read(), loops and streams alike", async () => {
  await withEnds(async (ends) => {
    const file = await fileOf(ends, [bytes("12")], "why");
    assertEquals(await file.read(5), bytes("12"));
    await assertRejects(() => file.read(5), RemoteError, "why");
    assertEquals(await file.read(5), bytes(""));
  });
  await withEnds(async (ends) => {
    const lines: string[] = [];
    const file = await fileOf(ends, ["a\nb"], "why");
    await assertRejects(async () => {
      for await (const line of file) lines.push(line);
    }, RemoteError);
    assertEquals(lines, ["a\n", "b"]);
  });
  await withEnds(async (ends) => {
    const pieces: unknown[] = [];
    const file = await fileOf(ends, ["a", "b"], "why");
    await assertRejects(async () => {
      for await (const piece of file.readable) pieces.push(piece);
    }, RemoteError);
    assertEquals(pieces, ["a", "b"]);
  });
});

test("text and bytes mixed, or anything else, are a TypeError after what came before, every time", async () => {
  const cases: [unknown[], string][] = [
    [["ab", bytes("c"), "d"], "bytes after text"],
    [[bytes("ab"), "c", bytes("d")], "text after bytes"],
    [["ab", 1], "neither text nor bytes, but number"],
    [[bytes("ab"), null], "neither text nor bytes, but null"],
  ];
  for (const [items, message] of cases) {
    await withEnds(async (ends) => {
      const file = await fileOf(ends, items);
      assertEquals(await file.readLine(), "ab");
      for (let i = 0; i < 2; i++) await assertRejects(() => file.readLine(), TypeError, message);
      await assertRejects(() => file.read(1), TypeError, message);
    });
  }
  await withEnds(async (ends) => {
    const file = await fileOf(ends, [{ a: 1 }, "text"]);
    await assertRejects(() => file.read(1), TypeError, "but object");
    assertEquals(await ends.near.receive(), "text");
  });
});

test("a read that its timeout or signal ends loses nothing", () =>
  withEnds(async ({ near, far }) => {
    const file = near.makeFile("r");
    await far.send("ab");
    await settle();
    await assertRejects(() => file.read(3, { timeout: 0 }), TimeoutError, "after 0 ms");
    await assertRejects(() => file.readLine({ timeout: 5 }), TimeoutError, "after 5 ms");
    const stop = new AbortController();
    const stopped = watch(file.readLine({ signal: stop.signal }));
    await settle();
    stop.abort(new Error("stop"));
    await settle();
    assertEquals((stopped.reason as Error).message, "stop");
    await assertRejects(() => file.read(1, { signal: stop.signal }), Error, "stop");
    await assertRejects(() => file.read(1, { timeout: -1 }), RangeError);
    await far.send("c\n");
    assertEquals(await file.readLine(), "abc\n");
  }));

test("reads that overlap are served in turn, also when one gives up", () =>
  withEnds(async ({ near, far }) => {
    const file = near.makeFile("r");
    const first = file.read(3);
    const second = watch(file.read(1, { timeout: 0 }));
    const third = file.readLine();
    const fourth = file.read(2);
    await settle();
    assert(second.reason instanceof TimeoutError);
    for (const item of ["ab", "cd", "e\nf"]) await far.send(item);
    await far.close();
    assertEquals([await first, await third, await fourth], ["abc", "de\n", "f"]);
  }));

test("a closed file reads no more; without proxyClose the channel goes on", () =>
  withEnds(async ({ near, far }) => {
    await far.send("ab");
    await far.send("cd");
    const file = near.makeFile("r");
    assertEquals(await file.read(1), "a");
    await file.close();
    await assertRejects(() => file.read(1), ChannelClosedError, "the file is closed");
    await assertRejects(() => file.readLine(), ChannelClosedError, "the file is closed");
    assertEquals(await near.receive(), "cd");
    const proxy = near.makeFile("r", { proxyClose: true });
    const waiting = proxy.read(1);
    await proxy.close();
    assertEquals(await waiting, "");
    assert(near.isClosed());
  }));

test("a file of a channel with a callback cannot read", () =>
  withEnds(async ({ near }) => {
    near.setCallback(() => {});
    await assertRejects(() => near.makeFile("r").readLine(), TypeError, "it has a callback");
  }));

test("readable gives what is there, in pieces, and cancelling closes the file", () =>
  withEnds(async (ends) => {
    const file = await fileOf(ends, ["ab\nc", "", "\ud83d", "\ude00"]);
    assertEquals(await file.readLine(), "ab\n");
    assert(file.readable === file.readable);
    assertEquals(await Array.fromAsync(file.readable), ["c", "\u{1f600}"]);
    const other = ends.near.makeFile("r");
    await other.readable.cancel();
    await assertRejects(() => other.read(1), ChannelClosedError);
  }));

test("a file receives nothing before it is asked to", () =>
  withEnds(async ({ near, far }) => {
    for (const item of ["a\n", "b\n"]) await far.send(item);
    const file = near.makeFile("r");
    void file.readable;
    assertEquals(await file.readLine(), "a\n");
    assertEquals(await near.receive(), "b\n");
  }));

test("however it is cut and read, the same text comes out", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const alphabet = ["a", "\n", "é", "\u{1f600}", "\r\n", "xyz"];
    const text = Array.from({ length: random.below(300) }, () => alphabet[random.below(alphabet.length)])
      .join("");
    const asBytes = random.chance(0.5);
    const source = asBytes ? bytes(text) : text;
    const items: unknown[] = [];
    for (let at = 0; at < source.length;) {
      const to = at + random.below(9);
      items.push(source.slice(at, to));
      at = to;
    }
    await withEnds(async (ends) => {
      const file = await fileOf(ends, items);
      let got = "";
      while (true) {
        const byLine = asBytes || random.chance(0.5);
        const part = byLine ? await file.readLine() : await file.read(random.between(1, 12));
        if (part.length === 0) break;
        if (byLine) assert(!(part as string).slice(0, -1).includes("\n"), `seed ${seed}`);
        got += part as string;
      }
      assertEquals(got, text, `seed ${seed}`);
    });
  }
});

/** A channel that gives items without a wire, so that only the file's own work is measured. */
function timeToRead(items: number, size: number): Promise<number> {
  const item = "x".repeat(size);
  let left = items;
  return withEndsValue(async ({ near }) => {
    const source = near as unknown as { receive: () => Promise<unknown> };
    source.receive = () => Promise.resolve(left-- > 0 ? item : `\n`);
    const file = (near as Channel).makeFile("r");
    const started = performance.now();
    assertEquals((await file.readLine()).length, items * size + 1);
    return performance.now() - started;
  });
}

async function withEndsValue<T>(body: (ends: Ends) => Promise<T>): Promise<T> {
  let value: T | undefined;
  await withEnds(async (ends) => void (value = await body(ends)));
  return value!;
}

test("readLine() is not quadratic in the items of a line, nor in the lines of an item", async () => {
  await timeToRead(20_000, 10);
  const small = await timeToRead(20_000, 10);
  const large = await timeToRead(200_000, 10);
  assert(large < Math.max(small, 5) * 60, `${small} ms and ten times as much in ${large} ms`);
  await withEnds(async (ends) => {
    const lines = 100_000;
    const file = await fileOf(ends, ["ab\n".repeat(lines)]);
    let count = 0;
    for await (const line of file) count += line.length;
    assertEquals(count, lines * 3);
  });
});
