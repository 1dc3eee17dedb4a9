/** Counts the words of this repository's documentation in parallel, in order, and with progress. */

import { Group } from "../mod.ts";

const root = `${import.meta.dirname}/..`;
const paths = ["", "docs/", "channel/"].flatMap((folder) =>
  [...Deno.readDirSync(`${root}/${folder}`)].map(({ name }) => folder + name)
).filter((path) => path.endsWith(".md")).sort();

// Three processes that may read this repository and do nothing else.
await using group = await Group.create(Array(3).fill({ popen: true, chdir: root, allowRead: ["."] }));

const counts = group.map(
  async (path: string) => ({ path, words: (await Deno.readTextFile(path)).match(/\S+/g)?.length ?? 0 }),
  paths,
  { ordered: true, onProgress: ({ done, total }) => console.log(`${done} of ${total} files`) },
);

let sum = 0;
for await (const { path, words } of counts) {
  console.log(`${path.padEnd(24)} ${words}`);
  sum += words;
}
console.log(`${"all".padEnd(24)} ${sum}`);
