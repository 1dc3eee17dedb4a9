import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { DataKind, Packing } from "../../rsync/common/messages.ts";
import { Giving } from "../../rsync/giving.ts";
import { Offered } from "../../rsync/offered.ts";
import { Source } from "../../rsync/source.ts";
import { Tally } from "../../rsync/tally.ts";
import { test } from "../helpers/bounded.ts";
import { Want } from "../helpers/scripted_target.ts";
import { withPair } from "../helpers/sessions.ts";

test("Giving asks the filter by the path that an entry would have in the source", async () => {
  for (
    const [root, folder, expected] of [
      ["/source", "", "/source/x"],
      ["/source", "a/b", "/source/a/b/x"],
      ["/", "", "/x"],
      ["/", "a/b", "/a/b/x"],
    ] as const
  ) {
    const asked: string[] = [];
    const filter = (path: string, { name, isFile, isDirectory, isSymlink }: Deno.DirEntry): boolean => {
      asked.push(path, name);
      assertEquals([isFile, isDirectory, isSymlink], [true, false, false]);
      return false;
    };
    const options = {
      source: new Source(false, 1),
      root,
      filter,
      compress: false,
      dryRun: false,
      key: [1, 2, 3, 4],
      offered: new Offered(),
      tally: new Tally({ progress: () => {}, transferred: () => {} }),
    } as const;
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      near.reconfigure({});
      far.reconfigure({});
      const run = new Giving(near, options, new AbortController().signal).run();
      await far.send(new Want().ask(3, folder, ["x"]).take());
      assertEquals([...await far.receive() as Uint8Array], [Packing.PLAIN, DataKind.VERDICT, 3, 1, 0]);
      await far.closeWrite();
      await run;
    });
    assertEquals(asked, [expected, "x"]);
  }
});
