/** What a far side may do that has greeted as it should: everything that the protocol forbids, and some that it allows. */

import { CloseFlag } from "../../channel/bypasses.ts";
import { dumps } from "../../channel/codec.ts";
import { DataFlag, FrameType, makeFrame, MAX_PAYLOAD_BYTES, writeHeader } from "../../channel/frame.ts";
import { fragmentItem } from "../../channel/outbox.ts";
import { MAX_WINDOW_BYTES, WINDOW_BYTES } from "../../channel/window.ts";
import { Kind, writeHeader as writeServerHeader } from "../../gateway/socket/frames.ts";
import { concat, creditFrame, dataFrame, uint48 } from "../helpers/sessions.ts";
import { CALLS, EXECUTION } from "./far.ts";
import type { Far } from "./far.ts";

const { FRAGMENT, FIRST, RAW } = DataFlag;
const MIB = 1024 * 1024;
const ONE = new Uint8Array([1]);

/** How something that waits is to end: with an error of that name whose message fits, or with a value. */
export type Outcome = readonly [name: string, message: RegExp] | { readonly value: unknown };

/** A script. */
export interface Script {
  /** What it does, in letters and hyphens: a part of file names. */
  readonly name: string;
  /** What the ProtocolError says that ends the gateway; undefined where the gateway goes on. */
  readonly says?: RegExp;
  /** What is said where something else ends it. */
  readonly ends?: RegExp;
  /** Further keys of the spec. */
  readonly keys?: string;
  /** The only way by which it can be played. */
  readonly way?: "unix" | "server";
  /** Mebibytes by which the caller may grow meanwhile; the reason stands where it is more than usual. */
  readonly grows?: number;
  /** It is a flood, which takes long. */
  readonly long?: true;
  /** It does not end when its caller has given it up. */
  readonly stays?: true;
  /** What becomes of the waits of a gateway that goes on, where that is not what an honest far side would bring about. */
  readonly receive?: Outcome;
  readonly call?: Outcome;
  /** The same of what is sent, where that had left before the gateway ends. */
  readonly send?: Outcome;
  /** Plays it, when the caller has asked for all that it waits for. It may throw CallerGone. */
  play(far: Far): Promise<void>;
}

/** A script that only sends. */
function says(name: string, says: RegExp, ...frames: Uint8Array[]): Script {
  return { name, says, play: (far) => far.send(...frames) };
}

/** The same, after which all goes on. */
function harmless(name: string, frames: readonly Uint8Array[], more: Partial<Script> = {}): Script {
  return { name, play: (far) => far.send(...frames), ...more };
}

/** A header that promises a payload. */
function header(type: number, channel: number, length: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(12);
  writeHeader(bytes, 0, type as FrameType, flags, channel, length);
  return bytes;
}

/** The same frame of `size` bytes so often, with another id each time. */
function many(count: number, first: number, frame: Uint8Array): Uint8Array {
  const all = new Uint8Array(count * frame.length);
  const view = new DataView(all.buffer);
  for (let i = 0; i < count; i++) {
    all.set(frame, i * frame.length);
    view.setUint32(i * frame.length + 4, first + 2 * i);
  }
  return all;
}

function opens(count: number, first: number, carrier: number): Uint8Array {
  return many(count, first, makeFrame(FrameType.OPEN, 0, uint48(carrier)));
}

function repeated(count: number, frame: Uint8Array): Uint8Array {
  const all = new Uint8Array(count * frame.length);
  for (let i = 0; i < count; i++) all.set(frame, i * frame.length);
  return all;
}

/** An array in an array, and so on. */
function nested(depth: number): Uint8Array {
  return concat(new Uint8Array(depth).fill(0x91), new Uint8Array([0xc0]));
}

/** An array of channels that were closed before anybody has met them, or never were. */
function gone(count: number): Uint8Array {
  const lead = new Uint8Array([0xdd, 0, 0, 0, 0]);
  new DataView(lead.buffer).setUint32(1, count);
  return concat(lead, repeated(count, new Uint8Array([0xd4, 9, 8])));
}

/** A payload of a whole window's worth, of items that are all 0. */
const FULL = new Uint8Array(MAX_PAYLOAD_BYTES);

/** The most that a sender gets onto a channel that nobody reads: its window, and one frame of a bypass over that. */
const FULL_FRAMES = 7;

