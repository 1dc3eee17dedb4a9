/** `new XSpec(String(s))` equals `s`, for thousands of specs made at random. */

import { assert, assertEquals, assertInstanceOf, AssertionError } from "jsr:@std/assert@^1.0.19";
import { XSpec, XSpecError, type XSpecInit } from "../../xspec/mod.ts";

const COUNT = 4000; // of each form

/** Mulberry32: small, seeded, good enough to make texts. */
function randomFrom(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Seeded makers of values; the pieces are those that the grammar could trip over. */
class Maker {
  readonly pick: (below: number) => number;
  constructor(seed: number) {
    this.pick = randomFrom(seed);
  }
  from<T>(items: readonly T[]): T {
    return items[this.pick(items.length)]!;
  }
  maybe<T>(make: () => T): T | undefined {
    return this.pick(3) === 0 ? make() : undefined;
  }
  value(): string {
    const pieces = [
      "/",
      "/",
      "//",
      "%",
      "%2F",
      "%25",
      "%2f",
      "%2",
      "2F",
      "5",
      "=",
      ":",
      ",",
      " ",
      "a",
      "ü",
      "\ud800",
      "\n",
      "-",
    ];
    return Array.from({ length: this.pick(7) }, () => this.from(pieces)).join("");
  }
  filled(): string {
    return this.value() + "x" + this.value();
  }
  list(): boolean | string[] {
    return this.pick(3) === 0 ||
      Array.from({ length: 1 + this.pick(3) }, () => this.filled().replaceAll(",", "") || "x");
  }
  init(): XSpecInit {
    const gateway = this.from<XSpecInit>([
      { popen: true },
      { worker: true },
      { ssh: this.filled() },
      { socket: "[::1]:80" },
      { command: this.filled() },
      { slurm: true, account: this.filled() },
      { socket: true, installvia: this.filled() },
    ]);
    return {
      via: this.maybe(() => this.filled()),
      ...gateway,
      chdir: this.maybe(() => this.filled()),
      deno: this.maybe(() => this.filled()),
      id: this.maybe(() => this.filled()),
      sshConfig: this.maybe(() => this.filled()),
      tls: this.maybe(() => true),
      nice: this.maybe(() => this.pick(40) - 20),
      keepalive: this.maybe(() => this.pick(1e6)),
      memory: this.maybe(() => `${4 + this.pick(9)}G`),
      execmodel: this.maybe(() => this.from(["worker", "main", "process"])),
      env: { A: this.maybe(() => this.value()), _b: this.maybe(() => this.value()) },
      extra: {
        foo: this.maybe(() => this.value()),
        "%2F": this.maybe(() => this.value()),
        flag: this.maybe(() => true),
      },
      allowRead: this.maybe(() => this.list()),
      denyWrite: this.maybe(() => this.list()),
      allowRun: this.maybe(() => this.list()),
    };
  }
  text(): string {
    const keys = [
      "popen",
      "worker",
      "ssh",
      "chdir",
      "id",
      "foo",
      "bar",
      "env:A",
      "allow-read",
      "deny-write",
      "x%2F",
      "slurm",
    ];
    const parts = Array.from({ length: 1 + this.pick(5) }, () => {
      const key = this.from(keys);
      return this.pick(3) === 0 ? key : `${key}=${this.value()}`;
    });
    return [this.from(["popen", "ssh=h", "worker"]), ...parts].join("//");
  }
}

/** Runs a check; its failure names the seed. `TEST_SEED=<seed>` starts with the same spec again. */
function seeded(seed: number, check: () => void): void {
  try {
    check();
  } catch (cause) {
    throw new AssertionError(`TEST_SEED=${seed}: ${(cause as Error).message}`, { cause });
  }
}

/** Fails unless the spec comes back from its text, with any id. */
function checkReadsBack(spec: XSpec): void {
  for (const id of [spec.id, "gw/", "//%2F", undefined]) {
    spec.id = id;
    const text = String(spec);
    const back = new XSpec(text);
    assert(back.equals(spec) && spec.equals(back), JSON.stringify(text));
    assertEquals({ ...back }, { ...spec });
    assertEquals(back.id, id);
  }
}

const START = (Number(Deno.env.get("TEST_SEED")) || Math.floor(Math.random() * 2 ** 31)) >>> 0;

Deno.test("XSpec() reads its own text back when made from random objects", () => {
  for (let seed = START; seed < START + COUNT; seed++) {
    seeded(seed, () => {
      const init = new Maker(seed).init();
      const spec = new XSpec(init);
      assertEquals([spec.chdir, spec.id, spec.deno, spec.via], [init.chdir, init.id, init.deno, init.via]);
      assertEquals([spec.env.A, spec.get("foo")], [init.env!.A, init.extra!.foo]);
      assertEquals(spec.permissions.allow.read, init.allowRead);
      checkReadsBack(spec);
    });
  }
});

Deno.test("XSpec() reads its own text back, or throws XSpecError, when made from random texts", () => {
  let made = 0;
  for (let seed = START; made < COUNT; seed++) {
    seeded(seed, () => {
      const text = new Maker(seed).text();
      let spec: XSpec;
      try {
        spec = new XSpec(text);
      } catch (error) {
        assertInstanceOf(error, XSpecError);
        return;
      }
      made++;
      assertEquals(String(spec), text);
      checkReadsBack(spec);
    });
  }
});
