/** Works with gateways on the nodes of a Slurm, and ends in the way that it is told. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, EOFError, Group, XSpecError } from "../../../mod.ts";
import type { GatewayOptions } from "../../../mod.ts";

const [what, spec = "slurm//nodes=3", ...others] = Deno.args;
const QUIET: GatewayOptions = { stderr: "null" };

async function command(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args, stdin: "null" }).output();
  return new TextDecoder().decode(stdout).trim();
}

const queue = (): Promise<string> => command("squeue", "-h", "-o", "%T %P %a %l");

/** A job that completes has been given back, and Slurm has still to clear up. */
async function assertGivenBack(when = "now"): Promise<void> {
  const left = await queue();
  assert(/^(COMPLETING .*\n?)*$/.test(left), `${when}: ${left}`);
}

async function failure(text: string, options: GatewayOptions = {}): Promise<ConnectError> {
  return await assertRejects(
    () => Group.create([text], { ...QUIET, ...options }),
    ConnectError,
  ) as ConnectError;
}

const SCENES: Record<string, () => Promise<void>> = {
  async works(): Promise<void> {
    await using group = await Group.create(
      [`${spec}//id=node//allow-env`, "popen//id=here//allow-env"],
      QUIET,
    );
    assertEquals([...group].map(({ id }) => id), ["node-0", "node-1", "node-2", "here"]);
    const names = await group.remoteExec("channel.send(Deno.env.get('SLURMD_NODENAME') ?? 'none')")
      .receiveEach();
    assertEquals(names, ["n1", "n2", "n3", "none"]);
    const squares = group.map((x: number) => x * x, Array.from({ length: 50 }, (_, i) => i), {
      ordered: true,
    });
    assertEquals(await Array.fromAsync(squares), Array.from({ length: 50 }, (_, i) => i * i));
    const bytes = Uint8Array.from({ length: 3_000_001 }, (_, i) => (i ^ (i >> 8) ^ (i >> 16)) & 255);
    const echo = group.get("node-1")!.remoteExec("channel.send(await channel.receive())");
    await echo.send(bytes);
    const back = await echo.receive() as Uint8Array;
    assert(back.length === bytes.length && back.every((byte, at) => byte === bytes[at]));
  },
  async keys(): Promise<void> {
    await using group = await Group.create(
      [`slurm//nodes=2//partition=debug//account=physics//time=7`],
      QUIET,
    );
    assertEquals(group.size, 2);
    assertEquals(await queue(), "RUNNING debug physics 7:00");
  },
  async single(): Promise<void> {
    await using group = new Group();
    await assertRejects(() => group.makeGateway("slurm//nodes=3", QUIET), XSpecError, "Group.create makes");
    assertEquals(await queue(), "");
    const gateway = await group.makeGateway("slurm", QUIET);
    assertEquals(await gateway.call((x: number) => x + 1, 41), 42);
  },
  async terminate(): Promise<void> {
    const group = await Group.create([spec], QUIET);
    assertEquals((await group.terminate()).map(({ reason }) => reason), [
      "requested",
      "requested",
      "requested",
    ]);
    await assertGivenBack();
  },
  async oneByOne(): Promise<void> {
    const group = await Group.create([`${spec}//execmodel=main`], QUIET);
    const [first, second, third] = [...group];
    const dying = first!.remoteExec("Deno.exit(3)");
    await assertRejects(() => dying.receive());
    assertEquals((await first!.closed).code, 3);
    assertEquals(await second!.call((x: number) => x + 1, 41), 42);
    second!.exit();
    await second!.join();
    assertEquals(await third!.call((x: number) => x + 1, 41), 42);
    assert((await queue()).startsWith("RUNNING"));
    third!.exit();
    await third!.join();
  },
  async cancelled(): Promise<void> {
    const group = await Group.create([spec], QUIET);
    const gateways = [...group];
    const channel = group.get(0)!.remoteExec("await new Promise(() => {})");
    channel.receive().catch(() => {});
    console.log("up");
    await assertRejects(() => channel.waitClose(), EOFError);
    for (const gateway of gateways) console.log((await gateway.closed).reason);
    assertEquals(group.size, 0);
  },
  async refused(): Promise<void> {
    const partition = await failure("slurm//partition=nowhere");
    assertEquals(partition.kind, "refused");
    assert(/no such partition/.test(partition.message), partition.message);
    const many = await failure("slurm//nodes=4");
    assertEquals(many.kind, "refused", many.message);
    await command("salloc", "--quiet", "--no-shell", "--exclusive", "--nodes=3", "--job-name=all");
    const waiting = await failure("slurm//nodes=1", { connectTimeout: 1_500 });
    assertEquals(waiting.kind, "timeout", waiting.message);
    const abort = new AbortController();
    const queued = Group.create(["slurm//nodes=2"], { ...QUIET, signal: abort.signal });
    const failed = assertRejects(() => queued, Error, "not wanted");
    while (!/PENDING/.test(await queue())) await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort(new Error("not wanted"));
    await failed;
    await command("scancel", "--name=all");
  },
  async via(): Promise<void> {
    const group = await Group.create(["popen//id=hop//allow-run=sh", `${spec}//via=hop//id=node`], QUIET);
    assertEquals([...group].map(({ id }) => id), ["hop", "node-0", "node-1", "node-2"]);
    const hosts = group.map((x: number) => x * x, [1, 2, 3, 4], { ordered: true });
    assertEquals(await Array.fromAsync(hosts), [1, 4, 9, 16]);
    // The nodes are given back before the hop, which they are held from, has ended.
    assertEquals((await group.terminate()).map(({ forced, reason }) => [forced, reason]), [
      [false, "requested"],
      [false, "requested"],
      [false, "requested"],
      [false, "requested"],
    ]);
    await assertGivenBack();
  },
  async viaFails(): Promise<void> {
    await using group = await Group.create(["popen//id=hop//allow-run=sh"], QUIET);
    const refused = await assertRejects(() => group.makeGateway("slurm//partition=nowhere//via=hop", QUIET));
    assertEquals([(refused as ConnectError).kind, group.size], ["refused", 1], String(refused));
    await group.makeGateway("popen//id=other//allow-run=true", QUIET);
    const denied = await assertRejects(() => group.makeGateway("slurm//via=other", QUIET), ConnectError);
    assert(/add allow-run to the spec of gateway "other"/.test(denied.message), denied.message);
  },
  async hopDies(): Promise<void> {
    const group = await Group.create([
      "popen//id=hop//allow-run//execmodel=main",
      "slurm//via=hop//id=node",
    ], QUIET);
    const { pid } = await group.get("hop")!.remoteInfo();
    const busy = group.get("node")!.remoteExec("await channel.send(1); while (true);");
    await busy.receive();
    Deno.kill(pid, "SIGKILL");
    const { reason } = await group.get("node")!.closed;
    assert(/gateway "?hop"?|SIGKILL/.test(reason), reason);
    while (await queue() !== "") await new Promise((resolve) => setTimeout(resolve, 50));
    await group.terminate();
  },
  async early(): Promise<void> {
    for (const hop of [[], ["popen//id=hop//allow-run"]]) {
      for (const ms of [0, 60, 140, 300]) {
        const group = await Group.create(hop, QUIET);
        const made = group.makeGateway(hop.length === 0 ? "slurm" : "slurm//via=hop", QUIET);
        made.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, ms));
        await group.terminate();
        await assertGivenBack(`${hop} after ${ms} ms`);
      }
    }
  },
  async srun(): Promise<void> {
    await using group = await Group.create(["command=srun --unbuffered --quiet -N1 -n1//allow-env"], QUIET);
    assertEquals(await group.get(0)!.call(() => Deno.env.get("SLURMD_NODENAME")), "n1");
  },
};

/** Ends of a program with busy gateways. */
const ENDS: Record<string, () => void> = {
  normal: () => {},
  exception: () => {
    throw new Error("an exception");
  },
  exit: () => Deno.exit(5),
  wait: () => void setInterval(() => {}, 1000),
};

if (what! in SCENES) {
  await SCENES[what!]!();
  console.log("done");
} else {
  const group = await Group.create([spec, ...others], QUIET);
  const channels = group.remoteExec("await channel.send(1); while (true);");
  await channels.receiveEach();
  console.log("busy");
  ENDS[what!]!();
}
