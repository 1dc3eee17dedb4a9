/**
 * Analyses a folder of text with several sandboxed processes at once: `deno task demo [folder]`. Each process may read
 * that folder and nothing else; the last line shows what happens when one tries.
 */

import { Group, type RemoteError } from "../mod.ts";

const folder = await Deno.realPath(Deno.args[0] ?? new URL("..", import.meta.url));

// Four Deno processes. What they may do is in the spec: read the folder. No network, no environment, no writing.
await using group = await Group.create(Array(4).fill({ popen: true, allowRead: [folder] }));

// This function runs in the first process, and its items are iterated over here.
const paths = group.get(0)!.stream(async function* find(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory && !/^(\.git|node_modules)$/.test(name)) yield* find(path);
    if (isFile && /\.(ts|js|md|txt|json|html|css|py|rst|c|h|rs|go|csv|log)$/.test(name)) yield path;
  }
}, folder);

// This one runs in all four: a process that is free gets the next path.
const analyses = group.map(
  async (path: string) => {
    const text = await Deno.readTextFile(path);
    const words = text.toLowerCase().match(/\p{L}{4,}/gu) ?? [];
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    const lines = text.split("\n").length;
    return { kind: path.match(/\.\w+$/)![0], process: Deno.pid, lines, words: words.length, counts };
  },
  await Array.fromAsync(paths),
  { onProgress: ({ done, total }) => showProgress(done, total!) },
);

const kinds: Record<string, { files: number; lines: number; words: number; processes: Set<number> }> = {};
const frequency = new Map<string, number>();
for await (const { kind, process, lines, words, counts } of analyses) {
  const row = kinds[kind] ??= { files: 0, lines: 0, words: 0, processes: new Set() };
  row.files++, row.lines += lines, row.words += words, row.processes.add(process);
  for (const [word, count] of counts) frequency.set(word, (frequency.get(word) ?? 0) + count);
}

const rows = Object.entries(kinds).sort(([, a], [, b]) => b.lines - a.lines);
console.table(rows.map(([kind, row]) => ({ kind, ...row, processes: row.processes.size })));
const top = [...frequency].sort(([, a], [, b]) => b - a).slice(0, 8);
console.log(`Most frequent words: ${top.map(([word, count]) => `${word} (${count})`).join(", ")}`);

// The sandbox at work: the same process, one step outside its folder.
const reading = group.get(0)!.call(() => Deno.readTextFile("/etc/hostname"));
const refusal = await reading.then((text) => `allowed?! ${text}`, (error: RemoteError) => error.message);
console.log(`\nReading /etc/hostname from gw0: ${refusal}`);
if (refusal.startsWith("allowed")) Deno.exit(1);

function showProgress(done: number, total: number): void {
  if (!Deno.stdout.isTerminal() && done < total) return;
  const bar = "█".repeat(30 * done / total).padEnd(30, "░") + ` ${done}/${total} files`;
  Deno.stdout.writeSync(new TextEncoder().encode(`\r${bar}${done < total ? "" : "\n"}`));
}
