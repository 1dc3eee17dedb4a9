/** Gateways that are started from other gateways, and servers that gateways start. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import {
  type Channel,
  ConnectError,
  type Gateway,
  GatewayClosedError,
  type GatewayExit,
  Group,
  XSpecError,
} from "../../mod.ts";
import { NONCE_BYTES } from "../../gateway/process/link.ts";
import { test } from "../helpers/bounded.ts";
import { exists, withFolder } from "../helpers/folder.ts";
import { gone, groupGone, groupMembers, nothingLeft, processState } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { shared, testWith } from "../parts/need.ts";
import { SSHD, Sshd } from "../parts/sshd.ts";
import { end, start } from "./program.ts";

const QUIET = { stderr: "null" } as const;
const MODELS = ["worker", "main", "process"] as const;
const BYTES = 8 * 1024 * 1024;

const sshd = shared(SSHD, () => Sshd.start());
const ssh = (): string => `ssh=${sshd().host()}//ssh_config=${sshd().config}`;

/** The order in which gateways have ended. */
function watchEnds(group: Group): string[] {
  const ends: string[] = [];
  for (const gateway of group) void gateway.closed.then(() => ends.push(gateway.id));
  return ends;
}

for (const of of MODELS) {
  for (const model of MODELS) {
    test(`a ${model} gateway can be started from a ${of} gateway`, async () => {
      await using group = await Group.create([
        `popen//id=hop//execmodel=${of}//allow-run=sh`,
        `popen//via=hop//execmodel=${model}//env:MINE=1`,
      ], QUIET);
      const gateway = group.get(1)!;
      assertEquals(await gateway.call(() => Deno.env.get("MINE")), "1");
      assert((await gateway.remoteInfo()).pid !== (await group.get("hop")!.remoteInfo()).pid);
      const channel = gateway.remoteExec(`
        let sum = 0;
        for await (const bytes of channel) {
          for (const byte of bytes) sum = (sum * 31 + byte) % 1000003;
          await channel.send(bytes);
        }
        await channel.send(sum);
      `);
      const bytes = crypto.getRandomValues(new Uint8Array(64 * 1024));
      let sum = 0;
      const turns = 16;
      const sending = (async () => {
        for (let i = 0; i < turns; i++) await channel.send(bytes);
        await channel.closeWrite();
      })();
      for (let i = 0; i < turns; i++) {
        assertEquals(await channel.receive(), bytes);
        for (const byte of bytes) sum = (sum * 31 + byte) % 1000003;
      }
      await sending;
      assertEquals(await channel.receive(), sum);
    });
  }
}

test("a worker gateway can be a hop", async () => {
  await using group = await Group.create(["worker//allow-all//id=hop", "popen//via=hop"], QUIET);
  assertEquals(await group.get(1)!.call((x: number) => x + 1, 41), 42);
});

test("chains of any length work, and end from their end", async () => {
  const group = await Group.create([
    "popen//id=a//allow-run",
    "popen//id=b//via=a//allow-run",
    "popen//id=c//via=b//allow-run",
    "popen//id=d//via=c",
  ], QUIET);
  const ends = watchEnds(group);
  assertEquals(await group.get("d")!.call(() => 1 + 1), 2);
  const exits = await group.terminate();
  assertEquals(exits.map(({ forced }) => forced), [false, false, false, false]);
  assertEquals(ends, ["d", "c", "b", "a"]);
});

test("exit() of a hop ends what hangs on it first", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run", "popen//via=hop//id=far"], QUIET);
  const ends = watchEnds(group);
  const [hop, far] = [group.get("hop")!, group.get("far")!];
  hop.exit();
  assertEquals(group.size, 0);
  await hop.join({ timeout: 10_000 });
  assertEquals((await far.closed).reason, "requested");
  assertEquals(ends, ["far", "hop"]);
});

