/** `via`: programs that a gateway starts, as if they were started here. */

import type { Channel } from "../../channel/channel.ts";
import type { Facts } from "../../channel/handshake.ts";
import { NUMBER_BYTES } from "../../channel/bypasses.ts";
import { readUint48 } from "../../channel/frame.ts";
import { ProtocolError } from "../../channel/errors.ts";
import { ConnectProblem } from "../errors.ts";
import type { ProgramChannels } from "../executions.ts";
import type { ProgramExtras } from "../process/job.ts";
import { ifThere, KILLED, readExactly } from "../process/process.ts";
import type { ProcessEnd } from "../process/process.ts";
import { linkTransport } from "../process/link.ts";
import type { LinkTaker, RawLink } from "../process/link.ts";
import type { Program } from "../process/program.ts";
import type { Starter } from "../shell/command.ts";

/** What starting through a gateway takes of it. */
export interface Hop {
  readonly id: string;
  /** The address of its host, where that is another one. */
  readonly address: string | undefined;
  /** The Deno that it runs in, a path over there; undefined where that is not known. */
  readonly executable: string | undefined;
  /** Where its agent takes the links of programs, if it does. */
  readonly door: Door | undefined;
  /** Starts a program over there; with a proof, its link comes by the door. */
  program(command: readonly string[], extras?: ProgramExtras): ProgramChannels;
  /** A further link that such a program has brought. */
  link(id: string): Channel<Uint8Array, Uint8Array>;
  /** Whether this program has to stay because of what hangs on it. Counted. */
  keepAlive(keep: boolean): void;
}

/** Where an agent takes the links of programs. */
export interface Door {
  /** The Unix socket. */
  readonly path: string;
  /** The working directory of what the agent starts. */
  readonly cwd: string;
}

/** The door of an agent, as it says in its greeting. */
export function doorOf({ door, cwd }: Facts): Door | undefined {
  return isPath(door) && isPath(cwd) ? { path: door, cwd } : undefined;
}

function isPath(fact: unknown): fact is string {
  return typeof fact === "string" && /^\/[^\0]*$/.test(fact);
}

/** The Deno that an agent runs in, as it says in its greeting. */
export function executableOf({ executable }: Facts): string | undefined {
  return isPath(executable) ? executable : undefined;
}

/** Starts programs through a gateway. */
export function hopStarter(hop: Hop): Starter {
  return {
    place: `via ${hop.id}`,
    address: hop.address,
    start: (command, { signal } = {}) => startThrough(hop, command, signal),
    permissionHint: `add allow-run to the spec of gateway "${hop.id}", or the program to its list`,
  };
}

/** A program that was started through a gateway. */
export interface FarProgram extends Program {
  /** Hands on the further links that it brings, if it comes by a door. */
  readonly openLinks: ((taker: LinkTaker) => void) | undefined;
}

/** Starts a program through a gateway. Its link is its stdin and its stdout, or comes by the door with this proof. */
export async function startThrough(
  hop: Hop,
  command: readonly string[],
  signal: AbortSignal | undefined,
  extras: ProgramExtras = {},
): Promise<FarProgram> {
  const { streams, output, control } = hop.program(command, extras);
  let pid: number;
  try {
    pid = pidOf(await control.receive(signal === undefined ? {} : { signal }));
  } catch (error) {
    ifThere(() => streams.kill());
    throw failed(error as Error, hop, command) ?? error;
  }
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  const keeps = new Keeps(hop);
  let over = false;
  let forced = false;
  const links = new Links(hop);
  const finish = (end: ProcessEnd): void => {
    over = true;
    links.end();
    keeps.end();
    resolve(end);
  };
  const follow = async (): Promise<ProcessEnd> => {
    while (true) {
      const news = await control.receive();
      const { link } = Object(news) as { link?: unknown };
      if (typeof link !== "string") return endOf(news);
      links.came(link);
    }
  };
  follow().then(finish, (error: Error) => finish({ code: -1, signal: null, reason: error.message }));
  const tell = (action: () => void): void => {
    if (over) return;
    forced = true;
    action();
  };
  return {
    pid,
    link: linkOf(streams),
    openLinks: extras.nonce === undefined ? undefined : (taker): void => links.open(taker),
    endInput: () => void streams.closeWrite(),
    output: outputOf(output),
    ended,
    terminate: () => tell(() => void control.send("terminate").catch(() => {})),
    kill: () =>
      tell(() => {
        ifThere(() => streams.kill());
        finish(KILLED);
      }),
    get forced() {
      return forced;
    },
    keepAlive: (keep) => keeps.count(keep),
  };
}

