/** call() and map() of modules and of text, and what remoteStatus() says of windows. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { Group, RemoteError } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import type sum from "./modules/sums.ts";
import type { doubled } from "./modules/sums.ts";

const SUMS = new URL("./modules/sums.ts", import.meta.url);
const MODELS = ["worker", "main", "process"];

function exported(name: string): URL {
  return new URL(`#${name}`, SUMS);
}

async function remoteError(promise: Promise<unknown>): Promise<RemoteError> {
  return await assertRejects(() => promise, RemoteError) as RemoteError;
}

Deno.test("call() and map() take exports of modules and expressions, in every model", async () => {
  const leaks = new LeakCheck();
  {
    await using group = await limited(
      "start",
      Group.create(MODELS.map((model) => `popen//execmodel=${model}`)),
    );
    for (const gateway of group) {
      assertEquals(await gateway.call<typeof sum>(SUMS, [1, 2, 3]), 6);
      assertEquals(await gateway.call<typeof doubled>(exported("doubled"), 4), 16);
      assertEquals(await gateway.call("async (a: number, b: number): Promise<number> => a + b", 1, 2), 3);
      // The text is sent once and is a number from then on, also where it shares its module with another function.
      assertEquals(await gateway.call<typeof sum>(SUMS, [4]), 4);

      const thrown = await remoteError(gateway.call(exported("fails")));
      assertEquals(thrown.remoteName, "RangeError");
      assertMatch(thrown.remoteStack!, /modules\/sums\.ts:14:\d+/);
      const missing = await remoteError(gateway.call(exported("nothing")));
      assertMatch(missing.remoteMessage, /exports no function "nothing"; it exports default, doubled, fails/);
      const number = await remoteError(gateway.call("1"));
      assertEquals(
        number.remoteMessage,
        "Cannot call: the text gives a value of type number, not a function",
      );
      const place = await remoteError(gateway.call("() => { throw new Error('here') }"));
      assertMatch(place.remoteStack!, /<remote exec>:1:15/);
      assertEquals((await remoteError(gateway.call("(x"))).remoteName, "SyntaxError");
      // The code saw no channel of the library's own.
      assertEquals(await gateway.call("() => typeof channel"), "undefined");
    }
    const lengths = group.map<number>("(s: string) => s.length", ["a", "bb", "ccc"], { ordered: true });
    assertEquals(await Array.fromAsync(lengths), [1, 2, 3]);
    const some = group.map<typeof doubled>(exported("doubled"), [1, 2], { ordered: true, gateways: ["gw1"] });
    assertEquals(await Array.fromAsync(some), [4, 8]);
    const mapOn = (gateways: Iterable<string>, why: string): void =>
      void assertThrows(() => group.map("(x) => x", [1], { gateways }), TypeError, `Cannot map: ${why}`);
    mapOn(["gw9"], 'the group has no gateway "gw9"');
    mapOn("gw0", 'gateways must be a list of ids, got "gw0"');
    mapOn(["gw0", "gw1", "gw0"], 'gateways names "gw0" twice');
    mapOn([], "gateways is a list of none");
    const refused = async (source: URL | string, why: string): Promise<void> =>
      void await assertRejects(() => group.get(0)!.call(source as string), TypeError, why);
    await refused(exported("%zz"), 'Cannot call on gateway "gw0": the fragment of "file:///');
    for (const text of ["function* () { yield 1 }", " async function *name() {}"]) {
      await refused(text, 'Cannot call on gateway "gw0": a generator function gives items to stream()');
    }
    assertEquals(await group.get(0)!.call("(x) => x + ';'; ;\n", 1), "1;");
    await assertRejects(
      () => Array.fromAsync(group.map(new URL("./nowhere.ts", SUMS), [1])),
      Error,
      "nowhere.ts",
    );
  }
  await leaks.done();
});

Deno.test("exports of a module share it, and one that failed runs again at the next call", async () => {
  const leaks = new LeakCheck();
  await withFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/state.ts`,
      `let n = 0; export const up = () => ++n; export const get = () => n; export function* all() {}`,
    );
    await Deno.writeTextFile(
      `${folder}/picky.ts`,
      `export const text = Deno.readTextFileSync(${
        JSON.stringify(`${folder}/needed`)
      }); export default () => text;`,
    );
    await using group = new Group();
    const gateway = await limited("start", group.makeGateway(`popen//allow-read=${folder}`));
    const state = (name: string): URL => new URL(`file://${folder}/state.ts#${name}`);
    assertEquals(await gateway.call(state("up")), 1);
    assertEquals(await gateway.call(state("get")), 1);
    const both = await Promise.all([gateway.call(state("up")), gateway.call(state("up"))]);
    assertEquals(both.toSorted(), [2, 3]);
    const generator = await remoteError(gateway.call(state("all")));
    assertEquals(generator.remoteMessage, "Cannot call: a generator function gives items to stream()");
    assertEquals(await gateway.call(state("get")), 3);

    const picky = new URL(`file://${folder}/picky.ts`);
    assertEquals((await remoteError(gateway.call(picky))).remoteName, "NotFound");
    await Deno.writeTextFile(`${folder}/needed`, "there");
    assertEquals(await gateway.call(picky), "there");
  });
  await leaks.done();
});

Deno.test("remoteStatus() tells what may still be sent on each channel, and what lies unread", async () => {
  const leaks = new LeakCheck();
  {
    await using group = new Group();
    const gateway = await limited("start", group.makeGateway("popen"));
    await gateway.call("() => 1");
    assertEquals((await gateway.remoteStatus()).channels, []);
    const channel = gateway.remoteExec(`
      await channel.send(new Uint8Array(5_000));
      await new Promise(() => {});
    `);
    await until("it has arrived", async () => (await gateway.remoteStatus()).channels[0]!.unread > 5_000);
    const [fresh] = (await gateway.remoteStatus()).channels;
    assertEquals([fresh!.id, fresh!.state, fresh!.waiting], [channel.id, "open", 0]);
    const item = "x".repeat(400_000);
    const sent = Array.from({ length: 5 }, () => channel.send(item).catch(() => {}));
    const [full] = (await gateway.remoteStatus()).channels;
    assert(full!.sendCredit <= 0 && full!.sendCredit > -500_000, `credit ${full!.sendCredit}`);
    assert(full!.waiting >= 800_000, `waiting ${full!.waiting}`);
    assertEquals(fresh!.sendCredit - full!.sendCredit + full!.waiting > 2_000_000, true);
    channel.kill();
    await Promise.all(sent);
  }
  await leaks.done();
});