test("the death of a hop is the reason of all that hang on it, and leaves nothing", async () => {
  await using group = await Group.create([
    "popen//id=hop//allow-run",
    "popen//via=hop//id=far//execmodel=main",
    "popen//id=other",
  ], QUIET);
  const far = group.get("far")!;
  const { pid } = await far.remoteInfo();
  const busy = far.remoteExec("await channel.send(1); while (true);");
  assertEquals(await busy.receive(), 1);
  const waiting = assertRejects(() => busy.receive(), GatewayClosedError);
  Deno.kill((await group.get("hop")!.remoteInfo()).pid, "SIGKILL");
  const error = await limited("the end", waiting) as GatewayClosedError;
  assertMatch(error.message, /Gateway "far" is closed: .*Gateway "hop" is closed: .*SIGKILL/);
  assertMatch((await far.closed).reason, /"hop".*SIGKILL/);
  await gone(pid);
  assertEquals(await group.get("other")!.call(() => 1), 1);
});

test("a gateway that is killed leaves its hop and its siblings", async () => {
  await using group = await Group.create([
    "popen//id=hop//allow-run",
    "popen//via=hop//id=one//execmodel=main",
    "popen//via=hop//id=two",
  ], QUIET);
  const one = group.get("one")!;
  const { pid } = await one.remoteInfo();
  Deno.kill(pid, "SIGSTOP");
  const exit: GatewayExit = await one.terminate(500);
  assertEquals([exit.forced, exit.signal], [true, "SIGKILL"]);
  await gone(pid);
  assertEquals(await group.get("two")!.call((x: number) => x * 2, 21), 42);
  assertEquals((await group.get("hop")!.remoteStatus()).numExecuting, 1);
});

/** What this isolate holds, in bytes: other test files share the process. */
function held(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** The socket by which a process has connected, as its command says it. */
function doorOf(pid: number): string | undefined {
  return /--allow-net=unix:([^,\0]+\/h)/.exec(Deno.readTextFileSync(`/proc/${pid}/cmdline`))?.[1];
}

const MAY_DOOR = `
  const path = await channel.receive();
  const asked = [{ name: "read", path }, { name: "write", path }, { name: "net", host: "unix:" + path }];
  await channel.send(asked.map((one) => Deno.permissions.querySync(one).state));
`;

test("no code may use the socket by which gateways behind a hop connect, and it goes with the hop", async () => {
  const group = await Group.create([
    "popen//id=hop//allow-run=sh",
    "popen//via=hop//id=far//execmodel=main",
    "popen//via=hop//id=second",
  ], QUIET);
  const path = doorOf((await group.get("far")!.remoteInfo()).pid)!;
  assert((await Deno.stat(path)).isSocket);
  for (const id of ["hop", "far", "second"]) {
    for (let execution = 0; execution < 2; execution++) {
      const channel = group.get(id)!.remoteExec(MAY_DOOR);
      await channel.send(path);
      assertEquals(await channel.receive(), ["prompt", "prompt", "prompt"], id);
    }
  }
  // What shows no proof is let go, and nobody else suffers.
  const stranger = await Deno.connect({ transport: "unix", path });
  await stranger.write(new Uint8Array(NONCE_BYTES));
  assertEquals(await stranger.read(new Uint8Array(1)), null);
  stranger.close();
  assertEquals(await group.get("second")!.call((x: number) => x + 1, 41), 42);
  await group.terminate();
  await until("the folder is gone", () => Deno.stat(path).then(() => false, () => true));
});

test("executions of a worker gateway behind a hop have links of their own, which count as nothing", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run=sh", "popen//via=hop//id=far"], QUIET);
  const far = group.get("far")!;
  const path = doorOf((await far.remoteInfo()).pid)!;
  const links = (): number =>
    Deno.readTextFileSync("/proc/net/unix").split("\n").filter((line) => line.endsWith(` ${path}`)).length;
  const echo = (): Channel => far.remoteExec("for await (const item of channel) await channel.send(item)");
  const channels = [echo(), echo(), echo()];
  for (const [i, channel] of channels.entries()) {
    await channel.send(i);
    assertEquals(await channel.receive(), i);
  }
  // The listener, the gateway's own link, and those of the executions.
  assert(links() >= 2 + channels.length, `${links()} links`);
  assertEquals((await group.get("hop")!.remoteStatus()).numExecuting, 1);
  // One ends, one is killed, though it is busy, and the others go on.
  await channels[0]!.closeWrite();
  await channels[0]!.waitClose();
  const busy = far.remoteExec("await channel.send(1); while (true);");
  assertEquals(await busy.receive(), 1);
  busy.kill();
  await assertRejects(() => busy.receive());
  const bytes = new Uint8Array(BYTES).map((_, at) => at % 251);
  const sent = channels[1]!.send(bytes);
  assertEquals(await channels[1]!.receive(), bytes);
  await sent;
  assertEquals((await far.terminate(500)).forced, false);
  await until("the links have gone", () => links() === 1);
  assertEquals(await group.get("hop")!.remoteStatus().then(({ numExecuting }) => numExecuting), 0);
});

