/** Brings a folder to several processes, and then what has changed in it; each may touch its own copy only. */

import { Group, RSync } from "../mod.ts";

const folder = await Deno.makeTempDir();
const copies = ["one", "two", "three"].map((name) => `${folder}/${name}`);
await using group = await Group.create(
  copies.map((copy) => ({ popen: true, allowRead: [copy], allowWrite: [copy] })),
);

async function copy(): Promise<void> {
  const rsync = new RSync(new URL("../docs", import.meta.url), {
    filter: (path) => path.endsWith(".md"),
  });
  for (const [i, gateway] of [...group].entries()) rsync.addTarget(gateway, copies[i]!, { delete: true });
  for (const { gateway, files, transferred, deleted, errors } of await rsync.send()) {
    console.log(
      `${gateway.id}: ${files} files, ${transferred} sent, ${deleted} removed, ${errors.length} errors`,
    );
  }
}

await copy();
await Deno.writeTextFile(`${copies[1]}/rsync.md`, "changed");
await Deno.writeTextFile(`${copies[2]}/notes.md`, "nobody asked for these");
console.log("Once more:");
await copy();

await group.terminate();
await Deno.remove(folder, { recursive: true });
