/**
 * Fuzzes what a server reads of a client that was admitted: the frame that asks for a process. It is refused, or becomes
 * the plan of a process that may do no more than the server's list says, runs the server's own Deno, and is given no flag
 * and no variable that decides what it runs.
 *
 * An input is what the client sends: a frame with an item. No process is started, and nothing is made on the disk.
 */

import { dumps, loads } from "../../channel/codec.ts";
import { admit, NotAdmitted, readStart } from "../../gateway/server/admission.ts";
import { readList } from "../../gateway/server/arguments.ts";
import { BeyondList } from "../../gateway/server/containment.ts";
import { planRequest } from "../../gateway/server/request.ts";
import { FrameError, Kind } from "../../gateway/socket/frames.ts";
import { HELLO_BYTES, importToken, makeHello, PROOF_BYTES, prove } from "../../gateway/socket/proof.ts";
import type { Wire } from "../../gateway/socket/wire.ts";
import type { ProcessPlan } from "../../gateway/process/plan.ts";
import { XSpecError } from "../../xspec/mod.ts";
import { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { socketFrame } from "./sifter_target.ts";
import { SPEC } from "./spec_target.ts";
import { blurred, hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

const FOLDERS = ["/usr", "/etc/ssl"];
const HOSTS = ["localhost:80", "example.org"];
const MEMORY_MIB = 64;
const LIMITS = {
  list: readList([
    `read=${FOLDERS}`,
    `net=${HOSTS}`,
    "env=LANG,A*,HTTP_PROXY",
    "sys=hostname",
    "run=/usr/bin/true",
  ]),
  memory: MEMORY_MIB * 2 ** 20,
};

/** Gives bytes in pieces, and keeps what is written. */
class Script implements Wire {
  readonly written: Uint8Array[] = [];
  readonly #bytes: () => Promise<Uint8Array> | Uint8Array;
  readonly #random: Random;
  #at = 0;

  constructor(bytes: () => Promise<Uint8Array> | Uint8Array, random: Random) {
    this.#bytes = bytes;
    this.#random = random;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const bytes = await this.#bytes();
    if (this.#at >= bytes.length) return null;
    const part = bytes.subarray(this.#at, this.#at + Math.min(into.length, this.#random.between(1, 200)));
    into.set(part);
    this.#at += part.length;
    return part.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    const some = bytes.subarray(0, this.#random.between(1, Math.max(1, bytes.length)));
    this.written.push(some.slice());
    return Promise.resolve(some.length);
  }
}

async function ask(input: Uint8Array): Promise<Outcome> {
  const script = new Script(() => input, new Random(input.length));
  let fields: Record<string, unknown>;
  try {
    fields = await readStart(script);
  } catch (error) {
    hold(error instanceof NotAdmitted, `No NotAdmitted but ${error}`);
    return { kind: "not read", feature: blurred(error.message) };
  }
  hold(Object.getPrototypeOf(fields) === Object.prototype, "Fields that are none");
  hold(script.written.length === 0, "Something was answered");
  let plan: ProcessPlan;
  try {
    plan = planRequest(fields, LIMITS);
  } catch (error) {
    const known = error instanceof BeyondList || error instanceof XSpecError || error instanceof FrameError;
    hold(known, `An unknown refusal: ${error instanceof Error ? error.stack : error}`);
    const { name, message } = error as Error;
    return { kind: name, feature: `${name} ${blurred(message)}` };
  }
  checkPlan(plan);
  const { config, spawn } = plan;
  return {
    kind: "planned",
    feature: `${Object.keys(config.permissions.allow)} ${Object.keys(config.env)} ${spawn.nice}`,
  };
}

function checkPlan({ config, spawn }: ProcessPlan): void {
  const { all, allow } = config.permissions;
  hold(!all, "It may do everything");
  for (const [kind, items] of Object.entries(allow)) {
    hold(items !== true, `It may do everything of ${kind}`);
    for (const item of items) hold(isListed(kind, item), `It may ${kind} ${JSON.stringify(item)}`);
  }
  const own = [Deno.execPath()].join();
  hold(spawn.deno.join() === own && config.deno.join() === own, "Another Deno");
  for (const flag of spawn.flags) {
    const [, size] = /^--v8-flags=--max-old-space-size=(\d+)$/.exec(flag) ?? [];
    hold(size !== undefined && Number(size) <= MEMORY_MIB, `The flag ${flag}`);
  }
  for (const name of Object.keys(config.env)) {
    hold(isListed("env", name), `The variable ${name}`);
    hold(
      name === "HTTP_PROXY" || !/_PROXY$/i.test(name),
      `The variable ${name}, which is not listed by its name`,
    );
  }
  hold(Object.keys(spawn.env).join() === Object.keys(config.env).join(), "Other variables");
  hold(spawn.nice === undefined || spawn.nice >= 0, "A higher priority");
  hold(Deno.statSync(spawn.cwd!).isDirectory, "A working folder that is none");
}

/** The plain twin of the list. */
function isListed(kind: string, item: string): boolean {
  switch (kind) {
    case "read":
      return item.startsWith("/") && isInside(item) && isInside(real(item));
    case "net": {
      const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(item.toLowerCase()) ?? [];
      return host === "example.org" || host === "localhost" && Number(port) === 80;
    }
    case "env":
      return item === "LANG" || item === "HTTP_PROXY" || item.startsWith("A");
    case "sys":
      return item === "hostname";
    case "run":
      return item === "/usr/bin/true";
    default:
      return false;
  }
}

function isInside(path: string): boolean {
  const parts = path.split("/").slice(1);
  if (parts.some((part, i) => part === ".." || part === "." || part === "" && i < parts.length - 1)) {
    return false;
  }
  return FOLDERS.some((folder) => {
    const outer = folder.split("/").slice(1);
    return outer.every((part, i) => parts[i] === part);
  });
}

/** Where a path leads, as far as it is there. */
function real(path: string): string {
  for (let there = path; there !== ""; there = there.slice(0, there.lastIndexOf("/"))) {
    try {
      return Deno.realPathSync(there) + path.slice(there.length);
    } catch {
      // Not there: what is above it may be.
    }
  }
  return path;
}

const encoder = new TextEncoder();
const SPECS = [
  "popen",
  "popen//allow-read=/usr/bin,/etc/ssl/certs",
  "popen//allow-read=/usr/../etc/ssl",
  "popen//allow-read=/usr/bin/../../etc/passwd",
  "popen//allow-read=usr",
  "popen//allow-net=localhost:80,example.org:443",
  "popen//env:A=1//env:LANG=C//env:AB=2",
  "popen//env:HTTP_PROXY=x//allow-env=A*",
  "popen//memory=32M//nice=5//execmodel=process",
  "popen//chdir=/usr//allow-read=bin,lib",
  "popen//chdir=/proc/execnet-fuzz",
  "popen//allow-sys=hostname//allow-run=/usr/bin/true//deny-read=/usr/lib",
  "popen//keepalive=100//execmodel=main//id=x",
];

function seeds(): Uint8Array[] {
  const items: unknown[] = SPECS.map((spec) => ({ name: "gw0", spec }));
  items.push(
    { name: "gw0", spec: "popen", trace: true, more: [1] },
    { name: 1, spec: "popen" },
    [],
    null,
    {},
  );
  return items.map((item) => socketFrame(Kind.START, dumps(item)));
}

/** Changes the spec in it, by what is known of specs. */
function mutate(input: Uint8Array, random: Random, other: () => Uint8Array): Uint8Array {
  try {
    const fields = loads(input.slice(4)) as { name: unknown; spec: string };
    const from = (text: string): Uint8Array => concat(new Uint8Array([0]), encoder.encode(text));
    const changed = SPEC.mutate!(from(fields.spec), random, () => from(random.pick(SPECS)));
    const spec = new TextDecoder().decode(changed.subarray(1)).replaceAll("\ufffd", "?");
    return socketFrame(Kind.START, dumps({ ...fields, spec }));
  } catch {
    return random.chance(0.5) ? other() : socketFrame(Kind.START, input.slice(4));
  }
}

/** What a client asks a server for. */
export const SERVER: Target = {
  name: "server",
  share: 3,
  short: 2_000,
  maxBytes: 2_000,
  isAsync: true,
  memory: { base: 16 * 2 ** 20, factor: 4_000 },
  tokens: [...SPECS, "chdir=", "/../", "/usr/bin/", "/proc/self/root", "LD_PRELOAD", "allow-read="].map((
    text,
  ) => encoder.encode(text)),
  seeds,
  mutate,
  run: ask,
};

let token: Promise<CryptoKey> | undefined;

/** What a client sends that has the token, with the bits flipped that the input names; as much as the first byte says. */
async function enter(input: Uint8Array): Promise<Outcome> {
  const key = await (token ??= importToken("a token that is long enough"));
  const mask = (at: number): number => input[1 + at] ?? 0;
  const hello = makeHello().map((byte, i) => byte ^ mask(i));
  const sent = input.length === 0 || input[0] === 255
    ? HELLO_BYTES + PROOF_BYTES
    : Math.min(input[0]!, HELLO_BYTES + PROOF_BYTES);
  const head = HELLO_BYTES - 32;
  let whole: Promise<Uint8Array> | undefined;
  const script: Script = new Script(() => whole ??= prepare(), new Random(input.length));
  const prepare = async (): Promise<Uint8Array> => {
    const theirs = concat(...script.written);
    const proof = await prove(key, "client", hello, theirs);
    return concat(hello, proof.map((byte, i) => byte ^ mask(HELLO_BYTES + i))).slice(0, sent);
  };
  // The nonce may be any; the rest may not.
  const right = sent === HELLO_BYTES + PROOF_BYTES &&
    Array.from({ length: head }, (_, i) => mask(i)).every((bits) => bits === 0) &&
    Array.from({ length: PROOF_BYTES }, (_, i) => mask(HELLO_BYTES + i)).every((bits) => bits === 0);
  try {
    await admit(script, key);
  } catch (error) {
    hold(error instanceof NotAdmitted, `No NotAdmitted but ${error}`);
    hold(!right, `A client with the token was not admitted: ${error.message}`);
    return { kind: "not admitted", feature: blurred(error.message) };
  }
  hold(right, "A client without the token was admitted");
  return { kind: "admitted" };
}

/** Who may come in. */
export const ADMISSION: Target = {
  name: "admission",
  share: 0.4,
  short: 300,
  maxBytes: HELLO_BYTES + PROOF_BYTES + 1,
  isAsync: true,
  seeds: () => [
    new Uint8Array([255]),
    concat(new Uint8Array([255]), new Uint8Array(HELLO_BYTES - 32), new Uint8Array(32).fill(9)),
    ...[0, 5, 13, 14, 40, HELLO_BYTES, HELLO_BYTES + 20].map((sent) => new Uint8Array([sent])),
    ...[0, 10, 13, HELLO_BYTES - 1, HELLO_BYTES, HELLO_BYTES + 31].map((at) => {
      const mask = new Uint8Array(at + 2);
      mask[0] = 255;
      mask[at + 1] = 1;
      return mask;
    }),
  ],
  run: enter,
};
