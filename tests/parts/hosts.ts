/** Three hosts on this machine: network namespaces joined by a bridge, an sshd in each. */

import { processesInNetwork } from "../helpers/leaks.ts";
import type { FarSide, ProcessState } from "../helpers/leaks.ts";
import { Keeper, keptFolder } from "./keeper.ts";
import { failing, lacking, notRoot, part } from "./need.ts";
import type { Part } from "./need.ts";
import { run } from "./run.ts";
import type { Ran } from "./run.ts";
import { entryText } from "./ssh_entries.ts";
import { SSHD, Sshd } from "./sshd.ts";
import type { SshdOptions } from "./sshd.ts";

/** Several hosts. */
export const HOSTS: Part = part(
  "hosts",
  () =>
    SSHD.missing ?? notRoot() ?? lacking("ip", "iptables", "unshare") ??
      failing(["unshare", "-mn", "true"]) ??
      failing([
        ...["unshare", "-n", "sh", "-c"],
        "ip link add name xp1 type veth peer name xp2 && ip link add name xp3 type bridge && " +
        "iptables -A INPUT -m statistic --mode random --probability 0.5 -j DROP",
      ]),
);

/** What the hosts are like. */
export interface HostsOptions {
  /** How many; by default three. */
  count?: number;
  /** The sshd on each; users, network, address and alias are given. */
  sshd?: Pick<SshdOptions, "maxSessions" | "maxStartups" | "lines" | "deno" | "executable">;
}

/** A direction, as a host sees it: what comes to it, or goes from it. */
export type Chain = "INPUT" | "OUTPUT";

/** How many networks 10.99.x.0/24 there are. */
const NETWORKS = 256;

/**
 * The hosts `h1`, `h2`, `h3`, at 10.99.x.1 and so on. The machine's own network gets one interface with the address
 * 10.99.x.254 and nothing else, so that a plain ssh reaches them.
 */
export class Hosts implements AsyncDisposable {
  /** A configuration for `ssh -F` with the aliases `h1`, `h2`, `h3`. */
  readonly config: string;
  /** The folder of its own. */
  readonly folder: string;
  /** The servers, in order. */
  readonly sshd: readonly Sshd[];

  readonly #keeper: Keeper;
  readonly #id: string;

  private constructor(keeper: Keeper, folder: string, id: string, sshd: readonly Sshd[]) {
    this.#keeper = keeper;
    this.#id = id;
    this.folder = folder;
    this.sshd = sshd;
    this.config = `${folder}/ssh`;
  }

  /** Makes the network and starts the servers. */
  static async start(options: HostsOptions = {}): Promise<Hosts> {
    const keeper = new Keeper("hosts");
    const started: Sshd[] = [];
    try {
      const folder = await keptFolder(keeper);
      const number = await claimNetwork(keeper);
      const id = `xp${number}`;
      const count = options.count ?? 3;
      await makeNetwork(keeper, id, number, count);
      const starts = await Promise.allSettled(
        Array.from({ length: count }, (_, at) =>
          Sshd.start({
            ...options.sshd,
            address: `10.99.${number}.${at + 1}`,
            port: 22,
            network: `${id}h${at + 1}`,
            alias: `h${at + 1}`,
          })),
      );
      for (const start of starts) if (start.status === "fulfilled") started.push(start.value);
      for (const start of starts) if (start.status === "rejected") throw start.reason;
      const hosts = new Hosts(keeper, folder, id, started);
      await Deno.writeTextFile(hosts.config, started.map((one) => one.entries).join(""));
      return hosts;
    } catch (error) {
      await Promise.all(started.map((one) => one.stop()));
      await keeper.end();
      throw error;
    }
  }

  /** The alias of host `at`, counted from 1 like all of them. */
  host(at: number): string {
    return this.sshd[at - 1]!.host();
  }

  /** Runs a command in the namespace of the bridge. */
  run(argv: readonly string[]): Promise<Ran> {
    return run(["ip", "netns", "exec", `${this.#id}c`, ...argv]);
  }

  /** Runs a command on a host, without ssh. */
  runOn(at: number, argv: readonly string[]): Promise<Ran> {
    return run(["ip", "netns", "exec", `${this.#id}h${at}`, ...argv]);
  }

  /** Cuts a host off: its cable is unplugged, nothing on either side is told. */
  async cut(at: number): Promise<void> {
    await run(["ip", "-n", `${this.#id}c`, "link", "set", `v${at}`, "down"]);
  }

  /** Plugs the cable in again. */
  async mend(at: number): Promise<void> {
    await run(["ip", "-n", `${this.#id}c`, "link", "set", `v${at}`, "up"]);
  }

