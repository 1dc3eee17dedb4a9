/** An sshd with a connection to it that is open already and that the configuration names, as a user may have one. */

import { endedByPart, startedByPart } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { NO_TEST_MARK } from "./run.ts";
import { Sshd } from "./sshd.ts";
import type { SshdOptions } from "./sshd.ts";
import { exists } from "../helpers/folder.ts";

const START_LIMIT_MS = 20_000;

/** A server, and a connection whose sessions start at once. */
export class SshWithMaster implements AsyncDisposable {
  /** The server. */
  readonly sshd: Sshd;
  /** A configuration for `ssh -F`, which names the connection's socket. */
  readonly config: string;
  readonly #master: Deno.ChildProcess;

  private constructor(sshd: Sshd, config: string, master: Deno.ChildProcess) {
    this.sshd = sshd;
    this.config = config;
    this.#master = master;
  }

  /** Starts a server, connects, and waits until sessions can be had. */
  static async start(options: SshdOptions = {}): Promise<SshWithMaster> {
    const sshd = await Sshd.start({ maxSessions: 200, ...options });
    try {
      const path = `${sshd.folder}/master`;
      const master = new Deno.Command("ssh", {
        args: ["-F", sshd.config, "-o", "BatchMode=yes", "-M", "-N", "-S", path, sshd.host()],
        env: { ...NO_TEST_MARK },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      startedByPart(master.pid);
      const config = `${sshd.folder}/ssh_master`;
      const text = await Deno.readTextFile(sshd.config);
      await Deno.writeTextFile(config, `${text}Host *\n  ControlPath ${path}\n`);
      await until("the connection is open", () => exists(path), START_LIMIT_MS);
      return new SshWithMaster(sshd, config, master);
    } catch (error) {
      await sshd.stop();
      throw error;
    }
  }

  /** Ends both. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.sshd.stop();
    await this.#master.status;
    endedByPart(this.#master.pid);
  }
}
