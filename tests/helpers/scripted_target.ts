/** The source's side of a copy in this process, and scripts in place of its targets. */

import type { Channel } from "../../channel/channel.ts";
import type { Gateway } from "../../gateway/mod.ts";
import { toError } from "../../channel/errors.ts";
import { NewsKind, WantKind } from "../../rsync/common/messages.ts";
import type { Setup } from "../../rsync/common/messages.ts";
import { ByteWriter } from "../../rsync/common/wire.ts";
import { Source } from "../../rsync/source.ts";
import { Target } from "../../rsync/target.ts";
import type { Receiver, Shared } from "../../rsync/target.ts";
import { walk } from "../../rsync/walk.ts";
import type { Batch } from "../../rsync/walk.ts";
import { settle } from "./bounded.ts";
import { Pair } from "./sessions.ts";

/** Records of the wants, one after the other. */
export class Want extends ByteWriter {
  /** A file, whole. */
  whole(index: number): this {
    return this.byte(WantKind.WHOLE).number(index);
  }

  /** A file of which there is an old copy. */
  delta(index: number, size: number): this {
    return this.byte(WantKind.DELTA).number(index).number(size);
  }

  /** Hashes of that. */
  sums(count: number, bytes: Uint8Array = new Uint8Array(12 * count)): this {
    return this.byte(WantKind.SUMS).number(count).raw(bytes);
  }

  /** Files that need nothing. */
  same(files: number, bytes: number): this {
    return this.byte(WantKind.SAME).number(files).number(bytes);
  }

  /** What only the target has. */
  ask(question: number, folder: string, names: readonly string[], count: number = names.length): this {
    this.byte(WantKind.ASK).number(question).text(folder).number(count);
    for (const name of names) this.text(name).byte(0);
    return this;
  }

  /** A file that did not come right. */
  redo(index: number): this {
    return this.byte(WantKind.REDO).number(index);
  }
}

/** Records of the news, one after the other. */
export class News extends ByteWriter {
  /** A file is there. */
  done(index: number): this {
    return this.byte(NewsKind.DONE).number(index).byte(1);
  }

  /** A file is not there. */
  failed(index: number, text: string, kind = 0): this {
    return this.byte(NewsKind.FAILED).number(index).byte(kind).text(text);
  }

  /** Something else went wrong. */
  problem(path: string, text: string, kind = 0): this {
    return this.byte(NewsKind.PROBLEM).text(path).byte(kind).text(text);
  }

  /** Nothing can be done. */
  fatal(text: string, kind = 0): this {
    return this.byte(NewsKind.FATAL).byte(kind).text(text);
  }

  /** Everything has been done. */
  end(): this {
    return this.byte(NewsKind.END);
  }
}

/** A target, as a script. */
export class ScriptedTarget {
  readonly #main: Channel;
  readonly #data: Channel;

  /** Takes the channels of a copy whose setup has come. */
  constructor(main: Channel, data: Channel) {
    this.#main = main;
    this.#data = data;
  }

  /** Sends wants. Resolves also when nobody takes them any more. */
  async want(message: ByteWriter | Uint8Array): Promise<void> {
    await this.item("want", message instanceof ByteWriter ? message.take() : message);
  }

  /** Sends news. Resolves also when nobody takes them any more. */
  async news(message: ByteWriter | Uint8Array): Promise<void> {
    await this.item("news", message instanceof ByteWriter ? message.take() : message);
  }

  /** Sends anything at all. */
  async item(where: "want" | "news", item: unknown): Promise<void> {
    await (where === "want" ? this.#data : this.#main).send(item as never).catch(() => {});
  }

  /** The next message of the list. */
  list(): Promise<unknown> {
    return this.#main.receive();
  }

  /** The next message of the data. */
  data(): Promise<unknown> {
    return this.#data.receive();
  }

  /** Wants nothing more. */
  async endWants(): Promise<void> {
    await this.#data.closeWrite();
  }

  /** Takes all that comes, until the source wants nothing more of this target. */
  async closed(): Promise<void> {
    const drain = async (channel: Channel): Promise<void> => {
      while (await channel.receive().then(() => true, () => false));
    };
    await Promise.all([drain(this.#data), drain(this.#main)]);
  }
}

/** What a target does; its execution ends with it. Gets the channel of that. */
export type TargetScript = (main: Channel) => Promise<void>;

/** A script that begins when the setup has come, and ends when the source has given up. */
export function playing(play: (target: ScriptedTarget) => Promise<void>): TargetScript {
  return async (main) => {
    const { data } = await main.receive() as unknown as Setup;
    const target = new ScriptedTarget(main, data);
    await play(target);
    await target.closed();
  };
}

/** How a copy is made. */
export interface CopyOptions extends Partial<Pick<Shared, "filter" | "dryRun" | "compress">> {
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Where the copies go. */
  readonly dest?: string;
}

/** A target that was run. */
export interface RunTarget {
  /** The target. */
  readonly target: Target;
  /** With what it rejected. */
  readonly rejected: unknown;
  /** The executions that had to be ended. */
  readonly kills: number;
  /** What went wrong, as text. */
  readonly errors: string;
  /** Bytes that went to the target, and that came from it: frames with all that is in them. */
  readonly wire: readonly [to: number, from: number];
}

/** Copies `root` to targets that do what scripts say. */
export async function copyTo(
  root: string,
  scripts: readonly TargetScript[],
  { filter, dryRun = false, compress, signal, dest = "/nowhere" }: CopyOptions = {},
): Promise<RunTarget[]> {
  const batches: Batch[] = [];
  const fail = (error: Error): never => {
    throw error;
  };
  for await (const batch of walk(root, { filter, links: "keep", keep: true, problem: fail })) {
    batches.push(batch);
  }
  const shared: Omit<Shared, "lend"> = {
    source: new Source(false, scripts.length),
    root,
    single: Deno.statSync(root).isFile,
    filter,
    verbose: false,
    checksum: false,
    compress,
    dryRun,
    key: [1, 2, 3, 4],
    avoided: new Set(),
    follow: false,
    progress: () => {},
  };
  return await Promise.all(scripts.map(async (script): Promise<RunTarget> => {
    const pair = new Pair({ onExec: (channel) => void execute(channel, script) });
    const lend = (): Receiver => {
      const channel = pair.local.facade(pair.local.exec(null));
      return { channel, giveBack: () => void channel.close() };
    };
    const target = new Target({ gateway: gatewayOf(pair), dest, delete: true }, { ...shared, lend });
    for (const batch of batches) target.offer(batch);
    target.offer(undefined);
    let rejected: unknown;
    try {
      await target.run(signal ?? new AbortController().signal);
    } catch (error) {
      rejected = error;
    }
    // What it has sent arrives.
    await settle();
    await pair.end();
    const errors = target.tally.errors.map(({ message }) => message).join("\n");
    const [to, from] = [pair.localTransport, pair.remoteTransport]
      .map(({ writes }) => writes.reduce((sum, bytes) => sum + bytes, 0)) as [number, number];
    return { target, rejected, kills: pair.kills.length, errors, wire: [to, from] };
  }));
}

/** What an execution does: its channel ends with it. */
async function execute(channel: Channel, script: TargetScript): Promise<void> {
  try {
    await script(channel);
    await channel.close();
  } catch (error) {
    await channel.close(toError(error));
  }
}

function gatewayOf(pair: Pair): Gateway {
  const gateway = {
    id: "gw0",
    newChannel: () => pair.local.newChannel(),
    remoteInfo: () => Promise.resolve({ cwd: "/" }),
    spec: {},
  };
  return gateway as unknown as Gateway;
}
