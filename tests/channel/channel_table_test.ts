/** What a table of channels counts, and what it keeps no longer than it has to. */

import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { Announcer } from "../../channel/announcer.ts";
import type { ChannelEnd, ChannelHost } from "../../channel/channel_end.ts";
import { ChannelTable } from "../../channel/channel_table.ts";
import { ProtocolError } from "../../channel/errors.ts";
import { Writer } from "../../channel/writer.ts";
import { test } from "../helpers/bounded.ts";

/** More than half of what there may be for channels that nobody has received. */
const MUCH_BYTES = 200 * 1024 * 1024;

/** Stands for a channel in an item. */
class Passed {}

/** A table of the side that gives out odd ids. */
function makeTable(): ChannelTable {
  const host: Partial<ChannelHost> = {
    name: "gw0",
    fragmentBytes: 1000,
    forget: (end) => void table.drop(end),
    waiting: () => {},
  };
  const writer = new Writer(() => Promise.resolve(), 1000, () => {});
  const table: ChannelTable = new ChannelTable(host as ChannelHost, writer, { firstId: 1 });
  return table;
}

test("ChannelTable gives back what it has counted for a channel that is received, or is dropped after that", () => {
  const table = makeTable();
  const branch = table.openOwn(true).branch;
  for (let id = 2; id < 20; id += 2) {
    const end = table.openFar(id, branch);
    table.unmet(end, MUCH_BYTES);
    table.met(end);
    table.drop(end);
  }
  table.unmet(table.openFar(20, branch), MUCH_BYTES);
  assertThrows(() => table.unmet(table.openFar(22, branch), MUCH_BYTES), ProtocolError);
});

test("ChannelTable forgets an execution with the last of its channels", () => {
  const table = makeTable();
  const root = table.openOwn(true);
  const branch = root.branch!;
  const other = table.openFar(2, branch);
  table.drop(root);
  assert(table.execution(1) === branch);
  table.drop(other);
  assert(table.execution(1) !== branch);
});

test("ChannelTable keeps a channel that was closed before its item was received, and only until then", () => {
  const table = makeTable();
  const end = table.openFar(2, table.openOwn(true).branch);
  table.drop(end);
  assert(table.mentioned(2) === end);
  assert(table.mentioned(2) !== end);
});

test("Announcer counts a channel as one of its execution only while it is open", () => {
  const table = makeTable();
  const carrier = table.openOwn(true);
  const [open, closed] = [table.openOwn(false), table.openOwn(false)];
  table.drop(closed);
  const ends = new Map<unknown, ChannelEnd>([[new Passed(), open], [new Passed(), closed]]);
  const announced: number[] = [];
  const announcer = new Announcer({
    endOf: (value) => ends.get(value),
    isOpen: (end) => table.get(end.id) === end,
    control: (_, end) => void announced.push(end!.id),
    ready: () => {},
  }, false);
  for (const value of ends.keys()) announcer.encode(value, carrier);
  assertEquals(announced, [open.id, closed.id]);
  assertEquals(carrier.branch!.open, 2);
  for (const end of [carrier, open]) table.drop(end);
  assertEquals(carrier.branch!.open, 0);
});
