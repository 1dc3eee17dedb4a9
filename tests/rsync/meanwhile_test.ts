/** What other programs do in a target while it is copied to. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { Data, List, withReceiver } from "../helpers/scripted_sender.ts";

test("receive() goes on in a folder that another copy has just made", async () => {
  await withReceiver({}, async (sender, { dest }) => {
    await sender.list(new List().root().file("a", 1));
    // The target has looked at the root when it wants something of it.
    await sender.want();
    Deno.mkdirSync(`${dest}/b`);
    await sender.list(new List().sub("b").end().folder(1).file("c", 1).end());
    await sender.endList();
    await sender.want();
    await sender.data(new Data().file(0, new Uint8Array(1)).file(1, new Uint8Array(1)));
    assertEquals(await sender.finish(), { ended: true, done: [0, 1], errors: [] });
    assertEquals(Deno.readFileSync(`${dest}/b/c`), new Uint8Array(1));
  });
});

test("receive() does not go into a folder in whose place there is a link meanwhile", async () => {
  await withReceiver({
    setup: { delete: true },
    prepare: ({ dest }) => Deno.mkdirSync(`${dest}/a`),
  }, async (sender, { around, dest }) => {
    await sender.list(new List().root().sub("a").file("b", 1));
    await sender.want();
    Deno.removeSync(`${dest}/a`);
    Deno.symlinkSync(`${around}/folder`, `${dest}/a`);
    await sender.list(new List().end().folder(1).file("c", 1).sub("d").end().folder(2).file("e", 1).end());
    await sender.data(new Data().file(0, new Uint8Array(1)));
    const { ended, done, errors } = await sender.finish();
    assertEquals([ended, done], [true, [0]]);
    assertMatch(errors.join("\n"), /^problem a: .*it is no folder any more$/);
    assert(Deno.lstatSync(`${dest}/a`).isSymlink);
  });
});