  /** From now on this fraction of all packets to and from the host, or of those of one direction, is lost; 0 for none. */
  async loss(at: number, fraction: number, chains: readonly Chain[] = ["INPUT", "OUTPUT"]): Promise<void> {
    for (const chain of chains) {
      await this.runOn(at, ["iptables", "-w", "-F", chain]);
      if (fraction === 0) continue;
      const some = ["-m", "statistic", "--mode", "random", "--probability", String(fraction)];
      await this.runOn(at, ["iptables", "-w", "-A", chain, ...fraction < 1 ? some : [], "-j", "DROP"]);
    }
  }

  /**
   * Gives a configuration like {@linkcode Hosts.config} in which every connection passes a relay that delays, so that
   * a round trip takes `ms` longer. Throughput is not limited by it, other than by windows.
   */
  async delay(ms: number): Promise<string> {
    const relay = new URL("./delay_line.ts", import.meta.url);
    const config = `${this.folder}/ssh-${ms}`;
    const command = `'${Deno.execPath()}' run --no-config --allow-net ${relay.pathname} %h %p ${ms / 2}`;
    const entries = this.sshd.map((one) => entryText({ ...one.entry(), proxyCommand: command }));
    await Deno.writeTextFile(config, entries.join(""));
    return config;
  }

  /** What runs on a host besides its server. */
  on(at: number): FarSide {
    const sshd = this.sshd[at - 1]!;
    const file = `/run/netns/${this.#id}h${at}`;
    return {
      processes: (): ProcessState[] => {
        const found = [...sshd.processes(), ...processesInNetwork(file)].filter((one) =>
          one.pid !== sshd.pid
        );
        return [...new Map(found.map((one) => [one.pid, one])).values()];
      },
    };
  }

  /** Ends the servers and removes the network. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.sshd.map((one) => one.stop()));
    await this.#keeper.end();
  }
}

/** Takes a network that nobody else has: the machine's interface is named after it, and a name is given once. */
async function claimNetwork(keeper: Keeper): Promise<number> {
  const first = crypto.getRandomValues(new Uint8Array(1))[0]!;
  for (let tries = 0; tries < NETWORKS; tries++) {
    const number = (first + tries) % NETWORKS;
    const known = await run(["ip", "route", "show", "to", "match", `10.99.${number}.1`]);
    if (known.stdout.split("\n").some((route) => route !== "" && !route.startsWith("default"))) continue;
    const { code, stderr } = await run(
      ["ip", "link", "add", `xp${number}`, "type", "veth", "peer", "name", `xp${number}p`],
      { mayFail: true },
    );
    if (code === 0) {
      await keeper.undo(`ip link del xp${number} 2>/dev/null || :`);
      return number;
    }
    if (!/exists/.test(stderr)) throw new Error(`Cannot add an interface: ${stderr.trim()}`);
  }
  throw new Error("Cannot find a network 10.99.x.0/24: all are taken");
}

async function makeNetwork(keeper: Keeper, id: string, number: number, count: number): Promise<void> {
  const names = [`${id}c`, ...Array.from({ length: count }, (_, at) => `${id}h${at + 1}`)];
  for (const name of names) {
    // What still runs there, be it detached from all, must not keep the namespace.
    await keeper.undo(
      `pids=$(ip netns pids ${name} 2>/dev/null); [ -z "$pids" ] || kill -9 $pids; ip netns del ${name} 2>/dev/null || :`,
    );
    await run(["ip", "netns", "add", name]);
  }
  const script = [
    `link add br0 type bridge`,
    `link set br0 up`,
    ...Array.from(
      { length: count },
      (_, at) => `link add v${at + 1} type veth peer eth0 netns ${id}h${at + 1}`,
    ),
    ...Array.from({ length: count }, (_, at) => `link set v${at + 1} master br0 up`),
  ];
  await run(["ip", "-n", `${id}c`, "-batch", "-"], { input: script.join("\n") + "\n" });
  for (let at = 1; at <= count; at++) {
    const lines = [`link set lo up`, `address add 10.99.${number}.${at}/24 dev eth0`, `link set eth0 up`];
    await run(["ip", "-n", `${id}h${at}`, "-batch", "-"], { input: lines.join("\n") + "\n" });
  }
  await run(["ip", "link", "set", `${id}p`, "netns", `${id}c`]);
  await run(["ip", "-n", `${id}c`, "link", "set", `${id}p`, "master", "br0", "up"]);
  await run(["ip", "address", "add", `10.99.${number}.254/24`, "dev", id]);
  await run(["ip", "link", "set", id, "up"]);
}
