/** Copies between folders of which one is inside of the other. */

import { assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { withFolder } from "../helpers/folder.ts";
import { describeTree } from "../helpers/tree.ts";
import { copyTo, keys } from "./copies.ts";
import { forPopen } from "./kinds.ts";

/** The paths of all files below a folder. */
function filesBelow(root: string, below = ""): string[] {
  return [...Deno.readDirSync(`${root}/${below}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(root, `${below}${name}/`) : [`${below}${name}`]
  ).sort();
}

for (const where of ["source/z", "source/a/new/copy", "link/z"]) {
  forPopen(`RSync copies a folder into itself without the copy: to ${where}`, async ({ open }) => {
    await withFolder(async (folder) => {
      const source = `${folder}/source`;
      Deno.mkdirSync(`${source}/a/deep`, { recursive: true });
      Deno.mkdirSync(`${source}/z`);
      Deno.writeTextFileSync(`${source}/a/deep/file`, "text");
      Deno.symlinkSync(source, `${folder}/link`);
      const gateway = await open(keys(folder));
      for (let i = 0; i < 3; i++) {
        const { errors } = await copyTo(gateway, source, `${folder}/${where}`);
        assertEquals(errors, []);
        assertEquals(filesBelow(`${folder}/${where}`), ["a/deep/file"]);
      }
    });
  });
}

forPopen("RSync does not remove the source", async ({ open }) => {
  await withFolder(async (folder) => {
    const source = `${folder}/source/inside`;
    Deno.mkdirSync(source, { recursive: true });
    Deno.writeTextFileSync(`${source}/file`, "text");
    Deno.symlinkSync(folder, `${folder}/link`);
    const before = await describeTree(folder);
    const gateway = await open(keys(folder));
    for (const dest of [folder, `${folder}/source`, `${folder}/link/source`]) {
      const { errors } = await copyTo(gateway, source, dest, { to: { delete: true } });
      assertEquals(errors.length, 1);
      assertMatch(errors[0]!.message, /^Cannot copy to ".*" on gateway "gw\d+": the source is in it/);
    }
    // Onto itself there is nothing to do.
    assertEquals((await copyTo(gateway, source, source, { to: { delete: true } })).errors, []);
    assertEquals(await describeTree(folder), before);
    // Nothing goes where nothing is removed.
    assertEquals((await copyTo(gateway, source, `${folder}/source`)).errors, []);
    assertEquals(filesBelow(`${folder}/source`), ["file", "inside/file"]);
  });
});