test("what a gateway behind a hop has started ends with it, however that is, and its code is known", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
  const start = async (): Promise<[Gateway, number[]]> => {
    const gateway = await group.makeGateway("popen//via=hop//execmodel=main//allow-run=sh", QUIET);
    const channel = gateway.remoteExec(`
      for (const words of ["exec sleep 1000", "exec setsid sleep 1000"]) {
        const child = new Deno.Command("sh", { args: ["-c", words] }).spawn();
        child.unref();
        await channel.send(child.pid);
      }
      Deno.exit(await channel.receive());
    `);
    const pids = [await channel.receive() as number, await channel.receive() as number];
    exits.set(gateway, () => channel.send(7));
    return [gateway, pids];
  };
  const exits = new Map<Gateway, () => Promise<void>>();
  for (
    const [end, code, signal] of [
      [(gateway: Gateway) => exits.get(gateway)!(), 7, undefined],
      [async (gateway: Gateway) => Deno.kill((await gateway.remoteInfo()).pid, "SIGKILL"), 137, "SIGKILL"],
      [(gateway: Gateway) => gateway.terminate(), 0, undefined],
    ] as const
  ) {
    const [gateway, pids] = await start();
    await end(gateway);
    const exit = await gateway.closed;
    assertEquals([exit.code, exit.signal], [code, signal]);
    for (const pid of pids) await gone(pid);
  }
  const [, pids] = await start();
  Deno.kill((await group.get("hop")!.remoteInfo()).pid, "SIGKILL");
  for (const pid of pids) await gone(pid);
});

test("a slow reader stalls the far side of a hop, and nobody else", async () => {
  await using group = await Group.create([
    "popen//id=hop//allow-run",
    "popen//via=hop//id=far",
    "popen//via=hop//id=other",
  ], QUIET);
  const flood = group.get("far")!.remoteExec(`
    const bytes = new Uint8Array(1 << 20);
    for (let i = 0; i < 500; i++) {
      await channel.send(bytes);
      sent = i;
    }
  `.replace("const bytes", "globalThis.sent = 0; const bytes"));
  const before = held();
  const other = group.get("other")!.remoteExec("for await (const item of channel) await channel.send(item)");
  for (let i = 0; i < 200; i++) {
    await other.send(i);
    assertEquals(await other.receive(), i);
  }
  assert(held() - before < 64 * 1024 * 1024);
  const { rss } = await group.get("hop")!.remoteStatus();
  assert(rss < 200 * 1024 * 1024, `the hop holds ${rss} bytes`);
  assertEquals((await flood.receive() as Uint8Array).length, 1 << 20);
  flood.kill();
});

test("what a gateway behind a hop prints is its own output", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
  const gateway = await group.makeGateway("popen//via=hop", { stderr: "piped" });
  await gateway.remoteExec(`console.log("to stdout"); console.error("to stderr")`).waitClose();
  const text = new Response(gateway.stderr).text();
  await gateway[Symbol.asyncDispose]();
  assertEquals(await text, "to stdout\nto stderr\n");
});

