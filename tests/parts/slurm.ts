/** A real Slurm on this machine: munge, a controller and three nodes, in a folder of its own, on loopback only. */

import { guardScript } from "../../gateway/process/guard.ts";
import { processes } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { lacking, notRoot, part } from "./need.ts";
import type { Part } from "./need.ts";
import { exists } from "../helpers/folder.ts";

/** Its nodes. */
export const NODES = ["n1", "n2", "n3"] as const;

const PROGRAMS = [
  "munged",
  "slurmctld",
  "slurmd",
  "srun",
  "salloc",
  "scancel",
  "squeue",
  "sinfo",
  "scontrol",
];

/** The daemons live in `sbin`, which is not on everybody's PATH. */
const PATH = `${Deno.env.get("PATH") ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`;

/** Below the ports that the system gives out by itself, so that no connection takes one meanwhile. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

const START_ATTEMPTS = 3;
const START_TIMEOUT_MS = 20_000;
const COMMAND_TIMEOUT_MS = 20_000;
const END_TIMEOUT_MS = 5_000;

/** A cluster of daemons that root runs. */
export const SLURM: Part = part("slurm", () => notRoot() ?? lacking(...PROGRAMS));

/** How it is set up. */
export interface SlurmOptions {
  /** Seconds that a task which ignores SIGTERM gets before it is killed; 30 by default, as everywhere. */
  killWait?: number;
}

/** What a command gave. */
export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A job as the queue shows it. */
export interface SlurmJob {
  id: string;
  name: string;
  state: string;
}

/**
 * Three nodes `n1` to `n3` of two processors each in a partition `debug`, the default one; a partition
 * `private` is for the account `physics`.
 *
 * - Each daemon is a child in the foreground, and ends with this program however that ends.
 * - Disposing ends all jobs, the daemons, and whatever a job has left behind; then the folder is gone.
 */
export class Slurm implements AsyncDisposable {
  /** The folder of everything. */
  readonly folder: string;
  /** The configuration, for `SLURM_CONF`. */
  readonly conf: string;
  /** What a program needs in its environment to talk to this Slurm, and to no other. */
  readonly env: Readonly<Record<string, string>>;
  readonly #daemons = new Map<string, Deno.ChildProcess>();

  private constructor(folder: string) {
    this.folder = folder;
    this.conf = `${folder}/slurm.conf`;
    this.env = { SLURM_CONF: this.conf, PATH };
  }

  /** Starts it, and waits until all nodes are idle. */
  static async start(options: SlurmOptions = {}): Promise<Slurm> {
    for (let attempt = 1;; attempt++) {
      const slurm = new Slurm(await Deno.makeTempDir({ prefix: "slurm-" }));
      try {
        await slurm.#start(options);
        return slurm;
      } catch (error) {
        const log = slurm.log();
        await slurm[Symbol.asyncDispose]();
        // Two runs may have found the same free ports.
        if (attempt === START_ATTEMPTS) throw new Error(`Cannot start Slurm: ${log}`, { cause: error });
      }
    }
  }

