/** Connections to ssh hosts that several gateways share, each with as many sessions as the host allows. */

import { waitFor } from "../../channel/wait.ts";
import { ConnectProblem } from "../errors.ts";
import { Output } from "../output.ts";
import { ifThere } from "../process/process.ts";
import { startProgram } from "../process/program.ts";
import type { Program } from "../process/program.ts";
import { classifySsh } from "./failures.ts";
import type { Gate } from "./gate.ts";

/** Sessions on one connection, unless the server refuses earlier: OpenSSH's default for `MaxSessions`. */
const SESSIONS = 10;

/**
 * Connections to one host that are not authenticated yet: OpenSSH's default for `MaxStartups` begins to refuse at ten,
 * and other programs want to log in, too.
 */
export const UNAUTHENTICATED = 4;

/** Bytes of a folder's path that leave room for a socket in it, and for what ssh adds to its name meanwhile. */
const MAX_FOLDER_BYTES = 80;

function socketFolder(): string {
  const prefix = "execnet-";
  const folder = Deno.makeTempDirSync({ prefix });
  if (new TextEncoder().encode(folder).length <= MAX_FOLDER_BYTES) return folder;
  Deno.removeSync(folder);
  return Deno.makeTempDirSync({ dir: "/tmp", prefix });
}

/** A connection that carries sessions. It ends with its last one. */
class Master {
  /** Sessions that use it or are about to. */
  sessions = 0;
  /** No further session may use it: the server has refused one, or it has ended. */
  full = false;
  /** Those who do not know whether it still leads anywhere. */
  doubts = 0;
  /** Resolves when sessions can be opened. */
  readonly ready: Promise<void>;
  readonly path: string;
  readonly #folder: string;
  #program: Program | undefined;
  #ended = false;

  constructor(command: readonly string[], gate: Gate) {
    this.#folder = socketFolder();
    this.path = `${this.#folder}/m`;
    this.ready = gate.run(() => this.#start(command));
    this.ready.catch(() => this.end());
  }

  async #start(command: readonly string[]): Promise<void> {
    if (this.#ended) {
      throw new ConnectProblem("exit", "nobody waits for the connection any more");
    }
    const [ssh, ...words] = command;
    const program = await startProgram([
      ssh!,
      "-N",
      "-M",
      ...["-S", this.path, "-o", "ControlPersist=no"],
      // It runs when sessions can be opened. For ssh, what is said first counts.
      ...["-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo"],
      ...words,
    ], { link: "streams", print: "piped", folder: this.#folder });
    this.#program = program;
    if (this.#ended) program.kill();
    program.keepAlive(false);
    const output = new Output("null", "", program.output!);
    const first = await program.link.read(new Uint8Array(1));
    if (first !== null) {
      void program.ended.then(() => this.full = true);
      return;
    }
    const end = await program.ended;
    await output.ended;
    const { kind, state } = classifySsh(output.tail);
    throw new ConnectProblem(kind, state, { details: { exitCode: end.code, stderrTail: output.tail } });
  }

  /** Ends it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.full = true;
    if (this.#program !== undefined) {
      this.#program.kill();
      this.#program.link.close();
      return;
    }
    // It is empty, and to look into it would take a descriptor.
    ifThere(() => Deno.removeSync(this.#folder));
  }
}

/** A place for one session on a connection. */
export interface Lease {
  /** The socket of the connection. */
  readonly path: string;
  /** Whether others use the connection. */
  readonly shared: boolean;
  /** Gives the place back. Idempotent. */
  release(): void;
  /** The server has refused a session: this connection gets no more. */
  refused(): void;
  /**
   * Nobody knows what has become of the connection: it gets no more sessions until the doubt is taken back, by calling
   * what this gives.
   */
  doubt(): () => void;
  /** A further place on the same connection, whatever is thought of it; undefined when it has ended. */
  another(): Lease | undefined;
}

/** The connections to one host. */
export class Masters {
  readonly #command: readonly string[];
  readonly #gate: Gate;
  #masters: Master[] = [];
  #limit = SESSIONS;

  /** `command` connects to the host; the host is its last word. */
  constructor(command: readonly string[], gate: Gate) {
    this.#command = command;
    this.#gate = gate;
  }

  /** Takes a place, on a new connection where the others are full. */
  async lease(signal: AbortSignal): Promise<Lease> {
    let master = this.#masters.find((one) => !one.full && one.doubts === 0 && one.sessions < this.#limit);
    if (master === undefined) {
      master = new Master(this.#command, this.#gate);
      this.#masters.push(master);
    }
    const lease = this.#take(master);
    try {
      await waitFor(master.ready, { signal }, () => "");
      return lease;
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  #take(master: Master): Lease {
    master.sessions++;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      if (--master.sessions > 0) return;
      this.#masters = this.#masters.filter((one) => one !== master);
      master.end();
    };
    return {
      path: master.path,
      get shared() {
        return master.sessions > (held ? 1 : 0);
      },
      release,
      refused: () => {
        master.full = true;
        this.#limit = Math.max(1, Math.min(this.#limit, master.sessions - (held ? 1 : 0)));
      },
      doubt: (): () => void => {
        master.doubts++;
        let doubted = true;
        return () => {
          if (doubted) master.doubts--;
          doubted = false;
        };
      },
      another: () => this.#masters.includes(master) ? this.#take(master) : undefined,
    };
  }
}