test("a hop without allow-run is refused before anything starts, with the key that it lacks", async () => {
  await using group = await Group.create(["popen//id=hop", "popen//id=denied//allow-all//deny-run"], QUIET);
  for (const id of ["hop", "denied"]) {
    const error = await assertRejects(() => group.makeGateway(`popen//via=${id}`), XSpecError) as XSpecError;
    assertEquals(error.key, "via");
    assertMatch(error.message, new RegExp(`"${id}" may not start processes: add allow-run`));
  }
  assertEquals(group.size, 2);
});

for (const model of MODELS) {
  test(`a hop of ${model} that may run something else only names the key`, async () => {
    await using group = await Group.create([`popen//id=hop//allow-run=true//execmodel=${model}`], QUIET);
    const error = await assertRejects(() => group.makeGateway("popen//via=hop", QUIET)) as ConnectError;
    assertMatch(error.message, /add allow-run to the spec of gateway "hop"/);
    assertEquals(group.size, 1);
  });
}

test("hops that are not there, and circles, are refused", async () => {
  for (
    const specs of [
      ["popen//via=nobody"],
      ["popen//id=a//via=a//allow-run"],
      ["popen//id=a//via=b//allow-run", "popen//id=b//via=a//allow-run"],
      ["socket//installvia=nobody"],
      ["worker//via=a", "popen//id=a//allow-run"],
    ]
  ) {
    const error = await assertRejects(() => Group.create(specs), XSpecError) as XSpecError;
    assert(["via", "installvia"].includes(error.key!), `${specs}: ${error.message}`);
  }
});

test("an idle gateway behind a hop keeps no program alive", async () => {
  const program = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      new URL("./programs/idle_behind_hop.ts", import.meta.url).pathname,
    ],
    stdout: "piped",
    stderr: "inherit",
  });
  const { code, stdout } = await limited("the program", program.output(), 15_000);
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "made\n"]);
});

test("what has ended behind a hop keeps no program alive", async () => {
  const program = start("ended_behind_hop.ts", []);
  const { code } = await end(program, 10_000);
  assertEquals([code, program.stdout.text], [0, "GatewayClosedError,timeout\n"], program.stderr.text);
});

test("a program that is killed leaves no folder of a gateway behind a hop", async () => {
  const program = start("killed_before_hop.ts", []);
  await program.stdout.has("\n");
  const { pid, folders } = JSON.parse(program.stdout.text) as { pid: number; folders: string[] };
  assertEquals(folders.length, 1);
  program.process.kill("SIGKILL");
  await end(program);
  await gone(pid);
  await until("the folder has gone", () => !exists(folders[0]!));
});

test("nor where the shells that would have removed it are killed after what they look after", async () => {
  const program = start("killed_before_hop.ts", []);
  await program.stdout.has("\n");
  const { pid, folders } = JSON.parse(program.stdout.text) as { pid: number; folders: string[] };
  const shells = groupMembers(processState(pid)!.group).filter((one) => one.pid !== pid);
  assert(shells.length > 0);
  for (const one of shells) Deno.kill(one.pid, "SIGSTOP");
  Deno.kill(pid, "SIGKILL");
  await gone(pid);
  assert(exists(folders[0]!));
  program.process.kill("SIGKILL");
  await end(program);
  for (const one of shells) await gone(one.pid);
  await until("the folder has gone", () => !exists(folders[0]!));
});

for (const chdir of ["", "//chdir=/"]) {
  test(`a hop can be used when a gateway behind it has ended, with what that had left running (popen${chdir})`, async () => {
    await using group = await Group.create(["popen//id=first//allow-run//allow-net"], QUIET);
    // It has a folder, as one has that is reached by ssh.
    const hop = await group.makeGateway("popen//via=first//id=hop//allow-run//allow-net//chdir=/", QUIET);
    const behind = await group.makeGateway(`popen//via=hop//allow-run${chdir}`, QUIET);
    const child = await behind.call(() => {
      const child = new Deno.Command("setsid", { args: ["sleep", "1000"] }).spawn();
      child.unref();
      return child.pid;
    });
    await until("it sleeps", () => processState(child)?.command.startsWith("sleep") ?? false);
    await behind.terminate();
    await gone(child);
    const next = await group.makeGateway("popen//via=hop", QUIET);
    assertEquals(await next.call((x: number) => x + 1, 1), 2);
    assertEquals(await hop.call((x: number) => x + 1, 1), 2);
  });
}

