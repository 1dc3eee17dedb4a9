/** Which gateways others may be started from. */

import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { checkHops } from "../../gateway/hops.ts";
import { XSpec, XSpecError } from "../../xspec/mod.ts";

const specs = (...texts: string[]): XSpec[] => texts.map((text) => new XSpec(text));

Deno.test("checkHops() takes chains in any order, and hops that are there", () => {
  checkHops(
    specs("popen//via=b//id=c", "popen//via=a//id=b//allow-run", "popen//id=a//allow-all"),
    new Map(),
  );
  checkHops(specs("popen//via=a"), new Map([["a", new XSpec("popen//allow-run=sh")]]));
});

for (
  const [texts, why] of [
    [["popen//via=a"], 'there is no gateway "a"'],
    [["popen//id=a", "popen//via=a"], "add allow-run"],
    [["popen//id=a//allow-all//deny-run", "popen//via=a"], "add allow-run"],
    [["popen//id=a//via=a//allow-run"], "from itself"],
    [["popen//id=a//via=b//allow-run", "popen//id=b//via=a//allow-run"], "from itself"],
  ] as const
) {
  Deno.test(`checkHops() refuses ${texts.join(" ")}`, () => {
    const error = assertThrows(() => checkHops(specs(...texts), new Map()), XSpecError, why);
    assertEquals(error.key, "via");
  });
}
