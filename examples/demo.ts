/**
 * Analyses a folder of text with several sandboxed processes at once.
 *
 *     deno task demo [folder]
 *
 * Each process may read that folder and nothing else; the last lines show what happens when one tries.
 */

import { type Gateway, Group, type RemoteError } from "../mod.ts";

const folder = await Deno.realPath(Deno.args[0] ?? new URL("..", import.meta.url));
const textFiles = await findTextFiles(folder);

// Four Deno processes. What they may do is in the spec: read the folder. No network, no environment, no writing.
await using group = await Group.create(Array(4).fill({ popen: true, allowRead: [folder] }));

// This text runs over there: it receives paths and sends back what it counted.
const analyse = `
  for await (const path of channel) {
    const text: string = await Deno.readTextFile(path);
    const words = text.toLowerCase().match(/\\p{L}{4,}/gu) ?? [];
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    await channel.send({ path, lines: text.split("\\n").length, words: words.length, counts });
  }`;

interface Result {
  path: string;
  lines: number;
  words: number;
  counts: Map<string, number>;
}

const queue = [...textFiles];
const byKind = new Map<string, { files: number; lines: number; words: number; gateways: Set<string> }>();
const allWords = new Map<string, number>();
let done = 0;

async function work(gateway: Gateway): Promise<void> {
  await using channel = gateway.remoteExec(analyse);
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    await channel.send(path);
    const { lines, words, counts } = await channel.receive() as unknown as Result;
    const kind = path.match(/\.\w+$/)?.[0] ?? "(none)";
    const row = byKind.get(kind) ?? { files: 0, lines: 0, words: 0, gateways: new Set() };
    byKind.set(kind, row);
    row.files++, row.lines += lines, row.words += words, row.gateways.add(gateway.id);
    for (const [word, count] of counts) allWords.set(word, (allWords.get(word) ?? 0) + count);
    showProgress(++done, textFiles.length);
  }
}
await Promise.all([...group].map(work));

console.table(
  [...byKind].sort(([, a], [, b]) => b.lines - a.lines)
    .map(([kind, { gateways, ...row }]) => ({ kind, ...row, gateways: [...gateways].sort().join(" ") })),
);
const top = [...allWords].sort(([, a], [, b]) => b - a).slice(0, 8);
console.log(`Most frequent words: ${top.map(([word, count]) => `${word} (${count})`).join(", ")}`);

// The sandbox at work: the same process, one step outside its folder.
const outside = group.get(0)!.remoteExec(`channel.send(await Deno.readTextFile("/etc/hostname"))`);
const refused = await outside.receive().then(
  (text) => `allowed?! ${text}`,
  (error: RemoteError) => error.message,
);
console.log(`\nReading /etc/hostname from ${group.get(0)!.id}: ${refused}`);
if (refused.startsWith("allowed")) Deno.exit(1);

async function findTextFiles(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(path)) {
    if (isDirectory && !/^(\.git|node_modules)$/.test(name)) {
      found.push(...await findTextFiles(`${path}/${name}`));
    }
    if (isFile && /\.(ts|js|md|txt|json|html|css|py|rst|c|h|rs|go|csv|log)$/.test(name)) {
      found.push(`${path}/${name}`);
    }
  }
  return found.sort();
}

function showProgress(count: number, total: number): void {
  if (!Deno.stdout.isTerminal() && count < total) return;
  const bar = "█".repeat(Math.round(30 * count / total)).padEnd(30, "░");
  Deno.stdout.writeSync(
    new TextEncoder().encode(`\r${bar} ${count}/${total} files${count === total ? "\n" : ""}`),
  );
}
