/** Inputs of the fuzzing of a copy's target: lists, data, messages and values, and how they are changed. See rsync_target.ts. */

import { blockBytes } from "../../rsync/common/blocks.ts";
import { ListKind, Packing } from "../../rsync/common/messages.ts";
import { ByteWriter } from "../../rsync/common/wire.ts";
import { Data, List } from "../helpers/scripted_sender.ts";
import type { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { edgeNumber } from "./bytes.ts";
import { joined, messagesChanged, messagesOf } from "./messages.ts";

/** Which part takes an input, by the lowest first byte of each. */
export const Part = { LIST: 0, DATA: 100, WIRE: 200, UNPACK: 240 } as const;

const { LIST, DATA, WIRE, UNPACK } = Part;

/** How long the old copy is. */
export const OLD_BYTES = 3_000;

/** Files that were asked for: the one that is written, and the one with an old copy. */
export const WRITTEN = 4;
export const BASED = 5;

/** Sixteen bytes of what a message would be, compressed with deflate-raw: stored, fixed, and a run of zeros. */
const PACKED: readonly string[] = ["010400fbff01020304", "4b4c4a4e0500", "6360180523190000"];

/** The digest of the old copy, with which that stays as it is. */
const OLD_DIGEST = "6b1e7d5f0f8dd1bd2b0d07e87a4c3a0a7cb9a1d5f7d0b9f8a3bb5f7e4b0a6c11";

/** Good inputs of all four parts. */
export function goodCopies(random: Random): Uint8Array[] {
  const list = (flags: number, ...messages: ByteWriter[]): Uint8Array =>
    concat(
      new Uint8Array([LIST + flags]),
      joined([...messages.map((one) => one.take()), new Uint8Array([ListKind.LAST])]),
    );
  const data = (...messages: ByteWriter[]): Uint8Array =>
    concat(new Uint8Array([DATA]), joined(messages.map((one) => one.take())));
  const content = random.bytes(40);
  const blocks = Math.ceil(OLD_BYTES / blockBytes(OLD_BYTES));
  const old = Uint8Array.fromHex(OLD_DIGEST);
  const meta = (writer: ByteWriter): ByteWriter => writer.number(0o644).signed(1_500_000_000_000);
  return [
    list(0, new List().root().file("a", 3).file("b", 0).end()),
    list(
      0,
      new List().root().sub("a").file("b", 4).sub("c").end(),
      new List().folder(1).file("x", 9).end(),
      new List().folder(2).end(),
    ),
    list(10, new List().root().link("l", "../x").link("m", "a/b", true).keep("n").end()),
    list(6, new List().root().file("ü", 2 ** 40, 0o7777).file("ｚ".repeat(40), 1).end()),
    list(1, meta(new ByteWriter().byte(ListKind.ROOT_FILE)) as List, new List().file("one", 5)),
    list(1, new ByteWriter().byte(ListKind.ROOT_FILE) as List, new List().file("one", 5)),
    data(new Data().file(0, content).file(1, new Uint8Array(0)), new Data().gone(2).file(3, content)),
    data(new Data().open(0, 80).literal(content), new Data().literal(content).close()),
    data(new Data().open(1, 40).literal(content).again().open(1, 3).literal(content.slice(0, 3)).close()),
    data(new Data().file(WRITTEN, content)),
    data(new Data().open(WRITTEN, 40).literal(content).close()),
    data(new Data().open(BASED, OLD_BYTES).copy(0, blocks).close(old)),
    data(new Data().open(BASED, OLD_BYTES).copy(0, blocks).close(new Uint8Array(32))),
    data(
      new Data().open(BASED, OLD_BYTES + 40).copy(0, blocks).literal(content).close(old),
      new Data().gone(0),
    ),
    data(new Data().verdict(0, new Uint8Array([1]))),
    ...PACKED.map((hex) => concat(new Uint8Array([UNPACK, Packing.DEFLATED, 4]), Uint8Array.fromHex(hex))),
    concat(new Uint8Array([UNPACK, Packing.PLAIN]), content),
    ...Array.from({ length: 8 }, (_, i) => concat(new Uint8Array([WIRE, i]), random.bytes(i), wire(random))),
  ];
}

/** Values as they are written. */
function wire(random: Random): Uint8Array {
  const writer = new ByteWriter();
  for (let i = 0; i < 8; i++) {
    const number = random.chance(0.5) ? random.below(300) : edgeNumber(random) % 2 ** 53;
    writer.number(number).signed(-number).text("tüxt".repeat(random.below(9))).bytes(
      random.bytes(random.below(20)),
    );
  }
  return writer.take();
}

/** Changes messages, and records in them. */
export function changedCopy(input: Uint8Array, random: Random, other: () => Uint8Array): Uint8Array {
  const kind = input[0] ?? 0;
  if (kind >= WIRE || input.length < 3) return concat(random.bytes(1), input.subarray(1));
  const messages = messagesChanged(
    messagesOf(input.subarray(1)),
    random,
    () => messagesOf(other().subarray(1)),
    (message) => concat(message, kind < DATA ? listRecord(random) : dataRecord(random)),
  );
  const first = random.chance(0.1) ? random.below(16) + (kind < DATA ? LIST : DATA) : kind;
  return concat(new Uint8Array([first]), joined(messages));
}

function listRecord(random: Random): Uint8Array {
  const list = new List();
  const name = random.pick([
    "a",
    "b",
    "zz",
    "..",
    ".",
    "",
    "a/b",
    "/etc",
    "z\0",
    ".execnet-rsync-1",
    "\u{10ffff}",
  ]);
  random.pick<() => unknown>([
    () => list.file(name, edgeNumber(random) % 2 ** 53, random.below(0o10001)),
    () => list.sub(name),
    () => list.link(name, random.pick(["", "..", "x", "\0"]), random.chance(0.5)),
    () => list.keep(name),
    () => list.end(),
    () => list.folder(random.below(4)),
    () => list.root(),
    () => list.byte(ListKind.LAST),
    () => list.byte(random.below(12)),
  ])();
  return list.take();
}

function dataRecord(random: Random): Uint8Array {
  const data = new Data();
  data.clear();
  const index = random.chance(0.9) ? random.below(BASED + 2) : edgeNumber(random) % 2 ** 53;
  const bytes = random.bytes(random.pick([0, 1, 32, 40]));
  random.pick<() => unknown>([
    () => data.file(index, bytes),
    () => data.open(index, random.pick([0, 1, 40, OLD_BYTES, 2 ** 31])),
    () => data.literal(bytes),
    () => data.copy(random.below(8), random.below(8)),
    () => data.close(bytes),
    () => data.again(),
    () => data.gone(index),
    () => data.verdict(index, bytes),
    () => data.byte(random.below(10)),
  ])();
  return data.take();
}