test("a start through a hop that is aborted, or takes too long, leaves nothing there", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
  const hop = group.get("hop")!;
  for (const ms of [0, 1, 5, 20, 60]) {
    const abort = new AbortController();
    const made = group.makeGateway("popen//via=hop", { ...QUIET, signal: abort.signal });
    made.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, ms));
    abort.abort();
    await made.then((gateway) => gateway[Symbol.asyncDispose](), () => {});
  }
  await assertRejects(
    () => group.makeGateway("popen//via=hop//deno=sh -c 'sleep 100' --", { ...QUIET, connectTimeout: 300 }),
    ConnectError,
    "no greeting after 300 ms",
  );
  await until("nothing runs", async () => (await hop.remoteStatus()).numExecuting === 0);
});

test("a Deno that reads nothing is killed with its start, though its hop goes on", async () => {
  await withFolder(async (folder) => {
    const [script, told] = [`${folder}/deno`, `${folder}/pid`];
    await Deno.writeTextFile(
      script,
      `#!/bin/sh\necho $$ >${told}.new; mv ${told}.new ${told}; exec sleep 1000\n`,
    );
    await Deno.chmod(script, 0o755);
    await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
    const options = { ...QUIET, connectTimeout: 500 };
    const error = await assertRejects(() => group.makeGateway(`popen//via=hop//deno=${script}`, options));
    assert(error instanceof ConnectError && error.kind === "timeout", `${error}`);
    await gone(Number(await Deno.readTextFile(told)), 8_000);
    assertEquals(await group.get("hop")!.call(() => 1), 1);
  });
});

test("a process group that stands still with its guard is killed behind a hop, too, though that goes on", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run", "popen//via=hop//id=far"], QUIET);
  const far = group.get("far")!;
  const { pid } = await far.remoteInfo();
  Deno.kill(-pid, "SIGSTOP");
  await limited("terminate", far.terminate(300));
  await groupGone(pid);
  assertEquals(await group.get("hop")!.call(() => 1), 1);
});

test("a hop that leaves in the same turn takes what was to be started from it along", async () => {
  for (
    const spec of [
      "popen//via=hop",
      "command=env//via=hop",
      "socket//installvia=hop",
    ]
  ) {
    await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
    const made = group.makeGateway(spec, QUIET);
    const failed = assertRejects(() => made, ConnectError, 'ateway "hop"');
    group.get("hop")!.exit();
    await limited(`the end of the start of ${spec}`, failed);
    assertEquals(group.size, 0);
  }
});

test("a program that is not where a hop runs is named", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
  const error = await assertRejects(
    () => group.makeGateway("command=no-such-program//via=hop", QUIET),
    ConnectError,
  ) as ConnectError;
  assertEquals(error.kind, "exit");
  assertMatch(error.message, /no program "no-such-program" where gateway "hop" runs/);
});

test("the death of a hop is the reason for the end of what uses its server", async () => {
  await using group = await Group.create(
    ["popen//id=hop//allow-run", "socket//installvia=hop//id=far"],
    QUIET,
  );
  const { pid } = await group.get("hop")!.remoteInfo();
  Deno.kill(pid, "SIGKILL");
  const { reason } = await limited("its end", group.get("far")!.closed);
  assertMatch(reason, /"hop".*SIGKILL/);
});

test("a server is started by the Deno of its hop, wherever that is", async () => {
  const hop = `command=env PATH=/usr/bin:/bin//deno=${Deno.execPath()}//allow-run//id=hop`;
  await using group = await Group.create([hop, "socket//installvia=hop"], QUIET);
  assertEquals(await group.get(1)!.call((x: number) => x + 1, 41), 42);
});

