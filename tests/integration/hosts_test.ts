/** Groups over several hosts, one of which is cut off without a word. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError } from "../../mod.ts";
import { descendants, nothingLeft, processState } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { HOSTS, Hosts } from "../parts/hosts.ts";
import { shared } from "../parts/need.ts";
import { foundDead, KEEPALIVE_MS, NOTICED_MS, oursOn, specOn, testOnHosts } from "./cut_hosts.ts";
import { answers, QUIET, TWO_CHILDREN } from "./elsewhere.ts";

const hosts = shared(HOSTS, () => Hosts.start());
const SHORT = `keepalive=${KEEPALIVE_MS}`;

testOnHosts("a group over three hosts executes on each, and maps over all", hosts, async (group, hosts) => {
  const gateways = await Promise.all(
    [1, 2, 3].map((at) => group.makeGateway(specOn(hosts, at, `id=h${at}`), QUIET)),
  );
  for (const [index, gateway] of gateways.entries()) {
    const { pid } = await gateway.remoteInfo();
    assert(hosts.on(index + 1).processes().some((one) => one.pid === pid), gateway.id);
    assertEquals(gateway.remoteAddress, hosts.sshd[index]!.address);
  }
  const channels = group.remoteExec("channel.send(channel.gateway.id)");
  assertEquals((await channels.receiveEach()).sort(), ["h1", "h2", "h3"]);
  const inputs = Array.from({ length: 60 }, (_, i) => i);
  const results: number[] = [];
  for await (const one of group.map((x: number) => x * 2, inputs)) results.push(one);
  assertEquals(results.sort((a, b) => a - b), inputs.map((x) => x * 2));
});

testOnHosts(
  "all that waits on a host fails in time when it is cut off, and the others go on",
  hosts,
  async (group, hosts) => {
    // Both on one connection.
    const first = await group.makeGateway(specOn(hosts, 1, SHORT), QUIET);
    const second = await group.makeGateway(specOn(hosts, 1, SHORT), QUIET);
    const others = [
      await group.makeGateway(specOn(hosts, 2), QUIET),
      await group.makeGateway(specOn(hosts, 3), QUIET),
    ];
    const silent = first.remoteExec("await new Promise(() => {})");
    const full = first.remoteExec("await new Promise(() => {})");
    const filling = (async (): Promise<void> => {
      while (true) await full.send(new Uint8Array(1 << 20));
    })();
    const called = first.remoteExec("await new Promise(() => {})");
    const marker = new Promise((resolve) => called.setCallback(resolve, { endMarker: "end" }));
    const stream = second.stream(async function* (): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => {});
    })[Symbol.asyncIterator]();
    await stream.next();
    await hosts.cut(1);
    const waiting: Record<string, Promise<unknown>> = {
      receive: silent.receive(),
      waitClose: called.waitClose(),
      send: filling,
      status: first.remoteStatus(),
      call: second.call(() => 1),
      stream: stream.next(),
      "new execution": second.remoteExec("channel.send(1)").receive(),
    };
    const failed = Promise.all(Object.entries(waiting).map(([what, one]) => foundDead(what, one)));
    for (const other of others) await answers(other);
    await failed;
    assertEquals(await limited("the callback's end", marker), "end");
    for (const gateway of [first, second]) {
      const exit = await limited("the end of the gateway", gateway.closed, NOTICED_MS);
      assert(/no sign of life/.test(exit.reason), exit.reason);
      assert(!gateway.hasReceiver() && !group.has(gateway));
    }
    for (const other of others) await answers(other);
    assertEquals(group.size, 2);
  },
);

for (
  const [model, keys] of [["worker", "allow-run"], ["process", "allow-run"], ["main", "allow-run"]] as const
) {
  testOnHosts(
    `a host that is cut off ends its agent and all it runs by itself [${model}]`,
    hosts,
    async (group, hosts) => {
      const gateway = await group.makeGateway(
        specOn(hosts, 1, `${SHORT}//${keys}//execmodel=${model}`),
      );
      const { pid } = await gateway.remoteInfo();
      const children = gateway.remoteExec(TWO_CHILDREN);
      await children.receive();
      if (model !== "main") {
        const busy = gateway.remoteExec("await channel.send(1); while (true);");
        await busy.receive();
      }
      await until(
        "its children run",
        () => oursOn(hosts, 1).processes().filter((one) => /^sleep 1000/.test(one.command)).length === 2,
      );
      await hosts.cut(1);
      await foundDead("receive", children.receive());
      // Still cut off.
      await nothingLeft(oursOn(hosts, 1), [], NOTICED_MS);
      assertEquals(processState(pid), undefined);
    },
  );
}

testOnHosts(
  "what never lets go of execmodel=main on a host that was cut off ends when the cable is plugged in again",
  hosts,
  async (group, hosts) => {
    const gateway = await group.makeGateway(specOn(hosts, 1, `${SHORT}//execmodel=main`), QUIET);
    const { pid } = await gateway.remoteInfo();
    const channel = gateway.remoteExec("await channel.send(1); while (true);");
    await channel.receive();
    await hosts.cut(1);
    await foundDead("receive", channel.receive());
    await limited("its end", gateway.closed, NOTICED_MS);
    assert(processState(pid) !== undefined, "nobody over there could have known");
    await hosts.mend(1);
    await nothingLeft(oursOn(hosts, 1), [], 30_000);
  },
);

testOnHosts(
  "map finishes on the others when a host is cut off, with each result once",
  hosts,
  async (group, hosts) => {
    await group.makeGateway(specOn(hosts, 1, SHORT), QUIET);
    for (const at of [2, 3]) await group.makeGateway(specOn(hosts, at), QUIET);
    const work = async (x: number): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return x;
    };
    const inputs = Array.from({ length: 120 }, (_, i) => i);
    for (const ordered of [false, true]) {
      if (ordered) await group.makeGateway(specOn(hosts, 1, SHORT), QUIET);
      const results: number[] = [];
      let cut = false;
      for await (const one of group.map(work, inputs, { ordered, concurrency: 2 })) {
        results.push(one);
        if (results.length < 20 || cut) continue;
        cut = true;
        await hosts.cut(1);
      }
      assertEquals(ordered ? results : results.sort((a, b) => a - b), inputs);
      await until("the dead one has left", () => group.size === 2, NOTICED_MS);
      await hosts.mend(1);
    }
  },
);

testOnHosts("a host that comes back takes new gateways of the same group", hosts, async (group, hosts) => {
  const before = await group.makeGateway(specOn(hosts, 1, `id=one//${SHORT}`), QUIET);
  await hosts.cut(1);
  await foundDead("receive", before.remoteExec("").receive());
  await limited("its end", before.closed, NOTICED_MS);
  await hosts.mend(1);
  const after = await group.makeGateway(specOn(hosts, 1, "id=one"), QUIET);
  await answers(after);
});

testOnHosts(
  "a connection that has fallen silent is given to no new gateway, though others still hold it",
  hosts,
  async (group, hosts) => {
    const found = await group.makeGateway(specOn(hosts, 1, SHORT), QUIET);
    // This one will never know.
    const patient = await group.makeGateway(specOn(hosts, 1, "keepalive=0"), QUIET);
    const { stdout } = await hosts.runOn(1, ["ss", "-tnH", "state", "established", "sport", "=", ":22"]);
    const port = /:22\s+\S+:(\d+)\s*$/m.exec(stdout)![1]!;
    // As when something between the hosts has forgotten the connection.
    for (const [chain, side] of [["INPUT", "--sport"], ["OUTPUT", "--dport"]] as const) {
      await hosts.runOn(1, ["iptables", "-w", "-A", chain, "-p", "tcp", side, port, "-j", "DROP"]);
    }
    try {
      const dead = limited("its end", found.closed, NOTICED_MS);
      const late = dead.then(() => group.makeGateway(specOn(hosts, 1), { ...QUIET, connectTimeout: 15_000 }));
      await answers(await late);
      assert(patient.hasReceiver());
    } finally {
      await hosts.loss(1, 0);
    }
  },
);

testOnHosts("a group with a host that is cut off ends in bounded time", hosts, async (group, hosts) => {
  const lost = await group.makeGateway(specOn(hosts, 1, "id=lost"), QUIET);
  for (const at of [2, 3]) await group.makeGateway(specOn(hosts, at, `id=h${at}`), QUIET);
  const channel = lost.remoteExec("await new Promise(() => {})");
  await lost.remoteStatus();
  const { pid } = await lost.remoteInfo();
  const family = descendants(Deno.pid);
  await hosts.cut(1);
  const waiting = channel.receive().then(() => "a value", (error) => error.name);
  const exits = await limited("the end", group.terminate({ timeout: 1_500 }), 1_500 + 5_000);
  const of = (id: string) => exits.find((one) => one.id === id)!;
  assertEquals([of("lost").forced, of("h2").forced, of("h3").forced], [true, false, false]);
  assertEquals([of("h2").code, of("h3").code], [0, 0]);
  assertEquals(await waiting, "GatewayClosedError");
  assert(family.length > 0);
  // With the cable plugged in again the host is told that nobody is there any more.
  assert(processState(pid) !== undefined, "the default keepalive is longer than this test");
  await hosts.mend(1);
  await nothingLeft(oursOn(hosts, 1), [], 30_000);
});

for (const sharing of ["", "-S none "]) {
  const how = sharing === "" ? "a shared connection" : "a connection of its own";
  testOnHosts(
    `a start on a host that is cut off fails in time and leaves nothing [${how}]`,
    hosts,
    async (group, hosts) => {
      const spec = `ssh=${sharing}${hosts.host(1)}//ssh_config=${hosts.config}`;
      await hosts.cut(1);
      const failure = (connectTimeout: number): Promise<ConnectError> =>
        limited(
          "the failure",
          assertRejects(() => group.makeGateway(spec, { ...QUIET, connectTimeout }), ConnectError),
          connectTimeout + 4_000,
        );
      const soon = await failure(500);
      assertEquals(soon.kind, "timeout");
      // By then the system itself may have found out.
      const { kind } = await failure(5_000);
      assert(kind === "timeout" || kind === "refused", kind);
      const abort = new AbortController();
      const reason = new Error("not wanted");
      const made = group.makeGateway(spec, { ...QUIET, signal: abort.signal });
      await until("ssh runs", () => descendants(Deno.pid).some((one) => /^ssh /.test(one.command)));
      abort.abort(reason);
      assertEquals(await limited("the abort", made.catch((error) => error), 3_000), reason);
      await hosts.mend(1);
      await answers(await group.makeGateway(spec, QUIET));
    },
  );

  testOnHosts(
    `a start on a host that was cut off after another one fails in time [${how}]`,
    hosts,
    async (group, hosts) => {
      const spec = `ssh=${sharing}${hosts.host(1)}//ssh_config=${hosts.config}`;
      const before = await group.makeGateway(spec, QUIET);
      await hosts.cut(1);
      const error = await limited(
        "the failure",
        assertRejects(() => group.makeGateway(spec, { ...QUIET, connectTimeout: 1_000 }), ConnectError),
        5_000,
      ) as ConnectError;
      assertEquals(error.kind, "timeout");
      await hosts.mend(1);
      await answers(await group.makeGateway(spec, QUIET));
      await answers(before);
    },
  );
}