/** A text that a hasty look for places in it would look at again from each of its words on. */
const WORDY = "<remote exec";

/** Where the square of what is wordy takes a minute, and that of all of it hours. */
const LONG_STACK = `${WORDY.repeat(60_000)}\n${"x".repeat(9 * MIB)}`;

const BAD_ERRORS: readonly unknown[] = [
  5,
  [1, 2],
  "text",
  2n ** 200_000n,
  {
    name: 5,
    message: null,
    stack: [],
    cause: { cause: { cause: { cause: { cause: { cause: { cause: 1 } } } } } },
  },
  { name: "E", message: "m", errors: Array.from({ length: 1_000 }, () => ({ errors: [{ errors: [1] }] })) },
  { name: "__proto__", message: "constructor", fields: new Uint8Array(100_000) },
];

/** What is promised and does not come: a count or a length of 4 GiB. */
const PROMISES = [0xc6, 0xc9, 0xdb, 0xdd, 0xdf].map((lead) =>
  new Uint8Array([lead, 255, 255, 255, 255, 5, 5])
);

/** Frames that end the gateway, each with what is said of it. */
const BREACHES: readonly Script[] = [
  // Ids.
  says("data-for-an-own-id-that-never-was", /there has never been one/, dataFrame(99, ONE)),
  says("close-for-an-own-id-that-never-was", /there has never been one/, makeFrame(FrameType.CLOSE, 99)),
  says("credit-for-an-own-id-that-never-was", /there has never been one/, creditFrame(99, 1)),
  says("the-highest-own-id", /there has never been one/, dataFrame(2 ** 48 - 1, ONE)),
  says("opens-an-own-id", /not the far side's to give/, makeFrame(FrameType.OPEN, 7, uint48(EXECUTION))),
  {
    ...says("opens-twice", /it is open/, repeated(2, makeFrame(FrameType.OPEN, 2, uint48(EXECUTION)))),
    way: "server",
  },
  says("opens-over-what-never-was", /there has never been one/, makeFrame(FrameType.OPEN, 2, uint48(99))),
  // Lengths and types.
  says("no-type", /99 is no frame type/, new Uint8Array(12).fill(99)),
  says("zeros", /0 is no frame type/, new Uint8Array(1_000)),
  says("text", /is no frame type/, new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")),
  says("a-length-of-4-gib", /4294967295 bytes is over the limit/, header(FrameType.DATA, 1, 0xffffffff)),
  says("a-byte-over-the-limit", /262145 bytes is over the limit/, header(FrameType.DATA, 1, 262_145)),
  says("an-id-where-none-belongs", /channel id 1/, header(FrameType.PING, 1, 0)),
  says("no-id-where-one-belongs", /channel id 0/, header(FrameType.DATA, 0, 0)),
  says("flags-of-a-credit", /flags 4/, makeFrame(FrameType.CREDIT, 1, new Uint8Array(4), 4)),
  says("flags-of-data", /flags 2/, dataFrame(1, ONE, FIRST)),
  says("a-short-credit", /3 bytes of payload/, makeFrame(FrameType.CREDIT, 1, new Uint8Array(3))),
  says("a-long-ping", /1 bytes of payload/, makeFrame(FrameType.PING, 0, ONE)),
  says("a-long-pong", /1 bytes of payload/, makeFrame(FrameType.PONG, 0, ONE)),
  // What only the local side says.
  says("wants-to-execute", /execute anything on this side/, makeFrame(FrameType.EXEC, 2, dumps(null))),
  says("wants-to-kill", /none on this side/, makeFrame(FrameType.KILL, 1, ONE)),
  says("wants-the-status", /request on this side/, makeFrame(FrameType.REQUEST, 0, dumps([1, "status"]))),
  says("wants-the-end", /ended by the far side/, makeFrame(FrameType.TERMINATE, 0)),
  says("is-done", /type 23 here/, makeFrame(FrameType.DONE, 1)),
  // Windows.
  says("overruns-the-window", /window is exhausted/, opens(1, 2, 1), repeated(9, dataFrame(2, FULL))),
  says(
    "overruns-it-by-tiny-frames",
    /window is exhausted/,
    opens(1, 2, 1),
    repeated(20_000, dataFrame(2, ONE)),
  ),
  says(
    "overruns-it-behind-an-unread-item",
    /window is exhausted/,
    opens(1, 2, 1),
    dataFrame(2, ONE),
    fragmentItem(2, new Uint8Array(3 * MIB), true, MAX_PAYLOAD_BYTES),
  ),
  says(
    "too-much-credit",
    /more than a window can hold/,
    creditFrame(EXECUTION, MAX_WINDOW_BYTES + WINDOW_BYTES),
  ),
  says("the-most-credit", /more than a window can hold/, creditFrame(EXECUTION, 0xffffffff)),
  {
    ...says(
      "credit-by-and-by",
      /more than a window can hold/,
      repeated(40, creditFrame(EXECUTION, WINDOW_BYTES / 4)),
    ),
    send: { value: undefined },
  },
  // Items in parts.
  says("a-part-of-nothing", /part of no item/, dataFrame(1, ONE, FRAGMENT)),
  says(
    "a-first-part-in-an-item",
    /wrong first part/,
    repeated(2, dataFrame(1, uint48(10), FRAGMENT | FIRST)),
  ),
  says("an-item-in-an-item", /amid an item/, dataFrame(1, uint48(10), FRAGMENT | FIRST), dataFrame(1, ONE)),
  says("an-item-of-nothing", /wrong first part/, dataFrame(1, uint48(0), FRAGMENT | FIRST)),
  says("an-item-of-2-gib", /wrong first part/, dataFrame(1, uint48(2 ** 31), FRAGMENT | FIRST)),
  says("an-item-of-256-tib", /wrong first part/, dataFrame(1, uint48(2 ** 48 - 1), FRAGMENT | FIRST | RAW)),
  says(
    "an-item-that-is-longer-than-it-said",
    /longer than it said/,
    dataFrame(1, uint48(10_000), FRAGMENT | FIRST | RAW),
    repeated(2, dataFrame(1, new Uint8Array(9_000), FRAGMENT | RAW)),
  ),
  says("an-empty-frame", /without an item/, dataFrame(1, new Uint8Array(0))),
  // Ends.
  {
    ...says(
      "data-behind-the-end",
      /its sender had ended/,
      makeFrame(FrameType.CLOSE_WRITE, 1),
      dataFrame(1, ONE),
    ),
    receive: ["EOFError", /closed/],
  },
  {
    ...says("ends-twice", /its sender had ended/, repeated(2, makeFrame(FrameType.CLOSE_WRITE, 1))),
    receive: ["EOFError", /closed/],
  },
  says(
    "ends-amid-an-item",
    /amid an item/,
    dataFrame(1, uint48(10), FRAGMENT | FIRST),
    makeFrame(FrameType.CLOSE_WRITE, 1),
  ),
  // Contents.
  says("closes-with-no-item", /content of a frame/, makeFrame(FrameType.CLOSE, 1, new Uint8Array([0xc1]))),
  says("closes-with-a-deep-error", /content of a frame/, makeFrame(FrameType.CLOSE, 1, nested(100_000))),
  says("answers-with-no-item", /content of a frame/, makeFrame(FrameType.REPLY, 0, new Uint8Array([0xc1]))),
  says("answers-deeply", /content of a frame/, makeFrame(FrameType.REPLY, 0, nested(250_000))),
  ...PROMISES.map((promise) =>
    says(`promises-${promise[0]!.toString(16)}`, /content of a frame/, makeFrame(FrameType.REPLY, 0, promise))
  ),
  says("answers-with-a-channel", /content of a frame/, makeFrame(FrameType.REPLY, 0, gone(1))),
  says("closes-with-a-channel", /content of a frame/, makeFrame(FrameType.CLOSE, 1, gone(1))),
  says(
    "answers-with-a-map",
    /content of a frame/,
    makeFrame(FrameType.REPLY, 0, dumps([7, new Map([[1, 2]])])),
  ),
  says(
    "closes-with-a-set",
    /content of a frame/,
    makeFrame(FrameType.CLOSE, 1, dumps({ fields: new Set([1]) })),
  ),
  says("answers-with-no-status", /not what it was asked for/, makeFrame(FrameType.REPLY, 0, dumps([1, 5]))),
  // The whole.
  {
    // The end of a process says more than that of its connection.
    name: "ends-amid-a-frame",
    ends: /process ended with code 0/,
    async play(far): Promise<void> {
      await far.send(header(FrameType.DATA, 1, 1_000));
    },
  },
  {
    name: "is-silent",
    ends: /no sign of life for 150 ms/,
    keys: "keepalive=50",
    async play(far): Promise<void> {
      await far.hears(FrameType.PING);
      await far.ended;
    },
  },
  {
    name: "goes-on-talking",
    says: /is no frame type/,
    stays: true,
    async play(far): Promise<void> {
      while (true) await far.send(new Uint8Array(64 * 1024));
    },
  },
];

/** Frames that may come though nobody asked for them, or late, and change little. */
const ALLOWED: readonly Script[] = [
  harmless("all-well", []),
  harmless("frames-for-what-is-closed", [
    dataFrame(2, ONE),
    creditFrame(2, 5),
    makeFrame(FrameType.CLOSE, 2),
    makeFrame(FrameType.CLOSE_WRITE, 2),
  ]),
  harmless("opens-twice-for-one-execution", [
    repeated(2, makeFrame(FrameType.OPEN, 2, uint48(EXECUTION))),
  ], { way: "unix", receive: ["RemoteError", /ProtocolError.*it is open/] }),
  harmless("opens-the-highest-id", [makeFrame(FrameType.OPEN, 2 ** 48 - 2, uint48(EXECUTION))]),
  harmless("answers-nobody", [
    repeated(20_000, makeFrame(FrameType.REPLY, 0, dumps([77, "late"]))),
    makeFrame(FrameType.PONG, 0),
    makeFrame(FrameType.REPLY, 0, dumps(null)),
  ]),
  ...BAD_ERRORS.map((error, i): Script =>
    harmless(`an-error-that-is-none-${i}`, [makeFrame(FrameType.CLOSE, EXECUTION, dumps(error))], {
      receive: ["RemoteError", /./],
    })
  ),
  harmless("a-stack-of-a-frame", [
    makeFrame(
      FrameType.CLOSE,
      EXECUTION,
      dumps({ name: "E", message: "m", stack: WORDY.repeat(21_000) }),
    ),
  ], { receive: ["RemoteError", /E: m/] }),
  harmless("an-error-of-10-mb", [
    fragmentItem(
      CALLS,
      dumps([1, true, { name: "E", message: "m", stack: LONG_STACK }]),
      false,
      MAX_PAYLOAD_BYTES,
    ),
  ], { call: ["RemoteError", /E: m/], grows: 60 }),
  // Eight mebibytes, whose digits would take a quarter of a minute.
  harmless("an-error-that-is-a-huge-number", [
    fragmentItem(CALLS, dumps([1, true, 1n << 67_000_000n]), false, MAX_PAYLOAD_BYTES),
  ], { call: ["RemoteError", /Error: a bigint/], grows: 80 }),
  harmless("a-deep-item", [dataFrame(EXECUTION, nested(200_000))], {
    receive: ["LoadError", /nested deeper/],
  }),
  harmless("an-item-that-is-none", [dataFrame(EXECUTION, new Uint8Array([0xc1]))], {
    receive: ["LoadError", /0xc1/],
  }),
  harmless("an-item-with-a-channel-that-never-was", [dataFrame(EXECUTION, new Uint8Array([0xd4, 9, 99]))], {
    receive: ["LoadError", /channel 99/],
  }),
  harmless("an-item-of-channels-that-are-gone", [
    fragmentItem(CALLS, gone(100_000), false, MAX_PAYLOAD_BYTES),
  ], { call: ["ProtocolError", /no reply to a call/], grows: 140 }),
  ...[null, 5, [], [1], { 0: 1 }].map((reply, i): Script =>
    harmless(`a-reply-to-a-call-that-is-none-${i}`, [dataFrame(CALLS, dumps(reply))], {
      call: ["ProtocolError", /no reply to a call/],
    })
  ),
  {
    name: "drips",
    async play(far): Promise<void> {
      const frames = concat(
        makeFrame(FrameType.PING, 0),
        opens(1, 2, EXECUTION),
        dataFrame(2, uint48(40), FRAGMENT | FIRST | RAW),
        dataFrame(2, new Uint8Array(40), FRAGMENT | RAW),
        makeFrame(FrameType.CLOSE, 2),
      );
      for (const byte of frames) await far.send(new Uint8Array([byte]));
    },
  },
  {
    // Its room is four times of what has come.
    name: "2-gib-by-drips",
    grows: 100,
    async play(far): Promise<void> {
      await far.send(opens(40, 2, EXECUTION));
      for (let i = 0; i < 40; i++) {
        const id = 2 + 2 * i;
        await far.send(
          dataFrame(id, uint48(2 ** 31 - 1), FRAGMENT | FIRST | RAW),
          repeated(50, dataFrame(id, new Uint8Array(1), FRAGMENT | RAW)),
        );
      }
      await far.send(repeated(64, dataFrame(2, FULL, FRAGMENT | RAW)));
    },
  },
  {
    name: "pings-and-listens",
    way: "unix",
    long: true,
    async play(far): Promise<void> {
      for (let i = 0; i < 10; i++) await far.send(repeated(10_000, makeFrame(FrameType.PING, 0)));
      await far.hears(FrameType.PONG, 0, 100_000);
    },
  },
];

/** Opens so many times 50,000. */
async function openMany(far: Far, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await far.send(opens(50_000, 2 + i * 100_000, EXECUTION));
}

/** Much of what is allowed, or hardly. */
const FLOODS: readonly Script[] = [
  {
    // An end of a channel takes some 800 bytes, and there may be 262144.
    name: "a-million-channels",
    says: /there are 262144 already/,
    way: "server",
    long: true,
    grows: 300,
    play: (far) => openMany(far, 20),
  },
  {
    // Where executions have links, only the one ends that would have too many.
    name: "too-many-channels-of-one-execution",
    way: "unix",
    receive: ["RemoteError", /ProtocolError.*there are 262144 already/],
    long: true,
    grows: 300,
    play: (far) => openMany(far, 6),
  },
  {
    name: "channels-that-come-and-go",
    way: "server",
    long: true,
    async play(far): Promise<void> {
      for (let i = 0; i < 5; i++) {
        const first = 2 + i * 20_000;
        await far.send(
          opens(10_000, first, EXECUTION),
          many(10_000, first, dataFrame(0, ONE)),
          many(10_000, first, makeFrame(FrameType.CLOSE, 0)),
        );
      }
    },
  },
  {
    // What is held for channels that nobody has received is limited to 256 MiB, those that are closed included.
    name: "fills-channels-that-nobody-has-met",
    says: /nobody has received/,
    way: "server",
    long: true,
    grows: 300,
    async play(far): Promise<void> {
      for (let id = 2; id < 700; id += 2) {
        await far.send(makeFrame(FrameType.OPEN, id, uint48(EXECUTION)));
        for (let i = 0; i < FULL_FRAMES; i++) await far.send(dataFrame(id, FULL));
        if (id % 4 === 0) await far.send(makeFrame(FrameType.CLOSE, id));
      }
    },
  },
  {
    // 16 MiB of answers may wait.
    name: "pings-and-does-not-listen",
    says: /does not read them/,
    way: "unix",
    long: true,
    grows: 60,
    async play(far): Promise<void> {
      far.deafen();
      try {
        // Some megabytes of the answers are in the system's buffers.
        for (let i = 0; i < 60; i++) await far.send(repeated(50_000, makeFrame(FrameType.PING, 0)));
      } finally {
        far.listen();
      }
    },
  },
  {
    name: "marks-of-what-has-ended",
    way: "unix",
    long: true,
    receive: ["EOFError", /closed/],
    grows: 250,
    async play(far): Promise<void> {
      await far.send(makeFrame(FrameType.CLOSE, EXECUTION), opens(200_000, 2, CALLS));
      await far.send(repeated(20_000, makeFrame(FrameType.BYPASS, EXECUTION, uint48(9))));
      await far.send(repeated(20_000, makeFrame(FrameType.CLOSE, EXECUTION, undefined, CloseFlag.LINKED)));
    },
  },
  {
    name: "prints-without-end",
    long: true,
    async play(far): Promise<void> {
      const text = new Uint8Array(60_000).fill(0x61);
      for (let i = 0; i < 500; i++) await far.way.print(text);
    },
  },
];

/** Links past the router. */
const LINKS: readonly Script[] = [
  {
    name: "links-that-are-nobodys",
    way: "unix",
    async play(far): Promise<void> {
      const first: Uint8Array[] = [
        new Uint8Array(0),
        new Uint8Array(12).fill(99),
        dataFrame(EXECUTION, ONE),
        makeFrame(FrameType.BYPASS, 99),
        makeFrame(FrameType.BYPASS, EXECUTION, ONE),
        header(FrameType.DATA, EXECUTION, 0xffffffff),
      ];
      const links: Deno.Conn[] = [];
      for (let i = 0; i < 300; i++) {
        const link = await far.way.link(i);
        await link.write(first[i % first.length]!).catch(() => {});
        links.push(link);
      }
      // Those that say something wrong are let go of; the silent ones may be those of spares.
      for (const [i, link] of links.entries()) {
        if (i % first.length !== 0) await link.read(new Uint8Array(1)).catch(() => null);
      }
      for (const link of links) link.close();
    },
  },
  {
    name: "a-link-that-speaks-for-another",
    way: "unix",
    receive: ["RemoteError", /ProtocolError.*by a bypass/],
    async play(far): Promise<void> {
      await far.send(makeFrame(FrameType.BYPASS, EXECUTION, uint48(7)));
      const link = await far.way.link(7);
      await link.write(concat(makeFrame(FrameType.BYPASS, EXECUTION), dataFrame(CALLS, ONE)));
      await far.hears(FrameType.KILL, EXECUTION);
      link.close();
    },
  },
  {
    name: "a-link-of-another-block",
    way: "unix",
    receive: ["RemoteError", /another execution's to give/],
    async play(far): Promise<void> {
      await far.send(makeFrame(FrameType.BYPASS, EXECUTION, uint48(2)));
      const link = await far.way.link(2);
      await link.write(concat(makeFrame(FrameType.BYPASS, EXECUTION), opens(1, 2 ** 21 + 2, EXECUTION)));
      await far.hears(FrameType.KILL, EXECUTION);
      link.close();
    },
  },
  {
    ...says("a-bypass-of-what-never-was", /has never been one/, makeFrame(FrameType.BYPASS, 99, uint48(9))),
    way: "unix",
  },
  {
    ...says("a-bypass-where-none-may-be", /a bypass here/, makeFrame(FrameType.BYPASS, 1, uint48(9))),
    way: "server",
  },
  {
    ...says("a-last-word-with-odd-flags", /last word: flags 5/, makeFrame(FrameType.CLOSE, 1, undefined, 5)),
    way: "unix",
  },
];

function serverFrame(kind: number, length: number, payload = new Uint8Array(0)): Uint8Array {
  const head = new Uint8Array(4);
  writeServerHeader(head, kind, length);
  return concat(head, payload);
}

/** What breaks the protocol between client and server, below that of gateways. */
const SERVER: readonly Script[] = ([
  ["an-unknown-frame-of-a-server", /kind 99/, serverFrame(99, 0)],
  ["a-frame-of-clients", /kind 6 from a server/, serverFrame(Kind.KILL, 0)],
  ["a-second-start", /kind 7 from a server/, serverFrame(Kind.STARTED, 1, ONE)],
  ["an-output-that-is-too-long", /kind 9: 65537 bytes/, serverFrame(Kind.OUTPUT, 65_537)],
  ["an-exit-that-is-too-long", /kind 10: 2000 bytes/, serverFrame(Kind.EXIT, 2_000)],
  ["an-exit-that-is-no-item", /content of a frame/, serverFrame(Kind.EXIT, 1, new Uint8Array([0xc1]))],
  ["a-credit-of-one-byte", /credit of 1 bytes/, serverFrame(Kind.CREDIT, 1, ONE)],
  [
    "data-behind-the-end-of-data",
    /behind its end/,
    concat(serverFrame(Kind.END, 0), serverFrame(Kind.DATA, 1, ONE)),
  ],
] as const).map(([name, says, bytes]) => ({
  name,
  says,
  way: "server",
  play: (far) => far.way.serverFrame(bytes),
}));

/** All of them. */
export const SCRIPTS: readonly Script[] = [...BREACHES, ...ALLOWED, ...FLOODS, ...LINKS, ...SERVER];
