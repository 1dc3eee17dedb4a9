/** Copies into folders that their own user may not read or change. */

import { assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { exists } from "../helpers/folder.ts";
import { describeTree } from "../helpers/tree.ts";
import { testWith } from "../parts/need.ts";
import { NOBODY, OTHER_USER, withOtherUser } from "../parts/other_user.ts";
import { copyTo } from "./copies.ts";

/** Makes a folder of theirs with a file in it. */
function makeTheirs(path: string, mode: number, ...files: string[]): void {
  Deno.mkdirSync(path);
  for (const name of files) {
    Deno.writeTextFileSync(`${path}/${name}`, name);
    Deno.chownSync(`${path}/${name}`, NOBODY, NOBODY);
  }
  Deno.chmodSync(path, mode);
  Deno.chownSync(path, NOBODY, NOBODY);
}

const modeOf = (path: string): number => Deno.lstatSync(path).mode! & 0o7777;

testWith(OTHER_USER, "RSync keeps the modes of closed folders in which nothing has changed", async () => {
  await withOtherUser(async ({ gateway, source, dest }) => {
    for (const [name, mode] of [["none", 0o000], ["names", 0o400], ["write", 0o300]] as const) {
      Deno.mkdirSync(`${source}/${name}`);
      Deno.writeTextFileSync(`${source}/${name}/file`, name);
      Deno.chmodSync(`${source}/${name}`, mode);
    }
    for (const transferred of [3, 0, 0]) {
      const result = await copyTo(gateway, source, dest, { to: { delete: true } });
      assertEquals([result.errors, result.transferred], [[], transferred]);
      assertEquals(await describeTree(dest), await describeTree(source));
    }
  });
});

testWith(OTHER_USER, "RSync leaves closed folders closed in a dry run", async () => {
  await withOtherUser(async ({ gateway, source, dest }) => {
    Deno.mkdirSync(`${source}/none`);
    assertEquals((await copyTo(gateway, source, dest)).errors, []);
    Deno.chmodSync(`${dest}/none`, 0o000);
    makeTheirs(`${dest}/extra`, 0o000, "file");
    const before = await describeTree(dest);
    const { errors } = await copyTo(gateway, source, dest, { to: { delete: true }, dryRun: true });
    assertEquals(await describeTree(dest), before);
    for (const { message } of errors) assertMatch(message, /\/(none|extra)" .*Permission denied/);
  });
});

testWith(OTHER_USER, "RSync gives a folder its mode back in which something had to stay", async () => {
  await withOtherUser(async ({ gateway, source, dest }) => {
    assertEquals((await copyTo(gateway, source, dest)).errors, []);
    makeTheirs(`${dest}/theirs`, 0o500, "stays", "goes");
    const filter = (path: string): boolean => !path.endsWith("/stays");
    const { errors, deleted } = await copyTo(gateway, source, dest, { to: { delete: true }, filter });
    assertEquals([errors, deleted], [[], 1]);
    assertEquals([...Deno.readDirSync(`${dest}/theirs`)].map(({ name }) => name), ["stays"]);
    assertEquals(modeOf(`${dest}/theirs`), 0o500);
  });
});

testWith(OTHER_USER, "RSync puts files and links into the places of read-only folders", async () => {
  await withOtherUser(async ({ gateway, source, dest }) => {
    assertEquals((await copyTo(gateway, source, dest)).errors, []);
    Deno.writeTextFileSync(`${source}/file`, "text");
    for (const name of ["file", "gone"]) {
      makeTheirs(`${dest}/${name}`, 0o700);
      makeTheirs(`${dest}/${name}/inside`, 0o500, "a");
      Deno.chmodSync(`${dest}/${name}`, 0o500);
    }
    assertEquals((await copyTo(gateway, source, dest, { to: { delete: true } })).errors, []);
    assertEquals(Deno.readTextFileSync(`${dest}/file`), "text");
    assertEquals(exists(`${dest}/gone`), false);
  });
});
