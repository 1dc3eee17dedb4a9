/** What becomes of allocations when the controller cannot be asked. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { SlurmError } from "../../gateway/slurm/explain.ts";
import { testWith } from "../parts/need.ts";
import { SLURM } from "../parts/slurm.ts";
import { withSite } from "../slurm/site.ts";

testWith(
  SLURM,
  "A controller that is down, another machine and missing commands have their own words",
  () =>
    withSite(async (site) => {
      const failures = [
        [{ SLURM_CONF: `${site.slurm.folder}/none` }, "host", /belongs to no cluster/],
        [{ PATH: "/nowhere" }, "exit", /not on PATH/],
        [{ SLURM_CONF: `${site.slurm.folder}/other.conf` }, "auth", /who asks/],
      ] as const;
      const text = await Deno.readTextFile(site.slurm.conf);
      await Deno.writeTextFile(
        `${site.slurm.folder}/other.conf`,
        text.replace(/^AuthInfo=.*$/m, "AuthInfo=socket=/none"),
      );
      for (const [env, kind, state] of failures) {
        const error = await assertRejects(() => site.request({}, { timeout: 10_000 }, env), SlurmError);
        assertEquals(error.kind, kind, error.message);
        assertMatch(error.message, state);
      }
      await site.slurm.kill("slurmctld");
      const error = await assertRejects(() => site.request({}, { timeout: 20_000 }), SlurmError);
      assertEquals(error.kind, "refused", error.message);
      assertMatch(error.message, /controller does not answer/);
      const started = performance.now();
      const late = await assertRejects(() => site.request({}, { timeout: 100 }), SlurmError);
      assertEquals(late.kind, "timeout", late.message);
      assertMatch(late.message, /no answer/);
      assert(performance.now() - started < 10_000);
      site.slurm.startController(); // what goes on trying comes to its end
      await site.slurm.clean(60_000);
    }),
  { limit: 120_000 },
);

testWith(
  SLURM,
  "A controller that is down when nodes are given back is told when it is up again",
  () =>
    withSite(async (site) => {
      const allocation = await site.request({ nodes: 2 });
      await site.slurm.kill("slurmctld");
      const error = await assertRejects(() => allocation.release(), SlurmError);
      assertEquals(error.kind, "timeout");
      assertMatch(error.message, /not confirmed/);
      site.slurm.startController();
      await site.slurm.idle(60_000);
      await allocation.ended;
      await site.slurm.clean();
    }),
  { limit: 150_000 },
);
