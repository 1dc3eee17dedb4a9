/** The target's side of a copy in this process, and a script in place of its source. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Channel } from "../../channel/channel.ts";
import { isPlainEnd, toError } from "../../channel/errors.ts";
import {
  DataKind,
  isTemporary,
  ListKind,
  NewsKind,
  Packing,
  writeMeta,
} from "../../rsync/common/messages.ts";
import type { Setup } from "../../rsync/common/messages.ts";
import { ByteReader, ByteWriter } from "../../rsync/common/wire.ts";
import { receiveAll } from "../../rsync/far/receive.ts";
import { withFolder } from "./folder.ts";
import { keepingInside } from "./keeping_inside.ts";
import { withPair } from "./sessions.ts";
import type { Pair } from "./sessions.ts";
import { describeTree } from "./tree.ts";

/** Meta data of whatever is sent. */
const META = { mode: 0o644, mtime: 1_500_000_000_000 };

/** Records of the list, one after the other. */
export class List extends ByteWriter {
  /** The source is a folder, whose entries follow. */
  root(): this {
    this.byte(ListKind.ROOT_FOLDER);
    writeMeta(this, { ...META, mode: 0o755 });
    return this.folder(0);
  }

  /** Entries of a folder follow. */
  folder(id: number): this {
    return this.byte(ListKind.FOLDER).number(id);
  }

  /** They were all. */
  end(): this {
    return this.byte(ListKind.END).byte(1);
  }

  /** A file. */
  file(name: string, size: number, mode: number = META.mode): this {
    return this.byte(ListKind.FILE).text(name).number(mode).signed(META.mtime).number(size);
  }

  /** A folder. */
  sub(name: string, mode = 0o755): this {
    return this.byte(ListKind.SUBFOLDER).text(name).number(mode).signed(META.mtime);
  }

  /** A link. */
  link(name: string, to: string, inside = false): this {
    return this.byte(ListKind.LINK).text(name).signed(META.mtime).byte(inside ? 1 : 0).text(to);
  }

  /** Something to be left alone. */
  keep(name: string): this {
    return this.byte(ListKind.KEEP).text(name);
  }
}

/** Records of the data, in one message. */
export class Data extends ByteWriter {
  /** Begins a message that is not compressed. */
  constructor() {
    super();
    this.byte(Packing.PLAIN);
  }

  /** A whole file. */
  file(index: number, content: Uint8Array, mode: number = META.mode): this {
    return this.byte(DataKind.FILE).number(index).number(mode).signed(META.mtime).bytes(content);
  }

  /** A file begins. */
  open(index: number, size: number): this {
    return this.byte(DataKind.OPEN).number(index).number(META.mode).signed(META.mtime).number(size);
  }

  /** Its content. */
  literal(bytes: Uint8Array): this {
    return this.byte(DataKind.LITERAL).bytes(bytes);
  }

  /** The same, from the old copy. */
  copy(first: number, count: number): this {
    return this.byte(DataKind.COPY).number(first).number(count);
  }

  /** It ends. */
  close(digest: Uint8Array = new Uint8Array(0)): this {
    return this.byte(DataKind.CLOSE).bytes(digest);
  }

  /** It begins anew. */
  again(): this {
    return this.byte(DataKind.AGAIN);
  }

  /** A file does not come. */
  gone(index: number): this {
    return this.byte(DataKind.GONE).number(index);
  }

  /** An answer. */
  verdict(question: number, verdict: Uint8Array): this {
    return this.byte(DataKind.VERDICT).number(question).bytes(verdict);
  }
}

/** What became of a copy. */
export interface Outcome {
  /** Whether the target says that everything has been done. */
  ended: boolean;
  /** Files that are there, by number. */
  readonly done: number[];
  /** Everything that went wrong: what the target says, and with what its channels were closed. */
  readonly errors: string[];
}

/** The source of a copy, as a script. */
export class ScriptedSender {
  readonly #main: Channel;
  readonly #data: Channel;
  readonly #received: Promise<void>;
  readonly #news: Promise<unknown[]>;
  readonly #errors: string[] = [];

  /** Takes both channels, and what the target's side gives. */
  constructor(main: Channel, data: Channel, received: Promise<void>) {
    this.#main = main;
    this.#data = data;
    this.#received = received;
    this.#news = this.#all(main);
  }

  /** Sends a part of the list. */
  async list(list: ByteWriter | Uint8Array): Promise<void> {
    await this.#main.send(bytesOf(list)).catch(() => {});
  }

  /** Sends a message of data. */
  async data(data: ByteWriter | Uint8Array): Promise<void> {
    await this.#data.send(bytesOf(data)).catch(() => {});
  }