test("a start through a hop that does not answer can be aborted", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
  const { pid } = await group.get("hop")!.remoteInfo();
  Deno.kill(pid, "SIGSTOP");
  try {
    const abort = new AbortController();
    const made = group.makeGateway("popen//via=hop", { ...QUIET, signal: abort.signal });
    const failed = assertRejects(() => made, Error, "enough");
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort(new Error("enough"));
    await limited("the end of the start", failed);
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
  assertEquals(await (await group.makeGateway("popen//via=hop", QUIET)).call((x: number) => x + 1, 41), 42);
});

testWith(SSHD, "ssh works from a hop, and a hop may be an ssh host", async () => {
  const before = sshd().processes();
  {
    await using group = await Group.create([
      `${ssh()}//id=host//allow-run`,
      "popen//via=host//id=there//allow-run",
      `${ssh()}//via=there//id=again`,
    ], QUIET);
    assertEquals(group.get("there")!.remoteAddress, "127.0.0.1");
    for (const id of ["there", "again"]) {
      const gateway = group.get(id)!;
      assertEquals(await gateway.call((x: number) => x + 1, 41), 42);
      const bytes = await gateway.call((length: number) => new Uint8Array(length).fill(7), BYTES);
      assert(bytes.length === BYTES && bytes.every((byte) => byte === 7));
    }
  }
  await nothingLeft(sshd(), before);
});

testWith(SSHD, "a hop on an ssh host takes links by a socket, too, which goes however it ends", async () => {
  const before = sshd().processes();
  for (const killed of [false, true]) {
    await using group = await Group.create([
      `${ssh()}//id=host//allow-run=sh//allow-net`,
      "popen//via=host//id=far//execmodel=main//allow-net=127.0.0.1",
    ], QUIET);
    const [host, far] = [group.get("host")!, group.get("far")!];
    const { pid } = await far.remoteInfo();
    const path = Deno.readTextFileSync(`/proc/${pid}/cmdline`).match(/--allow-write=(\S+?\/h)\0/)![1]!;
    assert((await Deno.stat(path)).isSocket);
    for (const [gateway, net] of [[host, "granted"], [far, "prompt"]] as const) {
      const channel = gateway.remoteExec(MAY_DOOR);
      await channel.send(path);
      assertEquals(await channel.receive(), ["prompt", "prompt", net]);
    }
    const bytes = await far.call((length: number) => new Uint8Array(length).fill(7), BYTES);
    assert(bytes.length === BYTES && bytes.every((byte) => byte === 7));
    if (killed) Deno.kill((await host.remoteInfo()).pid, "SIGKILL");
    else await group.terminate();
    await gone(pid);
    await until("the folder is gone", () => Deno.stat(path).then(() => false, () => true));
  }
  await nothingLeft(sshd(), before);
});

testWith(SSHD, "the failures of ssh from a hop have their kinds", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
  for (
    const [wrong, kind] of [
      ["unknown-host", "host"],
      ["closed-port", "refused"],
      ["wrong-host-key", "hostkey"],
      ["refused-key", "auth"],
    ] as const
  ) {
    const spec = `ssh=${sshd().failing[wrong]}//ssh_config=${sshd().config}//via=hop`;
    const error = await assertRejects(() => group.makeGateway(spec, QUIET)) as ConnectError;
    assertEquals(error.kind, kind);
  }
});

