/** Allocations of a real Slurm: what one can do with them. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { SlurmError } from "../../gateway/slurm/explain.ts";
import { testWith } from "../parts/need.ts";
import { NODES, SLURM } from "../parts/slurm.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";
import { withSite } from "../slurm/site.ts";

testWith(
  SLURM,
  "An allocation of three nodes runs a task on each, and two on one, all at once",
  () =>
    withSite(async (site) => {
      const allocation = await site.request({ nodes: 3 });
      assertEquals(allocation.nodes, NODES);
      assertEquals(allocation.own, false);
      const bytes = Uint8Array.from({ length: 256 * 1024 }, (_, i) => (i ^ (i >> 8)) & 255);
      const tasks = [0, 1, 2, 0].map((index) =>
        site.spawnOn(allocation, index, "echo $SLURMD_NODENAME; exec cat")
      );
      // All have answered before one of them ends, so that none waits for another.
      const readers = tasks.map((task) => task.stdout.getReader());
      const names = await Promise.all(readers.map(async (reader) => {
        const { value } = await limited("the name of a node", reader.read());
        return new TextDecoder().decode(value).trim();
      }));
      assertEquals(names, ["n1", "n2", "n3", "n1"]);
      await Promise.all(tasks.map(async (task, i) => {
        const sending = (async () => {
          const writer = task.stdin.getWriter();
          await writer.write(bytes);
          await writer.close();
        })();
        const got = new Uint8Array(bytes.length);
        let length = 0;
        for (let chunk; !(chunk = await readers[i]!.read()).done; length += chunk.value.length) {
          got.set(chunk.value, length);
        }
        await sending;
        assertEquals(length, bytes.length);
        assert(got.every((byte, at) => byte === bytes[at]));
        await task.stderr.cancel();
        assertEquals((await task.status).code, 0);
      }));
      await allocation.release();
      await site.slurm.idle();
      assertEquals(await allocation.ended, { ...await allocation.ended, released: true, reason: "released" });
      await site.slurm.clean();
    }),
);

testWith(
  SLURM,
  "A step's stdin ends, its stderr is its own, its exit code passes",
  () =>
    withSite(async (site) => {
      await using allocation = await site.request({});
      assertEquals(allocation.nodes, ["n1"]);
      assertEquals(await site.run(allocation, 0, "cat; echo err >&2; exit 7"), ["", 7]);
      const [text] = await site.run(
        allocation,
        0,
        "[ -p /dev/stdin ] && kill -0 -$$ && echo leader; test -t 1 && echo tty",
      );
      assertEquals(text, "leader\ntty\n");
    }),
);

testWith(SLURM, "Allocation.prefix() refuses a node that is not there", () =>
  withSite(async (site) => {
    await using allocation = await site.request({ nodes: 2 });
    assertThrows(() => allocation.prefix(2), RangeError, "it has 2");
    assertThrows(() => allocation.prefix(-1), RangeError);
    assertThrows(() => allocation.prefix(0.5), RangeError);
  }));

testWith(
  SLURM,
  "Allocation.release() ends tasks that ignore SIGTERM at once, and is idempotent",
  () =>
    withSite(async (site) => {
      const allocation = await site.request({ nodes: 3 });
      const tasks = [0, 1, 2].map((i) =>
        site.spawnOn(allocation, i, 'trap "" TERM; echo up; while :; do sleep 0.1; done')
      );
      const taps = tasks.map((task) => new TextTap(task.stdout));
      for (const tap of taps) await tap.has("up");
      const started = performance.now();
      const released = allocation.release();
      assertEquals(allocation.release(), released);
      await released;
      for (const task of tasks) {
        await limited("the end of a task", task.status);
        await task.stdin.close().catch(() => {});
        await task.stderr.cancel();
      }
      await site.slurm.idle();
      assert(performance.now() - started < 10_000); // Slurm by itself waits 30 s
      for (const tap of taps) await tap.ended;
      await site.slurm.clean();
    }),
);

testWith(
  SLURM,
  "What Slurm refuses is told with its kind and its own words, and nothing is left",
  () =>
    withSite(async (site) => {
      const refusals = [
        [{ partition: "nope" }, "refused", /no such partition/],
        [{ partition: "private", account: "chemistry" }, "auth", /account/],
        [{ time: "soon" }, "refused", /time limit/],
        [{ nodes: 9 }, "refused", /no such nodes/],
      ] as const;
      for (const [keys, kind, state] of refusals) {
        const error = await assertRejects(() => site.request(keys), SlurmError);
        assertEquals(error.kind, kind, error.message);
        assertMatch(error.message, state);
        assertMatch(error.stderrTail, /error: /);
        assert(error.exitCode !== 0);
      }
      assertEquals(await site.slurm.jobs(), []);
      await site.slurm.clean();
    }),
);

testWith(
  SLURM,
  "A request that waits in the queue ends with its signal or its time, and is out of the queue",
  () =>
    withSite(async (site) => {
      assertEquals((await site.slurm.run("salloc", "-N3", "--exclusive", "--no-shell")).code, 0);
      const abort = new AbortController();
      const request = site.request({ nodes: 2 }, { signal: abort.signal });
      const refused = assertRejects(() => request, Error, "not wanted any more");
      await until("it waits", async () => (await site.slurm.jobs()).some(({ state }) => state === "PENDING"));
      abort.abort(new Error("not wanted any more"));
      await refused;
      const error = await assertRejects(() => site.request({}, { timeout: 500 }), SlurmError);
      assertEquals(error.kind, "timeout");
      assertMatch(error.message, /not granted after 500 ms: job \d+ waits in the queue/);
      await until("the queue holds what is no request", async () => (await site.slurm.jobs()).length === 1);
      await site.slurm.clean();
      const aborted = AbortSignal.abort(new Error("before"));
      await assertRejects(() => site.request({}, { signal: aborted }), Error, "before");
      assertEquals((await site.slurm.jobs()).length, 1);
    }),
);

testWith(SLURM, "A request that waits is granted when nodes become free", () =>
  withSite(async (site) => {
    const first = await site.request({ nodes: 3, time: "5" });
    const others = await site.request({ nodes: 3 });
    const request = site.request({ nodes: 3 });
    await until("it waits", async () => (await site.slurm.jobs()).some(({ state }) => state === "PENDING"));
    await first.release();
    await (await request).release();
    await others.release();
    await site.slurm.idle();
  }));

testWith(SLURM, "Allocation.ended tells that the allocation was cancelled", () =>
  withSite(async (site) => {
    const allocation = await site.request({ nodes: 2 });
    // It is not over at once: for a moment the queue shows only that something of it still runs.
    const task = site.spawnOn(
      allocation,
      0,
      'trap "sleep 0.5; exit" TERM; echo up; while :; do sleep 0.1; done',
    );
    const tap = new TextTap(task.stdout);
    await tap.has("up");
    assertEquals((await site.slurm.run("scancel", allocation.job)).code, 0);
    const end = await limited("the end", allocation.ended, 15_000);
    assertEquals([end.released, end.reason], [false, "it was cancelled"]);
    assertMatch(end.stderrTail, /revoked/);
    await limited("the end of the task", task.status);
    await Promise.allSettled([task.stdin.close(), task.stderr.cancel(), tap.ended]);
    await allocation.release();
    await site.slurm.idle();
  }));

testWith(SLURM, "Allocation.ended tells that the time limit is over", () =>
  withSite(async (site) => {
    const allocation = await site.request({ nodes: 2, time: "1" });
    await site.slurm.run("scontrol", "update", `JobId=${allocation.job}`, "EndTime=now+1");
    const end = await limited("the end", allocation.ended, 80_000); // the controller looks every half a minute
    assertEquals([end.released, end.reason], [false, "its time limit is over"]);
    await site.slurm.idle();
  }), { limit: 120_000 });

testWith(
  SLURM,
  "A node that fails takes its own task with it and leaves the others",
  () =>
    withSite(async (site) => {
      const allocation = await site.request({ nodes: 3 });
      const lost = site.spawnOn(allocation, 1, "echo up; exec cat");
      const kept = site.spawnOn(allocation, 2, "echo up; exec cat");
      const taps = [lost, kept].map((task) => new TextTap(task.stdout));
      for (const tap of taps) await tap.has("up");
      await site.slurm.run("scontrol", "update", "nodename=n2", "state=down", "reason=test");
      const said = new TextTap(lost.stderr);
      await limited("the end of the task on it", lost.status);
      await said.ended;
      assertMatch(said.text, /Node failure on n2/);
      const writer = kept.stdin.getWriter();
      await writer.write(new TextEncoder().encode("still here"));
      await taps[1]!.has("still here");
      assertEquals((await site.run(allocation, 0, "echo $SLURMD_NODENAME"))[0], "n1\n");
      await allocation.release();
      await limited("the end of the other one", kept.status);
      await Promise.allSettled([writer.close(), lost.stdin.close(), kept.stderr.cancel()]);
      for (const tap of taps) await tap.ended;
    }),
);
