/** Hosts behind links that are cut for a while, lose packets or take their time. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Gateway } from "../../mod.ts";
import { echo } from "../helpers/echo.ts";
import { limited, until } from "../helpers/wait.ts";
import { HOSTS, Hosts } from "../parts/hosts.ts";
import { shared } from "../parts/need.ts";
import { specOn, testOnHosts } from "./cut_hosts.ts";
import { answers, QUIET } from "./elsewhere.ts";

const hosts = shared(HOSTS, () => Hosts.start({ count: 2 }));

/** Long enough for the system to send again what was lost, several times over. */
const PATIENT = "keepalive=3000";

/** Milliseconds for the fastest of some round trips. */
async function ping(gateway: Gateway): Promise<number> {
  const channel = gateway.remoteExec("for await (const one of channel) await channel.send(one);");
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const started = performance.now();
    await channel.send(i);
    assertEquals(await channel.receive(), i);
    times.push(performance.now() - started);
  }
  await channel.closeWrite();
  return Math.min(...times);
}

testOnHosts("a cut that is mended in time is as if it had not been", hosts, async (group, hosts) => {
  const gateway = await group.makeGateway(specOn(hosts, 1, PATIENT), QUIET);
  let back = 0;
  const echoed = echo(gateway, 400, (count) => back = count);
  await until("it flows", () => back > 100);
  await hosts.cut(1);
  // Nothing of what was under way arrives any more.
  let last = -1;
  let since = performance.now();
  await until("it stands still for a whole interval", () => {
    if (back !== last) since = performance.now();
    last = back;
    return performance.now() - since > 3_000;
  }, 15_000);
  assert(back < 400, "it was cut in the middle");
  const status = gateway.remoteStatus();
  await hosts.mend(1);
  await limited("the rest", echoed, 30_000);
  assertEquals((await limited("the status", status)).numRunaway, 0);
  await answers(gateway);
});

for (const fraction of [0.05, 0.1]) {
  testOnHosts(`with ${fraction * 100} % of packets lost all arrives`, hosts, async (group, hosts) => {
    await hosts.loss(2, fraction);
    try {
      const gateway = await group.makeGateway(specOn(hosts, 2, PATIENT), QUIET);
      await ping(gateway);
      await limited("an echo of 3 MiB", echo(gateway, 48, () => {}), 60_000);
      await limited("the end", gateway[Symbol.asyncDispose](), 10_000);
    } finally {
      await hosts.loss(2, 0);
    }
  });
}

testOnHosts("over a link of 50 ms all works, and bulk is not held up", hosts, async (group, hosts) => {
  const config = await hosts.delay(50);
  const spec = `ssh=${hosts.host(1)}//ssh_config=${config}//keepalive=500`;
  const gateway = await group.makeGateway(spec, QUIET);
  await answers(gateway);
  const trip = await ping(gateway);
  assert(trip >= 50 && trip < 150, `${trip} ms`);
  await answers(await group.makeGateway(spec, QUIET));
  const began = performance.now();
  await echo(gateway, 320, () => {});
  const bulk = performance.now() - began;
  // 20 MiB both ways: with a wait for each piece it would be sixteen seconds.
  assert(bulk < 10_000, `${bulk} ms`);
  const results: number[] = [];
  for await (const one of group.map((x: number) => x + 1, [1, 2, 3, 4], { ordered: true })) results.push(one);
  assertEquals(results, [2, 3, 4, 5]);
});