for (const model of MODELS) {
  test(`installvia starts a server through a gateway, for a ${model} gateway`, async () => {
    const group = await Group.create([
      "popen//id=hop//allow-run",
      `socket//installvia=hop//id=one//execmodel=${model}//allow-read=/etc`,
      `socket//installvia=hop//id=two//execmodel=${model}`,
    ], QUIET);
    const [one, two] = [group.get("one")!, group.get("two")!];
    assertEquals([one.remoteAddress, two.remoteAddress], ["127.0.0.1", "127.0.0.1"]);
    assertEquals(await one.call((x: number) => x + 1, 41), 42);
    assertEquals((await one.remoteInfo()).permissions, ["allow-read=/etc"]);
    const pids = await Promise.all([one, two].map(async (gateway) => (await gateway.remoteInfo()).pid));
    const servers = pids.map((pid) => parentOf(parentOf(pid)));
    await one[Symbol.asyncDispose]();
    assertEquals(await two.call((x: number) => x + 1, 41), 42);
    await group.terminate();
    for (const pid of [...pids, ...servers]) if (pid > 1 && pid !== Deno.pid) await gone(pid);
  });
}

function parentOf(pid: number): number {
  return processState(pid)?.parent ?? 1;
}

testWith(SSHD, "a server that is installed on another host is reached by TLS", async () => {
  const before = sshd().processes();
  {
    await using group = await Group.create([
      `${ssh()}//id=host//allow-run`,
      "socket//installvia=host//id=far",
    ], QUIET);
    assertEquals(await group.get("far")!.call((x: number) => x + 1, 41), 42);
  }
  await nothingLeft(sshd(), before);
});

test("installvia where there is no Deno is a ConnectError, and leaves nothing", async () => {
  const empty = await Deno.makeTempDir();
  try {
    await using group = await Group.create([
      { popen: true, id: "hop", allowRun: true, env: { PATH: "/bin:/usr/sbin", HOME: empty } },
    ], QUIET);
    if (
      await group.get("hop")!.call(() =>
        new Deno.Command("sh", { args: ["-c", "command -v deno"] }).output().then((o) => o.success)
      )
    ) {
      return;
    }
    const error = await assertRejects(() =>
      group.makeGateway("socket//installvia=hop", QUIET)
    ) as ConnectError;
    assertEquals(error.kind, "no-deno");
  } finally {
    await Deno.remove(empty, { recursive: true });
  }
});

/** A hop whose own code changes what the agent sends for it: both share an isolate. */
async function lyingHop(group: Group, lie: string): Promise<void> {
  const hop = await group.makeGateway("popen//id=hop//execmodel=main//allow-run=sh", QUIET);
  const channel = hop.remoteExec(`
    const proto = channel.constructor.prototype;
    const { send } = proto;
    await channel.send("ready");
    proto.send = function (item, options) {
      return send.call(this, (${lie})(item), options);
    };
    await channel.receive();
  `);
  await channel.receive();
}

for (const lie of ["7", "null", "({ code: 'x', signal: [] })"]) {
  test(`a hop that says ${lie} of the end of a program harms nobody`, async () => {
    await using group = new Group();
    await lyingHop(
      group,
      `(item) => item !== null && typeof item === "object" && "code" in item ? ${lie} : item`,
    );
    const gateway = await group.makeGateway("popen//via=hop", QUIET);
    gateway.exit();
    assertEquals(await gateway.closed.then(({ code, signal }) => [code, signal]), [137, "SIGKILL"]);
  });
}

test("a hop that sends something else than bytes is a ConnectError of kind noise", async () => {
  await using group = new Group();
  await lyingHop(group, "(item) => item instanceof Uint8Array ? { length: 4e9 } : item");
  const error = await assertRejects(() => group.makeGateway("popen//via=hop", QUIET)) as ConnectError;
  assertEquals(error.kind, "noise");
});

test("a start that waits for its hop hears of its signal", async () => {
  await using group = new Group();
  const stop = new AbortController();
  const hop = group.makeGateway("popen//deno=/bin/sh -c 'exec sleep 100'//id=hop//allow-run", {
    ...QUIET,
    signal: stop.signal,
  });
  const mine = new AbortController();
  const start = group.makeGateway("popen//via=hop", { ...QUIET, signal: mine.signal });
  mine.abort(new Error("Not any more"));
  await assertRejects(() => limited("the start", start, 1_000), Error, "Not any more");
  stop.abort(new Error("Nor this"));
  await assertRejects(() => hop, Error, "Nor this");
});
