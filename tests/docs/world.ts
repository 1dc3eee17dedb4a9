/**
 * The world that the pages tell of: a network of its own in which `build1`, `build2` and `build3` are hosts of a real
 * sshd and every port is free, a container `box`, and a cluster.
 */

import { exists } from "../helpers/folder.ts";
import { Keeper, keptFolder, quoted } from "../parts/keeper.ts";
import { failing, lacking, needs, part } from "../parts/need.ts";
import type { Part } from "../parts/need.ts";
import { PODMAN, Podman } from "../parts/podman.ts";
import { PART_MARK, run } from "../parts/run.ts";
import { entryText } from "../parts/ssh_entries.ts";
import { SLURM, Slurm } from "../parts/slurm.ts";
import { Sshd, SSHD_USERS } from "../parts/sshd.ts";
import type { UserOptions } from "../parts/sshd.ts";

/** What it is made of. */
export const WORLD: Part = part(
  "the world of the pages",
  () =>
    needs([SSHD_USERS, PODMAN, SLURM]).reason ?? lacking("ip", "nsenter", "unshare", "bash", "openssl") ??
      failing(["unshare", "-mn", "true"]),
);

/** Each host is a user of one sshd, with a home of its own. */
const HOSTS: readonly UserOptions[] = [
  { name: "build1", shell: "bash" },
  { name: "build2", shell: "sh" },
  { name: "build3", shell: "sh", deno: "none" }, // For `provision`.
];

/** Where a command is run. */
export interface Place {
  /** What is put before the command. */
  readonly prefix: readonly string[];
  /** What is added to its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What it has been made of. */
interface Made {
  readonly folder: string;
  readonly prefix: readonly string[];
  readonly slurm: Slurm;
  /** In the order in which they were started. */
  readonly parts: readonly AsyncDisposable[];
}

/** Its parts, and the way into it. */
export class World implements AsyncDisposable {
  readonly #made: Made;

  private constructor(made: Made) {
    this.#made = made;
  }

  /** A folder for PATH: the container's engine under its names. */
  get programs(): string {
    return `${this.#made.folder}/bin`;
  }

  /** Where a block is run: the cluster's daemons are not in the network of all else. */
  placeOf(text: string): Place {
    const { folder, prefix, slurm } = this.#made;
    const mark = { [PART_MARK]: folder };
    return /\bslurm\b/.test(text)
      ? { prefix: [], env: { ...mark, SLURM_CONF: slurm.conf } }
      : { prefix, env: mark };
  }

  /** Makes it. */
  static async start(): Promise<World> {
    const keeper = new Keeper("the world of the pages");
    const parts: AsyncDisposable[] = [keeper];
    try {
      const folder = await keptFolder(keeper);
      const network = await makeNetwork(keeper, folder);
      await keeper.undo(`end_marked ${quoted(`${PART_MARK}=${folder}`)}`); // Services, when the tests are killed.
      const started = await Promise.allSettled([
        Sshd.start({ network, address: "127.0.0.1", port: 22, users: HOSTS }),
        Podman.start(),
        Slurm.start(),
      ]);
      for (const one of started) if (one.status === "fulfilled") parts.push(one.value);
      for (const one of started) if (one.status === "rejected") throw one.reason;
      const [, sshd, podman, slurm] = parts as [Keeper, Sshd, Podman, Slurm];
      await Promise.all([writeKeys(folder, network, sshd), startBox(podman)]);
      await Deno.mkdir(`${folder}/bin`);
      for (const name of ["podman", "docker"]) await Deno.symlink(podman.program, `${folder}/bin/${name}`);
      const mounts = [`${folder}/hosts /etc/hosts`, `/etc/netns/${network}/ssh /etc/ssh`];
      if (exists("/root/.ssh")) mounts.push(`${folder}/empty /root/.ssh`);
      const script = [...mounts.map((one) => `mount --bind ${one}`), 'exec "$@"'].join(" && ");
      const prefix = [
        ...["nsenter", `--net=/run/netns/${network}`],
        ...["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh"],
      ];
      return new World({ folder, prefix, slurm, parts });
    } catch (error) {
      await end(parts);
      throw error;
    }
  }

  /** Ends all of it. */
  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#made.parts);
  }
}

async function end(parts: readonly AsyncDisposable[]): Promise<void> {
  for (const one of [...parts].reverse()) await one[Symbol.asyncDispose]();
}

/** A network with a loopback only, in which the hosts have names. What is in /etc/netns is its /etc for sshd. */
async function makeNetwork(keeper: Keeper, folder: string): Promise<string> {
  const network = folder.slice(folder.lastIndexOf("/") + 1);
  const etc = `/etc/netns/${network}`;
  const names = ["localhost", ...HOSTS.map((one) => one.name)].join(" ");
  await keeper.undo(`rm -rf ${quoted(etc)}; rmdir --ignore-fail-on-non-empty /etc/netns`);
  await Deno.mkdir(`${etc}/ssh`, { recursive: true });
  await Deno.mkdir(`${folder}/empty`);
  for (const place of [etc, folder]) await Deno.writeTextFile(`${place}/hosts`, `127.0.0.1 ${names}\n`);
  await keeper.undo(`ip netns delete ${quoted(network)}`);
  await run(["ip", "netns", "add", network]);
  await run(["ip", "-n", network, "link", "set", "lo", "up"]);
  return network;
}

/** Lets everyone there reach every host by its name, from a host too, each user with a copy of the one key. */
async function writeKeys(folder: string, network: string, sshd: Sshd): Promise<void> {
  const users = [...sshd.users.values()];
  const own = sshd.entry();
  await Deno.mkdir(`${folder}/keys`);
  for (const [login, uid] of [[own.user, 0], ...users.map((one) => [one.login, one.uid])] as const) {
    const copy = `${folder}/keys/${login}`;
    await Deno.copyFile(own.key, copy);
    await Deno.chown(copy, uid as number, null);
  }
  const common = { key: `${folder}/keys/%u`, knownHosts: `${folder}/known` };
  const names = users.map(({ alias }) => alias);
  const known = await Deno.readTextFile(own.knownHosts);
  await Deno.writeTextFile(common.knownHosts, known.replace(/^\S+/, names.join()));
  const text = names.map((host) => entryText({ ...sshd.entry(host), ...common, host })).join("");
  await Deno.writeTextFile(`/etc/netns/${network}/ssh/ssh_config`, text);
}

async function startBox(podman: Podman): Promise<void> {
  const { name } = await podman.container({ deno: "path" });
  await podman.run(["rename", name, "box"]);
}
