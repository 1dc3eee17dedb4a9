/** Progress bars, without a terminal. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { barLine, type Row } from "../../cli/bar.ts";
import { clip } from "../../cli/columns.ts";
import { amount, clock } from "../../cli/units.ts";
import { Progress } from "../../cli/progress.ts";
import { wantsColours } from "../../cli/style.ts";
import { test } from "../helpers/bounded.ts";

const ROW: Row = {
  label: "rsync",
  done: 512,
  total: 2048,
  unit: "bytes",
  elapsed: 2000,
  note: "1 of 4 files",
};

test("barLine() shows how far, how fast and how long, as wide as there is room", () => {
  assertEquals(
    barLine(ROW, 100),
    "rsync  25% [=======>                      ]  512 B of 2.0 KiB  256 B/s  0:06 left  1 of 4 files",
  );
  assertEquals(
    barLine(ROW, 79),
    "rsync  25% [===>          ]  512 B of 2.0 KiB  256 B/s  0:06 left  1 of 4 files",
  );
  assertEquals(barLine(ROW, 70), "rsync  25%  512 B of 2.0 KiB  256 B/s  0:06 left  1 of 4 files");
  assertEquals(barLine(ROW, 20), "rsync  25%  512 B o…");
  assertEquals(
    barLine({ ...ROW, done: 2048 }, 90),
    `rsync 100% [${"=".repeat(30)}]  2.0 KiB of 2.0 KiB  1.0 KiB/s  1 of 4 files`,
  );
  assertEquals(
    barLine({ label: "map", done: 7, unit: "items", elapsed: 65_000 }, 80),
    "map  7  0.1/s  1:05",
  );
  for (let columns = 1; columns < 130; columns++) {
    for (const done of [0, 1, 2047, 2048, 5000]) {
      assert(barLine({ ...ROW, done }, columns).length <= columns, `${done} in ${columns}`);
    }
  }
  // Nothing is said of speed at the very beginning, nor of all while there is nothing.
  assertEquals(barLine({ ...ROW, elapsed: 10, total: 0, done: 0, note: "" }, 80), "rsync  0 B of 0 B  0:00");
});

test("amounts, times and wide letters are short and exact", () => {
  assertEquals([0, 1023, 1024, 1_048_575, 2 ** 30 * 1.5, 2 ** 55].map((count) => amount(count, "bytes")), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1024 KiB",
    "1.5 GiB",
    "32768 TiB",
  ]);
  assertEquals([0, 0.25, 99.94, 1234.5].map((count) => amount(count, "items")), ["0", "0.3", "99.9", "1235"]);
  assertEquals([0, 59_600, 3_599_000, 3_725_000].map(clock), ["0:00", "1:00", "59:59", "1:02:05"]);
  assertEquals([clip("日本語", 6), clip("日本語", 5), clip("abc", 3), clip("abcd", 3)], [
    "日本語",
    "日本…",
    "abc",
    "ab…",
  ]);
});

test("Progress draws over what it drew, gives way to other lines, and leaves nothing", () => {
  let text = "";
  let count = 1;
  const screen = { write: (more: string): void => void (text += more), columns: (): number => 40 };
  const rows = (): Row[] =>
    Array.from({ length: count }, (_, i) => ({ label: `gw${i}`, done: 1, unit: "items", elapsed: 0 }));
  const take = (): string => [text, text = ""][0]!;
  const progress = new Progress(screen, rows);
  progress.draw();
  assertEquals(take(), "gw0  1  0:00\n");
  count = 2;
  progress.draw();
  assertEquals(take(), "\x1b[1A\r\x1b[Jgw0  1  0:00\ngw1  1  0:00\n");
  progress.hide();
  progress.hide();
  assertEquals(take(), "\x1b[2A\r\x1b[J");
  count = 40;
  progress.draw();
  assertEquals(take().split("\n").slice(-2), ["and 28 more", ""]);
  progress.end();
  progress.draw();
  progress[Symbol.dispose]();
  assertEquals(take(), "\x1b[13A\r\x1b[J");
  // Without a terminal there is nothing at all.
  using none = new Progress(undefined, rows);
  none.draw();
  assertEquals(text, "");
});

test("wantsColours() obeys NO_COLOR over FORCE_COLOR over the terminal", () => {
  const wants = (env: Record<string, string>): boolean | undefined => wantsColours((name) => env[name]);
  assertEquals(wants({}), undefined);
  assertEquals(wants({ NO_COLOR: "" }), undefined);
  assertEquals(wants({ NO_COLOR: "1", FORCE_COLOR: "1" }), false);
  assertEquals([wants({ FORCE_COLOR: "1", TERM: "dumb" }), wants({ FORCE_COLOR: "0" })], [true, false]);
  assertEquals(wants({ TERM: "dumb" }), false);
});