  async #start({ killWait = 30 }: SlurmOptions): Promise<void> {
    const { folder } = this;
    for (const name of ["state", "spool", "run", "log"]) await Deno.mkdir(`${folder}/${name}`);
    for (const node of NODES) await Deno.mkdir(`${folder}/spool/${node}`);
    await Deno.writeFile(`${folder}/key`, crypto.getRandomValues(new Uint8Array(1024)), { mode: 0o400 });
    await Deno.writeTextFile(this.conf, configuration(folder, killWait, freePorts(1 + NODES.length)));
    this.#daemon("munged", [
      "--foreground",
      "--force",
      `--key-file=${folder}/key`,
      `--socket=${folder}/munge`,
      `--pid-file=${folder}/run/munged.pid`,
      `--log-file=${folder}/log/munged.log`,
      `--seed-file=${folder}/seed`,
    ]);
    await this.#up("munged listens", () => exists(`${folder}/munge`));
    this.startController();
    for (const node of NODES) this.startNode(node);
    await this.idleNodes();
  }

  /** Starts the controller, which takes up what it knew. */
  startController(): void {
    this.#daemon("slurmctld", ["-D", "-i", "-f", this.conf]);
  }

  /** Starts the daemon of a node. */
  startNode(node: string): void {
    this.#daemon(node, ["-D", "-f", this.conf, "-N", node], "slurmd");
  }

  /** Resolves when all nodes are idle. */
  async idleNodes(): Promise<void> {
    await this.#up("all nodes are idle", async () => {
      const { stdout } = await this.run("sinfo", "-h", "-p", "debug", "-N", "-o", "%T");
      const states = stdout.trim().split("\n");
      return states.length === NODES.length && states.every((state) => state === "idle");
    });
  }

  /** Waits for a state that no daemon must die before. */
  async #up(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    await until(what, () => {
      for (const [name, { pid }] of this.#daemons) {
        if (!exists(`/proc/${pid}/exe`)) throw new Error(`Cannot wait until ${what}: ${name} has ended`);
      }
      return condition();
    }, START_TIMEOUT_MS);
  }

  #daemon(name: string, args: readonly string[], program: string = name): void {
    const process = new Deno.Command("/bin/sh", {
      args: [
        "-c",
        guardScript([
          "sh",
          "-c",
          'exec "$@" >>"$0" 2>&1',
          `${this.folder}/log/${name}.out`,
          program,
          ...args,
        ], { link: "none" }),
      ],
      cwd: this.folder,
      env: this.env,
      stdin: "piped",
      stdout: "null",
      stderr: "inherit",
      detached: true,
    }).spawn();
    this.#daemons.set(name, process);
  }

  /** Kills a daemon, `munged`, `slurmctld` or that of a node, and waits for its end. */
  async kill(name: string): Promise<void> {
    const process = this.#daemons.get(name);
    if (process === undefined) return;
    this.#daemons.delete(name);
    await process.stdin.close().catch(() => {}); // the lifeline: its whole group is killed
    await process.status;
  }

  /** Runs one of Slurm's commands. It may fail. */
  async run(program: string, ...args: string[]): Promise<CommandResult> {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      env: this.env,
      cwd: this.folder,
      stdin: "null",
      signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
    }).output();
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  }

  /** All jobs that are waiting, running or ending. */
  async jobs(): Promise<SlurmJob[]> {
    const { code, stdout, stderr } = await this.run("squeue", "-h", "-o", "%i|%j|%T");
    if (code !== 0) throw new Error(`Cannot list the jobs: ${stderr}`);
    return stdout.split("\n").filter((line) => line !== "").map((line) => {
      const [id, name, state] = line.split("|");
      return { id: id!, name: name!, state: state! };
    });
  }

  /** Resolves when there is no job any more, not even an ending one; fails after `ms`. */
  async idle(ms: number = END_TIMEOUT_MS): Promise<void> {
    await until("the queue is empty", async () => (await this.jobs()).length === 0, ms);
  }

  /**
   * The processes that belong to it and are none of its daemons: tasks and what they left behind, their supervisors,
   * and local commands such as `srun`.
   */
  others(): number[] {
    const groups = new Set([...this.#daemons.values()].map(({ pid }) => pid));
    return [...processes().values()]
      .filter(({ pid, group }) => !groups.has(group) && pid !== Deno.pid && this.#owns(pid))
      .map(({ pid }) => pid);
  }

  /** Resolves when nothing of {@linkcode others} is left; fails after `ms`. */
  async clean(ms: number = END_TIMEOUT_MS): Promise<void> {
    await until("no process of Slurm is left", () => this.others().length === 0, ms);
  }

  /** Whether a process has this Slurm's configuration in its environment, or one of its files open. */
  #owns(pid: number): boolean {
    try {
      if (Deno.readTextFileSync(`/proc/${pid}/environ`).includes(`SLURM_CONF=${this.conf}`)) return true;
      for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
        if (linkOf(`/proc/${pid}/fd/${name}`).startsWith(`${this.folder}/`)) return true;
      }
    } catch {
      // It has ended meanwhile.
    }
    return false;
  }

  /** What its daemons have logged, for a failure's message. */
  log(): string {
    try {
      return [...Deno.readDirSync(`${this.folder}/log`)].filter(({ name }) => name.endsWith(".out"))
        .map(({ name }) => `${name}: ${Deno.readTextFileSync(`${this.folder}/log/${name}`).slice(-2_000)}`)
        .join("\n");
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First the nodes, so that nothing new is started; their tasks know no other end than that of their processes.
    for (const name of [...this.#daemons.keys()].reverse()) await this.kill(name);
    await until("nothing of Slurm is left", () => {
      const left = this.others();
      for (const pid of left) killProcess(pid);
      return left.length === 0;
    }, END_TIMEOUT_MS);
    await Deno.remove(this.folder, { recursive: true });
  }
}

function configuration(folder: string, killWait: number, [port, ...nodePorts]: number[]): string {
  const host = Deno.hostname().split(".")[0];
  const nodes = NODES.map((node, i) =>
    `NodeName=${node} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${
      nodePorts[i]
    } CPUs=2 RealMemory=2000 State=UNKNOWN`
  );
  return `ClusterName=loop
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${port}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket=${folder}/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool/%n
SlurmctldPidFile=${folder}/run/slurmctld.pid
SlurmdPidFile=${folder}/run/slurmd-%n.pid
SlurmctldLogFile=${folder}/log/slurmctld.log
SlurmdLogFile=${folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=${killWait}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerNode=500
EnforcePartLimits=ALL
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
${nodes.join("\n")}
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=private Nodes=ALL MaxTime=INFINITE State=UP AllowAccounts=physics
`;
}

/** Ports of loopback that nobody listens on. */
function freePorts(count: number): number[] {
  const listeners: Deno.TcpListener[] = [];
  try {
    while (listeners.length < count) {
      const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
      try {
        listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
      } catch {
        // Somebody listens there.
      }
    }
    return listeners.map(({ addr }) => addr.port);
  } finally {
    for (const listener of listeners) listener.close();
  }
}

function killProcess(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
