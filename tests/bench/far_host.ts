/** A host that is reached by ssh: a real sshd on this machine, near or behind a link with delay. */

import { exists } from "../helpers/folder.ts";
import { until } from "../helpers/wait.ts";
import { HOSTS, Hosts } from "../parts/hosts.ts";
import type { Part } from "../parts/need.ts";
import { SSHD, Sshd } from "../parts/sshd.ts";

/** Where it is: on the loopback interface, or in a network of its own behind {@linkcode DELAY_MS}. */
export type FarKind = "near" | "delayed";

/** What each takes. */
export const FAR_PARTS: Readonly<Record<FarKind, Part>> = { near: SSHD, delayed: HOSTS };

/** How much later all arrives over a link with delay, in each direction. */
const DELAY_MS = 50;

/** Whether each connection is a new one, or they are sessions on the one that is open. */
export type SshWay = "fresh" | "shared";

/** Where a measuring program finds the alias of the host, and the configurations for `ssh -F`. */
const VARIABLES = {
  alias: "BENCH_SSH_ALIAS",
  fresh: "BENCH_SSH_FRESH",
  shared: "BENCH_SSH_SHARED",
} as const;

const START_LIMIT_MS = 20_000;

/** The host, as the driver has it. */
export class FarHost implements AsyncDisposable {
  /** What measuring programs need in their environment. */
  readonly env: Record<string, string>;
  /** The processes that it consists of, but for what these start. */
  readonly pids: readonly number[];
  readonly #parts: AsyncDisposableStack;

  private constructor({ env, pids }: Ready, parts: AsyncDisposableStack) {
    this.env = env;
    this.pids = pids;
    this.#parts = parts;
  }

  /** Starts it. `pin` are the words before a command that is to run on one core; none leave it all of them. */
  static async start(kind: FarKind, pin: readonly string[]): Promise<FarHost> {
    await using parts = new AsyncDisposableStack();
    const ready = kind === "near" ? await startNear(parts, pin) : await startDelayed(parts, pin);
    return new FarHost(ready, parts.move());
  }

  /** Ends it and what still runs there. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** What has been started. */
type Ready = Pick<FarHost, "env" | "pids">;

/** A server, with a connection to it that stays open. */
async function startNear(
  parts: AsyncDisposableStack,
  pin: readonly string[],
): Promise<Ready> {
  const sshd = parts.use(await Sshd.start({ maxSessions: 100 }));
  await pinServer(sshd, pin);
  const path = `${sshd.folder}/master`;
  const words = [...pin, "ssh", "-F", sshd.config, "-o", "BatchMode=yes", "-MN", "-S", path, sshd.host()];
  const options = { args: words.slice(1), stdin: "null", stdout: "null" } as const;
  const master = new Deno.Command(words[0]!, options).spawn();
  parts.defer(async () => {
    // The connection ends with its server.
    await sshd.stop();
    await master.status;
  });
  const shared = `${sshd.folder}/ssh_shared`;
  await Deno.writeTextFile(shared, `${sshd.entries}Host *\n  ControlPath ${path}\n`);
  await until("the connection is open", () => exists(path), START_LIMIT_MS);
  return {
    env: {
      [VARIABLES.alias]: sshd.host(),
      [VARIABLES.fresh]: sshd.config,
      [VARIABLES.shared]: shared,
    },
    pids: [sshd.pid, master.pid],
  };
}

/** A server in a network of its own; every connection to it passes a relay that delays. */
async function startDelayed(
  parts: AsyncDisposableStack,
  pin: readonly string[],
): Promise<Ready> {
  const hosts = parts.use(await Hosts.start({ count: 1 }));
  await pinServer(hosts.sshd[0]!, pin);
  return {
    env: { [VARIABLES.alias]: hosts.host(1), [VARIABLES.fresh]: await hosts.delay(2 * DELAY_MS) },
    pids: hosts.sshd.map(({ pid }) => pid),
  };
}

async function pinServer(sshd: Sshd, pin: readonly string[]): Promise<void> {
  const [program, ...args] = pin;
  if (program === undefined) return;
  await new Deno.Command(program, { args: ["-p", ...args, String(sshd.pid)], stdout: "null" }).output();
}

/** For measuring programs: how the host is called. */
export function sshAlias(): string {
  return variable("alias");
}

/** For measuring programs: the configuration for `ssh -F`. */
export function sshConfig(way: SshWay): string {
  return variable(way);
}

function variable(name: keyof typeof VARIABLES): string {
  const value = Deno.env.get(VARIABLES[name]);
  if (value === undefined) throw new Error(`Cannot reach a host by ssh: ${VARIABLES[name]} is not set`);
  return value;
}
