import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { nothingLeft, processState } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { HOSTS, Hosts } from "./hosts.ts";
import { shared, testWith } from "./need.ts";
import { run } from "./run.ts";

const hosts = shared(HOSTS, () => Hosts.start());

/** A command on a host whose input and output are at hand. */
class Session implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(config: string, host: string, command: string, options: string[] = []) {
    this.child = new Deno.Command("ssh", {
      args: ["-F", config, "-o", "BatchMode=yes", ...options, host, command],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reader = this.child.stdout.getReader();
    this.#writer = this.child.stdin.getWriter();
  }

  /** Milliseconds until a byte is back. */
  async echo(): Promise<number> {
    const started = performance.now();
    await this.#writer.write(new Uint8Array(1));
    assertEquals((await this.#reader.read()).value?.length, 1);
    return performance.now() - started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel();
    if (processState(this.child.pid) !== undefined) this.child.kill("SIGKILL");
    await this.child.status;
  }
}

testWith(HOSTS, "Hosts are reached by a plain ssh and have a network of their own", async () => {
  for (const at of [1, 2, 3]) {
    const { stdout } = await run(["ssh", "-F", hosts().config, `h${at}`, "ip -br -4 addr show eth0"]);
    assertMatch(stdout, new RegExp(`UP +${hosts().sshd[at - 1]!.address}/24`));
    await nothingLeft(hosts().on(at));
  }
  const { stdout } = await hosts().run(["ip", "-br", "link", "show", "master", "br0"]);
  assertEquals(stdout.trim().split("\n").length, 4);
});

testWith(HOSTS, "Hosts.cut() tells neither side, and mend() lets the session go on", async () => {
  await using session = new Session(hosts().config, "h1", "cat");
  await session.echo();
  await hosts().cut(1);
  const before = hosts().on(1).processes().map((one) => one.pid);
  let back = false;
  const echo = session.echo().then(() => back = true);
  await using other = new Session(hosts().config, "h2", "cat");
  await other.echo();
  assert(!back && processState(session.child.pid) !== undefined);
  assertEquals(hosts().on(1).processes().map((one) => one.pid), before);
  await hosts().mend(1);
  await echo;
});

testWith(HOSTS, "Hosts.cut() is found out by a client that asks", async () => {
  const options = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1"];
  await using session = new Session(hosts().config, "h2", "cat", options);
  await session.echo();
  await hosts().cut(2);
  try {
    assertEquals((await session.child.status).code, 255);
    assert(hosts().on(2).processes().some((one) => one.command.startsWith("cat")));
  } finally {
    await hosts().mend(2);
  }
  for (const one of hosts().on(2).processes()) {
    try {
      Deno.kill(one.pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  await nothingLeft(hosts().on(2));
});

testWith(HOSTS, "Hosts.loss() loses packets until it is taken back", async () => {
  const { address } = hosts().sshd[2]!;
  const received = async (): Promise<number> => {
    const { stdout } = await hosts().runOn(3, ["iptables", "-w", "-L", "INPUT", "-v", "-x", "-n"]);
    return Number(/^ *(\d+) +\d+ +DROP/m.exec(stdout)?.[1] ?? -1);
  };
  await hosts().loss(3, 0.1);
  const { stdout } = await run(["ssh", "-F", hosts().config, "h3", "head -c 1000000 /dev/zero"]);
  assertEquals(stdout.length, 1_000_000);
  assert(await received() > 0, address);
  await hosts().loss(3, 0);
  assertEquals(await received(), -1);
});

testWith(HOSTS, "Hosts.delay() lengthens a round trip and keeps throughput", async () => {
  const config = await hosts().delay(50);
  await using session = new Session(config, "h1", "cat");
  await session.echo();
  const times = [await session.echo(), await session.echo(), await session.echo()].sort((a, b) => a - b);
  assert(times[0]! >= 50, String(times));
  const started = performance.now();
  const { stdout } = await run(["ssh", "-F", config, "h1", "head -c 20000000 /dev/zero"]);
  assertEquals(stdout.length, 20_000_000);
  // With a wait for each piece of 64 KiB it would be more than seven seconds.
  assert(performance.now() - started < 6_000, String(performance.now() - started));
});

testWith(HOSTS, "Hosts removes its network, its folder and what runs there", async () => {
  const network = async (): Promise<string> => (await run(["ip", "-br", "link"])).stdout;
  const made = await Hosts.start({ count: 1 });
  const id = `xp${made.sshd[0]!.address.split(".")[2]}`;
  assert((await network()).includes(`${id}@`));
  await run(["ssh", "-F", made.config, "h1", "env -i setsid sleep 1000 >/dev/null 2>&1 </dev/null & exit"]);
  const [left] = await until("it runs alone", () => {
    const there = made.on(1).processes();
    return there.length === 1 && there;
  });
  await made[Symbol.asyncDispose]();
  await until("it has ended", () => processState(left!.pid) === undefined);
  assert(!(await network()).includes(`${id}@`));
  assert(!(await run(["ip", "netns", "list"])).stdout.includes(`${id}h`));
  assertEquals(await Deno.stat(made.folder).catch(() => "gone"), "gone");
});
