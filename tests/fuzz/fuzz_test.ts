/** The short run: a second's worth of inputs for each target, from a fixed seed, and all golden ones. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { Random } from "../helpers/seeded.ts";
import { Fuzzer, runAlone } from "./engine.ts";
import { GOLDEN_INPUTS } from "./golden.ts";
import { minimised } from "./minimise.ts";
import { TARGETS } from "./targets.ts";
import type { Target } from "./target.ts";

const SEED = Number(Deno.env.get("EXECNET_TEST_SEED") ?? 1);

/** A second or two, where nobody else works. */
const LIMIT_MS = 120_000;

for (const target of TARGETS) {
  test(`${target.name} takes ${target.short} inputs that others could have made`, async () => {
    using fuzzer = new Fuzzer(target, SEED);
    await fuzzer.run(target.short);
    const { find, report } = fuzzer;
    if (find !== undefined) {
      const alone = `deno task fuzz --only ${target.name} --input ${find.input.toHex()}`;
      throw new Error(`with EXECNET_TEST_SEED=${SEED}: ${find.message}\n${alone}`, { cause: find.stack });
    }
    assertEquals(report.inputs, target.short);
    // Good inputs are taken, bad ones are not, and there is more than one way through.
    assert(report.kinds.size > 1, [...report.kinds.keys()].join());
    assert(report.features > report.kinds.size || target.tokens === undefined, "no more ways than kinds");
  }, LIMIT_MS);

  const golden = GOLDEN_INPUTS.filter((one) => one.target === target.name);
  test(`${target.name} does with ${golden.length} golden inputs what it always did`, async () => {
    assert(golden.length > 0);
    for (const { hex, kind, what } of golden) {
      assertEquals((await runAlone(target, Uint8Array.fromHex(hex))).kind, kind, what);
    }
  });
}

/** A target that is wrong for inputs with a certain byte in them. */
const WRONG: Target = {
  name: "wrong",
  share: 1,
  short: 0,
  maxBytes: 100,
  isAsync: false,
  seeds: () => [new Random(3).bytes(40).map((byte) => byte === 77 ? 0 : byte)],
  run: (input) => {
    if (input.includes(77)) throw new Error("There is a 77");
    return { kind: "right" };
  },
};

test("Fuzzer finds what is wrong, makes it short, and finds the same again", async () => {
  for (let again = 0; again < 2; again++) {
    using fuzzer = new Fuzzer(WRONG, 5);
    await fuzzer.run(100_000);
    assertEquals([...fuzzer.find!.input], [77]);
    assertEquals(fuzzer.find!.message, "There is a 77");
    assertEquals(fuzzer.find!.seed, 5);
  }
});

test("Fuzzer finds rejections that nobody handles, and memory out of proportion", async () => {
  const careless: Target = {
    ...WRONG,
    isAsync: true,
    run: (input) => {
      if (input.includes(77)) void Promise.reject(new Error("nobody's"));
      return Promise.resolve({ kind: "right" });
    },
  };
  const greedy: Target = {
    ...WRONG,
    memory: { base: 2 ** 23, factor: 1_000 },
    run: (input) => ({ kind: String(new Uint8Array(input.includes(77) ? 2 ** 26 : 1).length) }),
  };
  for (const [target, message] of [[careless, "nobody's"], [greedy, "Memory"]] as const) {
    using fuzzer = new Fuzzer(target, 5);
    await fuzzer.run(100_000);
    assert(fuzzer.find?.message.includes(message) === true, fuzzer.find?.message);
    assert(fuzzer.find!.input.includes(77), message);
  }
});

test("minimised() keeps what shows it, and zeroes the rest", async () => {
  const input = new Random(9).bytes(200);
  const shows = (bytes: Uint8Array): Promise<boolean> =>
    Promise.resolve(bytes.indexOf(input[50]!) >= 0 && bytes.length >= 3);
  assertEquals([...await minimised(input, shows)].sort(), [0, 0, input[50]!].sort());
});