/** A channel of bytes as a link. */
function linkOf(channel: Channel<Uint8Array, Uint8Array>): RawLink {
  return {
    read: reader(channel),
    write: async (bytes): Promise<number> => {
      await channel.send(bytes);
      return bytes.length;
    },
    close: () => void channel.close(),
  };
}

/** More links than this that nobody has taken yet, or that have not said their number, are a hop's invention. */
const MAX_PENDING_LINKS = 1_024;

/** The links of a program besides its first one. */
class Links {
  readonly #hop: Hop;
  /** Those that have not said their number. */
  #silent = 0;
  readonly #waiting: string[] = [];
  #taker: LinkTaker | undefined;
  #over = false;

  constructor(hop: Hop) {
    this.#hop = hop;
  }

  came(id: string): void {
    if (this.#waiting.length + this.#silent >= MAX_PENDING_LINKS) return;
    if (this.#taker === undefined) this.#waiting.push(id);
    else void this.#hand(this.#taker, linkOf(this.#hop.link(id)));
  }

  async #hand(taker: LinkTaker, link: RawLink): Promise<void> {
    this.#silent++;
    const words = await readExactly(link, NUMBER_BYTES).catch(() => undefined);
    this.#silent--;
    if (words === undefined || this.#over) link.close();
    else taker.link(linkTransport(link), readUint48(words, 0));
  }

  open(taker: LinkTaker): void {
    this.#taker = taker;
    for (const id of this.#waiting.splice(0)) this.came(id);
    if (this.#over) taker.noMore();
  }

  end(): void {
    this.#over = true;
    this.#taker?.noMore();
  }
}

/** What a hop says is looked at before it is believed. */
function pidOf(news: unknown): number {
  const { pid } = Object(news) as { pid?: unknown };
  return typeof pid === "number" ? pid : -1;
}

function endOf(news: unknown): ProcessEnd {
  const { code, signal } = Object(news) as { code?: unknown; signal?: unknown };
  const known = Number.isInteger(code) && (signal === null || typeof signal === "string");
  return known ? { code: code as number, signal: signal as string | null } : KILLED;
}

/** An item of a hop's that has to be bytes. */
function bytesOf(item: unknown): Uint8Array<ArrayBuffer> {
  if (item instanceof Uint8Array) return item as Uint8Array<ArrayBuffer>;
  throw new ProtocolError("The gateway that this one was started from sends something else than bytes");
}

/** Reads bytes from items. */
function reader(channel: Channel<Uint8Array, Uint8Array>): (into: Uint8Array) => Promise<number | null> {
  let chunk = new Uint8Array(0);
  return async (into) => {
    while (chunk.length === 0) {
      let item: unknown;
      try {
        item = await channel.receive();
      } catch {
        // Why, is said by the end of the program.
        return null;
      }
      chunk = bytesOf(item);
    }
    const count = Math.min(into.length, chunk.length);
    into.set(chunk.subarray(0, count));
    chunk = chunk.subarray(count);
    return count;
  };
}

function outputOf(channel: Channel<Uint8Array, Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller): Promise<void> {
      try {
        controller.enqueue(bytesOf(await channel.receive()));
      } catch {
        controller.close();
      }
    },
    cancel: () => void channel.close(),
  });
}

/** Reasons to stay, taken back when the program has ended. The start is the first one. */
class Keeps {
  readonly #hop: Hop;
  #reasons = 0;
  #over = false;

  constructor(hop: Hop) {
    this.#hop = hop;
    this.count(true);
  }

  count(keep: boolean): void {
    if (this.#over) return;
    this.#reasons += keep ? 1 : -1;
    this.#hop.keepAlive(keep);
  }

  end(): void {
    while (this.#reasons > 0) this.count(false);
    this.#over = true;
  }
}

/** What a start that is not allowed, or not possible, over there is here. */
function failed(
  reason: Error & { remoteName?: string },
  hop: Hop,
  command: readonly string[],
): Error | undefined {
  if (reason.remoteName === "NotFound") {
    const state = `there is no program "${command[0]}" where gateway "${hop.id}" runs`;
    return new ConnectProblem("exit", state, { cause: reason });
  }
  if (reason.remoteName !== "NotCapable") return undefined;
  return new Deno.errors.NotCapable(`Gateway "${hop.id}" may not start "${command[0]}"`, { cause: reason });
}
