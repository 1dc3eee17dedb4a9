/**
 * Fuzzes what the target's side of a copy takes. What comes is refused with a ProtocolError or taken; no file is done
 * twice, and none that is being written is left.
 *
 * The first byte of an input says which part takes the rest:
 *
 * - `list`: the followed list, in a dry run of a folder that is not there, so that no disk is touched. Every file of the
 *   list is asked for, once and in its order.
 * - `data`: the data of six files that were asked for: four in a folder that is not there, so that their content goes
 *   nowhere, one that is really written, and one with an old copy.
 * - `wire`: the reader of numbers and texts, against a plain twin.
 * - `unpack`: messages that may be compressed.
 */

import type { Channel } from "../../channel/channel.ts";
import { ProtocolError } from "../../channel/errors.ts";
import { isTemporary, MAX_MESSAGE_BYTES, NewsKind, Packing, WantKind } from "../../rsync/common/messages.ts";
import type { Setup } from "../../rsync/common/messages.ts";
import { ByteReader } from "../../rsync/common/wire.ts";
import { Incoming } from "../../rsync/far/incoming.ts";
import type { Parts } from "../../rsync/far/parts.ts";
import { Removal } from "../../rsync/far/removal.ts";
import { Report } from "../../rsync/far/report.ts";
import { Temporary } from "../../rsync/far/temporary.ts";
import { Tree } from "../../rsync/far/tree.ts";
import { unpack } from "../../rsync/far/unpack.ts";
import { WantedFiles } from "../../rsync/far/wanted.ts";
import { messagesOf } from "./messages.ts";
import { plainData, plainList } from "./plain_copy.ts";
import type { PlainWanted } from "./plain_copy.ts";
import { plainRead } from "./plain_wire.ts";
import { BASED, changedCopy, goodCopies, OLD_BYTES, Part, WRITTEN } from "./rsync_input.ts";
import { blurred, hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

/** Where nothing is, and nothing can be made. */
const NOWHERE = "/proc/execnet-fuzz";

/** Where files are really written, while there is a run. */
let folder = "";

function open(): () => void {
  folder = Deno.makeTempDirSync({ prefix: "fuzz-" });
  return () => {
    Deno.removeSync(folder, { recursive: true });
    folder = "";
  };
}

/** A channel that gives messages and keeps what is sent. */
class Ends {
  readonly sent: Uint8Array[] = [];
  readonly #messages: readonly Uint8Array[];

  constructor(messages: readonly Uint8Array[]) {
    this.#messages = messages;
  }

  send(item: Uint8Array): Promise<void> {
    this.sent.push(item);
    return Promise.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (const message of this.#messages) yield await Promise.resolve(message.slice());
  }

  get channel(): Channel {
    return this as unknown as Channel;
  }
}

function run(input: Uint8Array): Outcome | Promise<Outcome> {
  const kind = input[0] ?? 0;
  const rest = input.subarray(1);
  if (kind < Part.DATA) return takeList(kind, messagesOf(rest));
  if (kind < Part.WIRE) return takeData(messagesOf(rest));
  if (kind < Part.UNPACK) return { kind: "wire", feature: plainRead(rest) };
  return takePacked(rest);
}

/** What a part says of what it refuses. */
function refusal(part: string, error: unknown): Outcome {
  hold(
    error instanceof ProtocolError,
    `No ProtocolError but ${error instanceof Error ? error.stack : error}`,
  );
  return { kind: `${part}: refused`, feature: `${part}: ${blurred(error.message)}` };
}

function makeParts(flags: number, data: Ends, news: Ends): Parts {
  const setup: Setup = {
    data: data.channel,
    dest: `${NOWHERE}/dest`,
    single: (flags & 1) !== 0,
    delete: (flags & 2) !== 0,
    asks: (flags & 4) !== 0,
    dryRun: true,
    checksum: (flags & 8) !== 0,
    key: [1, 2, 3, 4],
  };
  const report = new Report(news.channel);
  return {
    setup,
    report,
    wanted: new WantedFiles(),
    removal: new Removal(setup, report),
    temporary: new Temporary(),
  };
}

async function takeList(flags: number, messages: readonly Uint8Array[]): Promise<Outcome> {
  const data = new Ends([]);
  const news = new Ends([]);
  const tree = new Tree(makeParts(flags, data, news));
  const expected = plainList(messages, (flags & 1) !== 0);
  try {
    for (const message of messages) {
      if (tree.listed) break;
      await tree.take(message);
    }
    if (tree.listed) tree.finish();
  } catch (error) {
    checkWants(data.sent);
    hold(expected === "refused", `Refused: ${error instanceof Error ? error.stack : error}`);
    return refusal("list", error);
  }
  const count = checkWants(data.sent);
  hold(expected !== "refused", "A list that is none was taken");
  hold(expected.files === count, `${count} files were asked for, of ${expected.files}`);
  hold(expected.ended === tree.listed, "The end of the list");
  return {
    kind: tree.listed ? "list: taken" : "list: not ended",
    feature: `list ${tree.listed} ${Math.min(count, 9)} ${flags}`,
  };
}

/** Each file is asked for as a whole, for nothing is there; in the order of the list. Says how many they were. */
function checkWants(wants: readonly Uint8Array[]): number {
  let next = 0;
  for (const want of wants) {
    const reader = new ByteReader(want);
    while (!reader.done) {
      const kind = reader.byte();
      hold(kind === WantKind.WHOLE, `A want of kind ${kind}`);
      hold(reader.number() === next++, "Wants are not in the order of the list");
    }
  }
  return next;
}

async function takeData(messages: readonly Uint8Array[]): Promise<Outcome> {
  hold(folder !== "", "There is no folder to write in");
  const data = new Ends(messages);
  const news = new Ends([]);
  const parts = makeParts(0, data, news);
  const files = new Map<number, PlainWanted>();
  for (let index = 0; index <= BASED; index++) {
    const real = index >= WRITTEN;
    files.set(index, { basis: index === BASED ? OLD_BYTES : 0, writable: real });
    const path = `${real ? folder : NOWHERE}/n${index}`;
    parts.wanted.add({
      index,
      path,
      folder: real ? folder : NOWHERE,
      inPlace: index === BASED ? "file" : "nothing",
      basis: index === BASED ? OLD_BYTES : 0,
    });
  }
  if (touches(messages)) Deno.writeFileSync(`${folder}/n${BASED}`, new Uint8Array(OLD_BYTES).fill(7));
  const expected = plainData(messages, files);
  let outcome: Outcome;
  try {
    await new Incoming(parts).run();
    hold(expected !== "refused", "Data that are none were taken");
    outcome = { kind: "data: taken", feature: "data: taken" };
  } catch (error) {
    outcome = refusal("data", error);
    hold(expected !== "taken", `Refused: ${(error as Error).message}`);
  }
  await parts.report.flush();
  return { ...outcome, feature: `${outcome.feature} ${checkNews(news.sent)} ${emptied(messages)}` };
}

/** Whether files that are really there may be meant. */
function touches(messages: readonly Uint8Array[]): boolean {
  return messages.some((message) => message.includes(WRITTEN) || message.includes(BASED));
}

/** No file is done twice. Says what became of them. */
function checkNews(news: readonly Uint8Array[]): string {
  const over = new Set<number>();
  const words: string[] = [];
  for (const one of news) {
    const reader = new ByteReader(one);
    while (!reader.done) {
      const kind = reader.byte();
      hold(kind === NewsKind.DONE || kind === NewsKind.FAILED, `News of kind ${kind}`);
      const index = reader.number();
      // What is to take the place of another file can come again until it has: the later one wins.
      const once = index === BASED || !over.has(index);
      hold(index <= BASED && once, `File ${index} is over, twice or though nobody asked for it`);
      over.add(index);
      if (kind === NewsKind.DONE) words.push(`done ${index} ${reader.byte()}`);
      else {
        reader.byte();
        words.push(`failed ${index >= WRITTEN} ${blurred(reader.text()).slice(0, 30)}`);
      }
    }
  }
  return words.slice(0, 3).join(",");
}

/** Empties the folder; nothing in it is being written any more. Says what was there. */
function emptied(messages: readonly Uint8Array[]): string {
  if (!touches(messages)) return "";
  const names: string[] = [];
  for (const { name } of Deno.readDirSync(folder)) {
    hold(!isTemporary(name), "A file that was being written is left");
    hold(name === `n${WRITTEN}` || name === `n${BASED}`, `A file that nobody asked for: ${name}`);
    names.push(name);
    Deno.removeSync(`${folder}/${name}`);
  }
  return names.sort().join();
}

async function takePacked(bytes: Uint8Array): Promise<Outcome> {
  let message: Uint8Array;
  try {
    message = await unpack(bytes.slice());
  } catch (error) {
    return refusal("unpack", error);
  }
  hold(
    message.length <= MAX_MESSAGE_BYTES || bytes[0] === Packing.PLAIN,
    `A message of ${message.length} bytes`,
  );
  return { kind: "unpack: taken", feature: `unpack ${bytes[0]} ${Math.min(message.length, 3)}` };
}

/** What the target of a copy takes. */
export const RSYNC: Target = {
  name: "rsync",
  share: 4,
  short: 1_500,
  maxBytes: 1_500,
  isAsync: true,
  memory: { base: 160 * 2 ** 20, factor: 4_000 },
  open,
  seeds: goodCopies,
  mutate: changedCopy,
  run,
};
