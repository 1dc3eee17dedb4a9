/** A host that is reached by ssh, on this machine: a real sshd, with a connection to it that stays open. */

import { until } from "../helpers/wait.ts";
import { Sshd } from "../parts/sshd.ts";
import { exists } from "../helpers/folder.ts";

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
  readonly #sshd: Sshd;
  readonly #master: Deno.ChildProcess;

  private constructor(env: Record<string, string>, sshd: Sshd, master: Deno.ChildProcess) {
    this.env = env;
    this.#sshd = sshd;
    this.#master = master;
  }

  /** Starts it. `pin` are the words before a command that is to run on one core; none leave it all of them. */
  static async start(pin: readonly string[]): Promise<FarHost> {
    const sshd = await Sshd.start({ maxSessions: 100 });
    try {
      if (pin.length > 0) {
        const [program, ...args] = pin;
        await new Deno.Command(program!, { args: ["-p", ...args, String(sshd.pid)], stdout: "null" })
          .output();
      }
      const path = `${sshd.folder}/master`;
      const words = [...pin, "ssh", "-F", sshd.config, "-o", "BatchMode=yes", "-MN", "-S", path, sshd.host()];
      const master = new Deno.Command(words[0]!, { args: words.slice(1), stdin: "null", stdout: "null" })
        .spawn();
      const shared = `${sshd.folder}/ssh_shared`;
      await Deno.writeTextFile(shared, `${sshd.entries}Host *\n  ControlPath ${path}\n`);
      await until("the connection is open", () => exists(path), START_LIMIT_MS);
      const env = {
        [VARIABLES.alias]: sshd.host(),
        [VARIABLES.fresh]: sshd.config,
        [VARIABLES.shared]: shared,
      };
      return new FarHost(env, sshd, master);
    } catch (error) {
      await sshd.stop();
      throw error;
    }
  }

  /** Ends it and what still runs there. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sshd.stop();
    await this.#master.status;
  }
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
