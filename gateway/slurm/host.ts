/** Where Slurm's commands run: on this machine, or where the other end of a connection is. */

/** What holds an allocation. It lets go at the end of its stdin, also when whoever holds the other end has gone. */
export interface Held {
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  /** Resolves when it has ended; never rejects. `reason` is there where it ended with the way to it. */
  readonly ended: Promise<{ code: number; reason?: string | undefined }>;
  /** Ends its stdin. */
  letGo(): void;
  /** Whether the program has to stay because of it; at first it has. */
  keepAlive(keep: boolean): void;
}

/** A machine with Slurm's commands. */
export interface SlurmHost {
  /** Starts what holds an allocation. */
  hold(command: readonly string[]): Promise<Held>;
  /** What a command prints, for `timeout` milliseconds at most; rejects when it cannot be run. */
  ask(command: readonly string[], timeout: number): Promise<string>;
}

/** The machine of this program; `env` is added to its environment. */
export function thisMachine(env: Readonly<Record<string, string>> = {}): SlurmHost {
  const spawn = ([program, ...args]: readonly string[], options: Deno.CommandOptions): Deno.ChildProcess =>
    new Deno.Command(program!, { args, env: { ...env }, stdout: "piped", ...options }).spawn();
  return {
    hold(command): Promise<Held> {
      // A signal from the terminal is for the program, which lets go in its own time.
      const child = spawn(command, { stdin: "piped", stderr: "piped", detached: true });
      return Promise.resolve({
        stdout: child.stdout,
        stderr: child.stderr,
        ended: child.status,
        letGo: () => void child.stdin.close().catch(() => {}),
        keepAlive: (keep) => keep ? child.ref() : child.unref(),
      });
    },
    async ask(command, timeout): Promise<string> {
      const child = spawn(command, { stdin: "null", stderr: "null", signal: AbortSignal.timeout(timeout) });
      child.unref();
      const { stdout } = await child.output();
      return new TextDecoder().decode(stdout);
    },
  };
}
