import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import type { Channel } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { Honest } from "./watch.ts";

const PROGRAM = new URL("endless_line.ts", import.meta.url).pathname;
const BYTES = 48 * 1024 * 1024;

/** What a program of this size takes in KiB, and far less than the line. */
const MOST_KIB = 110 * 1024;

test("stderr: prefix ends a line that does not end, and keeps little of it", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", PROGRAM, String(BYTES)],
  }).output();
  assert(success);
  const lines = new TextDecoder().decode(stderr).split("\n");
  assertEquals(lines.pop(), "");
  assert(lines.every((line) => line.startsWith("[far] ")));
  assertEquals(lines.reduce((sum, line) => sum + line.length - "[far] ".length, 0), BYTES);
  const kib = Number(new TextDecoder().decode(stdout));
  assert(kib < MOST_KIB, `${kib} KiB`);
});

/** What is on its way from a Worker at most, in lines of this size; one more is being written, and one being counted. */
const LINE = 64 * 1024;
const MOST_LINES = (1024 * 1024) / LINE + 2;

/** Keeps this isolate busy, without a turn of its event loop. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

for (const model of ["worker", "main"]) {
  test(
    `what a Worker of this program prints without end waits for this program (execmodel=${model})`,
    async () => {
      const leaks = new LeakCheck();
      await withFolder(async (folder) => {
        const file = `${folder}/lines`;
        Deno.writeTextFileSync(file, "0".padStart(12));
        await using group = new Group();
        await using honest = new Honest(await group.makeGateway("popen//execmodel=main"));
        const gateway = await group.makeGateway(`worker//execmodel=${model}//allow-write=${file}`, {
          stderr: "null",
        });
        const channel = gateway.remoteExec(
          (_: Channel, { file, line }: { file: string; line: number }) => {
            // The file is neither emptied between, nor made again while the test removes it.
            const count = Deno.openSync(file, { write: true });
            for (let i = 0;; i++) {
              console.log("x".repeat(line - 1));
              count.seekSync(0, Deno.SeekMode.Start);
              count.writeSync(new TextEncoder().encode(String(i).padStart(12)));
            }
          },
          { file, line: LINE },
        );
        const printed = (): number => Number(Deno.readTextFileSync(file));
        await until("it prints", () => printed() > MOST_LINES);
        const before = printed();
        block(500);
        const lines = printed() - before;
        assert(lines <= MOST_LINES, `${lines} lines are on their way`);
        await honest.beside(async (isEnough) => void await until("others are answered", isEnough, 20_000));
        channel.kill();
        const exit = await gateway.terminate(1_000);
        assertEquals(exit.reason, "requested");
      });
      await leaks.done();
    },
    60_000,
  );
}
