/** What a far side may say in place of a greeting. */

import { dumps } from "../../channel/codec.ts";
import { PROTOCOL_VERSION, writeUint32 } from "../../channel/frame.ts";
import { encodeHello } from "../../channel/handshake.ts";
import type { ConnectErrorKind } from "../../gateway/errors.ts";
import { concat } from "../helpers/sessions.ts";
import type { Far } from "./far.ts";

/** A greeting. */
export interface Greeting {
  /** What it is, in letters and hyphens. */
  readonly name: string;
  /** The kind of the ConnectError, undefined where there is a gateway. */
  readonly kind?: ConnectErrorKind;
  /** What it says. */
  readonly says?: RegExp;
  /** Milliseconds until the caller gives up, where that is not the default. */
  readonly timeout?: number;
  /** Plays it. It may throw CallerGone. */
  play(far: Far): Promise<void>;
}

const HEAD_BYTES = 16;
const VERSION_AT = 10;
const LENGTH_AT = 12;

function hello(facts: Uint8Array, version = PROTOCOL_VERSION, length = facts.length): Uint8Array {
  const head = encodeHello({}).slice(0, HEAD_BYTES);
  head[VERSION_AT] = version >> 8;
  head[VERSION_AT + 1] = version & 0xff;
  writeUint32(head, LENGTH_AT, length);
  return concat(head, facts);
}

/** Says something, and waits for the caller to go. */
function says(name: string, kind: ConnectErrorKind, says: RegExp, ...parts: Uint8Array[]): Greeting {
  return {
    name,
    kind,
    says,
    async play(far): Promise<void> {
      await far.send(...parts);
      await far.ended;
    },
  };
}

const text = new TextEncoder();

/** Facts of the wrong types. */
const ODD_FACTS: readonly unknown[] = [
  {},
  { pid: "x", cwd: 5, cpus: "many", permissions: null, executable: [], door: 1, hostname: {} },
  {
    pid: -1,
    cwd: "\0",
    cpus: Infinity,
    permissions: "all",
    executable: "\0",
    door: "../../x",
    os: new Map(),
  },
];

/** All of them. */
export const GREETINGS: readonly Greeting[] = [
  says("another-version", "version", /it speaks protocol 515, not 1/, hello(dumps({}), 515)),
  says("too-many-facts", "noise", /greeting of 4294967295 bytes/, hello(dumps({}), 1, 0xffffffff)),
  says("no-item-for-facts", "noise", /Cannot read a greeting/, hello(new Uint8Array([0xc1]))),
  says("a-number-for-facts", "noise", /without facts/, hello(dumps(5))),
  says("deep-facts", "noise", /Cannot read a greeting/, hello(new Uint8Array(100_000).fill(0x91))),
  says(
    "facts-that-promise",
    "noise",
    /Cannot read a greeting/,
    hello(new Uint8Array([0xdf, 255, 255, 255, 255, 1])),
  ),
  says("only-noise", "noise", /No greeting in \d+ bytes/, text.encode("Welcome!\n".repeat(100_000))),
  {
    name: "never",
    kind: "timeout",
    says: /no greeting after 300 ms/,
    timeout: 300,
    play: (far) => far.ended,
  },
  {
    name: "never-ends",
    kind: "noise",
    says: /something else than a greeting/,
    timeout: 300,
    async play(far): Promise<void> {
      for (const byte of text.encode("Loading".repeat(100))) {
        await far.send(new Uint8Array([byte]));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  },
  {
    name: "half-of-it",
    kind: "noise",
    says: /ended with code 0/,
    async play(far): Promise<void> {
      await far.greeted;
      await far.send(encodeHello({ pid: 1 }).slice(0, 20));
    },
  },
  {
    name: "by-drips",
    async play(far): Promise<void> {
      for (const byte of encodeHello({ pid: 7 })) await far.send(new Uint8Array([byte]));
      await far.ended;
    },
  },
  ...ODD_FACTS.map((facts, i): Greeting => ({
    name: `odd-facts-${i}`,
    async play(far): Promise<void> {
      await far.send(hello(dumps(facts)));
      await far.ended;
    },
  })),
];
