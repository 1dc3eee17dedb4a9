/** Holds up a start between the moment when the process is there and its greeting. */

import { descendants, processState } from "../helpers/leaks.ts";
import { exists } from "../helpers/folder.ts";
import { SilentRelay } from "../helpers/silent_relay.ts";
import { until } from "../helpers/wait.ts";

const ARRIVAL_MS = 15_000;

/** More than it takes to be let in, and less than an agent. */
const ADMITTED_BYTES = 4_000;

/** One gate, for one start. */
export class Gate implements AsyncDisposable {
  /** What stands before the Deno of the start. */
  readonly words: string[];
  /** Where to connect to in place of the server. */
  readonly port: number | undefined;
  readonly #arrived: () => number;
  readonly #open: () => Promise<void>;
  readonly #end: () => Promise<void>;

  private constructor(
    words: string[],
    port: number | undefined,
    steps: { arrived: () => number; open: () => Promise<void>; end: () => Promise<void> },
  ) {
    this.words = words;
    this.port = port;
    this.#arrived = steps.arrived;
    this.#open = steps.open;
    this.#end = steps.end;
  }

  /** A gate in front of Deno itself: the process is there, and does not begin. `deaf`: its stdout and stderr are closed. */
  static async inFront(folder: string, deaf: boolean): Promise<Gate> {
    const [script, told, way] = [`${folder}/gate`, `${folder}/gate.pid`, `${folder}/gate.fifo`];
    // An agent starts its executions by the same words: only the first one to come waits.
    const wait = `mv ${way} ${way}.taken 2>/dev/null && ` +
      `{ echo $$ >${told}.new; mv ${told}.new ${told}; read -r _ <${way}.taken; }`;
    Deno.writeTextFileSync(script, `#!/bin/sh\n${wait}; exec "$@"${deaf ? " >&- 2>&-" : ""}\n`);
    Deno.chmodSync(script, 0o755);
    await new Deno.Command("mkfifo", { args: [way] }).output();
    return new Gate([script], undefined, {
      arrived: () => exists(told) ? Number(Deno.readTextFileSync(told)) : 0,
      open: () => Deno.writeTextFile(`${way}.taken`, "go\n", { create: false }),
      end: () => Promise.resolve(),
    });
  }

  /** A gate in front of a server: it has started the process, which waits for the rest of its agent. */
  static before(server: { readonly pid: number; readonly port: number }): Promise<Gate> {
    const relay = new SilentRelay(server.port, ADMITTED_BYTES);
    const before = new Set(descendants(server.pid).map(({ pid }) => pid));
    return Promise.resolve(
      new Gate([], relay.port, {
        arrived: () => {
          if (!relay.isFull) return 0;
          const found = descendants(server.pid).filter((one) =>
            one.parent === server.pid && !before.has(one.pid)
          );
          return found.find(({ command }) => / run --quiet /.test(command))?.pid ?? 0;
        },
        open: () => {
          relay.mend();
          return Promise.resolve();
        },
        end: () => relay[Symbol.asyncDispose](),
      }),
    );
  }

  /** Resolves with the process that waits. */
  arrived(): Promise<number> {
    return until("the process is at the gate", () => {
      const pid = this.#arrived();
      return processState(pid) !== undefined && pid;
    }, ARRIVAL_MS);
  }

  /** Lets it go on. */
  open(): Promise<void> {
    return this.#open();
  }

  /** Takes the gate away. */
  end(): Promise<void> {
    return this.#end();
  }

  /** The same. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#end();
  }
}