  /** Sends anything at all. */
  async item(where: "list" | "data", item: unknown): Promise<void> {
    await (where === "list" ? this.#main : this.#data).send(item as never).catch(() => {});
  }

  /** The next message of the wants. */
  async want(): Promise<ByteReader> {
    return new ByteReader(await this.#data.receive());
  }

  /** Ends the data. */
  async endData(): Promise<void> {
    await this.#data.closeWrite();
  }

  /** Ends the list. */
  async endList(): Promise<void> {
    await this.list(Uint8Array.of(ListKind.LAST));
    // No further copy follows.
    await this.#main.closeWrite();
  }

  /** Ends the list, goes on until the target wants nothing more, and waits for its end. */
  async finish(): Promise<Outcome> {
    await this.endList();
    const wants = this.#all(this.#data);
    await Promise.race([wants, this.#received]);
    await this.endData();
    await this.#received;
    const outcome: Outcome = { ended: false, done: [], errors: this.#errors };
    for (const message of await this.#news) readNews(new ByteReader(message), outcome);
    await this.#data.close();
    await wants;
    return outcome;
  }

  async #all(channel: Channel): Promise<unknown[]> {
    const items: unknown[] = [];
    while (true) {
      try {
        items.push(await channel.receive());
      } catch (error) {
        if (!isPlainEnd(error)) this.#errors.push(`closed: ${(error as Error).message}`);
        return items;
      }
    }
  }
}

function bytesOf(message: ByteWriter | Uint8Array): never {
  return (message instanceof ByteWriter ? message.take() : message) as never;
}

function readNews(reader: ByteReader, outcome: Outcome): void {
  while (!reader.done) {
    const kind = reader.byte();
    switch (kind) {
      case NewsKind.DONE:
        outcome.done.push(reader.number());
        reader.byte();
        break;
      case NewsKind.REMOVED:
        reader.number();
        break;
      case NewsKind.END:
        outcome.ended = true;
        break;
      default: {
        const what = kind === NewsKind.FAILED
          ? `failed ${reader.number()}`
          : kind === NewsKind.PROBLEM
          ? `problem ${reader.text()}`
          : "fatal";
        reader.byte();
        outcome.errors.push(`${what}: ${reader.text()}`);
      }
    }
  }
}

/** Where a copy goes, in a folder of other things. */
export interface Around {
  /** What is around the target: nothing of it may be read or changed. */
  readonly around: string;
  /** The target. */
  readonly dest: string;
}

/** How a receiver is started. */
export interface ReceiverOptions {
  /** What the setup says besides the usual. */
  readonly setup?: Partial<Record<keyof Setup, unknown>> | undefined;
  /** Puts something into the target before. */
  readonly prepare?: ((around: Around) => void) | undefined;
  /** The target's path in the folder around it. */
  readonly dest?: string | undefined;
}

/**
 * Runs `play` against a target's side. Fails when something outside of the target is read or changed, or when a file
 * is left that was being written.
 */
export async function withReceiver(
  { prepare, dest, setup }: ReceiverOptions,
  play: (sender: ScriptedSender, around: Around) => Promise<void>,
): Promise<Outcome> {
  let outcome: Outcome | undefined;
  await withTarget({ prepare, dest }, async (around) => {
    outcome = await runReceiver(around, setup, play);
  });
  return outcome!;
}

/** Gives a target in a folder of other things, which `body` must not change. */
export async function withTarget(
  { prepare, dest: name = "dest" }: Pick<ReceiverOptions, "prepare" | "dest">,
  body: (around: Around) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const around = `${folder}/around`;
    const dest = `${around}/${name}`;
    Deno.mkdirSync(`${around}/dest`, { recursive: true });
    Deno.mkdirSync(`${around}/folder`);
    Deno.writeTextFileSync(`${around}/secret`, "secret");
    Deno.writeTextFileSync(`${around}/folder/secret`, "secret");
    prepare?.({ around, dest });
    const before = await outside({ around, dest });
    await body({ around, dest });
    assertEquals(await outside({ around, dest }), before, "what is around the target");
    assertEquals(temporaries(around), [], "files that were being written");
  });
}

/** Runs `play` against a target's side, which must read nothing outside of the target. */
export async function runReceiver(
  around: Around,
  setup: ReceiverOptions["setup"],
  play: (sender: ScriptedSender, around: Around) => Promise<void>,
): Promise<Outcome> {
  let outcome: Outcome | undefined;
  const copy = async (pair: Pair): Promise<void> => {
    const { near, far } = await pair.open();
    const data = near.gateway.newChannel();
    near.reconfigure({});
    data.reconfigure({});
    const usual = {
      single: false,
      delete: false,
      asks: false,
      dryRun: false,
      checksum: false,
      key: [1, 2, 3, 4],
    };
    await near.send({ data, dest: around.dest, ...usual, ...setup } as never);
    const sender = new ScriptedSender(near, data, run(far));
    await play(sender, around);
    outcome = await sender.finish();
  };
  const listed = setup?.single === true ? around.dest.slice(0, around.dest.lastIndexOf("/")) : undefined;
  const left = await keepingInside([around.dest], () => withPair({}, copy), listed);
  assertEquals(left, [], "what was opened outside of the target");
  return outcome!;
}

/** What an execution does: its channel ends with it. */
async function run(channel: Channel): Promise<void> {
  try {
    await receiveAll(channel);
    await channel.close();
  } catch (error) {
    await channel.close(toError(error));
  }
}

async function outside({ around, dest }: Around): Promise<string[]> {
  const name = dest.slice(around.length + 1);
  const lines = (await describeTree(around)).filter((line) =>
    !line.startsWith(`"${name}"`) && !line.startsWith(`"${name}/`)
  );
  // A single file may come into its folder, which thereby changes.
  const parent = `"${name.slice(0, name.lastIndexOf("/"))}" folder `;
  return lines.map((line) => line.startsWith(parent) ? line.slice(0, parent.length + 4) : line);
}

function temporaries(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isTemporary(name) ? [path] : isDirectory ? temporaries(path) : [];
  });
}
