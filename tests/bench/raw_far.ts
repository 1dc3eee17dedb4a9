/** The far side of a link with no library. Usage: `raw_far.ts MODE [SOCKET]`; without a socket, stdin and stdout. */

import { socketLink } from "./raw_link.ts";
import type { Link } from "./raw_link.ts";
import { BLOCK_BYTES, expectBlock, markBlock } from "./util.ts";

/** What the far side does: echo a byte, by itself or in a Worker; send blocks; take blocks. */
export type FarMode = "echo" | "echo-worker" | "blocks" | "take-blocks";

async function echo(link: Link): Promise<void> {
  while (true) {
    const bytes = await link.readExactly(1);
    if (bytes === undefined) return;
    await link.write(bytes as Uint8Array<ArrayBuffer>);
  }
}

async function echoInWorker(link: Link): Promise<void> {
  const source = "onmessage = ({ data }) => postMessage(data, [data.buffer])";
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = ({ data }) => link.write(data).catch(() => Deno.exit(0));
  while (true) {
    const bytes = await link.readExactly(1);
    if (bytes === undefined) return worker.terminate();
    worker.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
  }
}

async function readCount(link: Link): Promise<number | undefined> {
  const bytes = await link.readExactly(4);
  return bytes === undefined ? undefined : new Uint32Array(bytes.buffer)[0];
}

async function sendBlocks(link: Link): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES);
  while (true) {
    const count = await readCount(link);
    if (count === undefined) return;
    for (let i = 0; i < count; i++) {
      markBlock(block, i);
      await link.write(block);
    }
  }
}

async function takeBlocks(link: Link): Promise<void> {
  while (true) {
    const count = await readCount(link);
    if (count === undefined) return;
    for (let i = 0; i < count; i++) expectBlock(await link.readExactly(BLOCK_BYTES), i);
    await link.write(Uint8Array.of(1));
  }
}

const MODES: Record<FarMode, (link: Link) => Promise<void>> = {
  echo,
  "echo-worker": echoInWorker,
  blocks: sendBlocks,
  "take-blocks": takeBlocks,
};

if (import.meta.main) {
  const [mode, path] = Deno.args as [FarMode, string?];
  const link = path === undefined
    ? socketLink({ read: (into) => Deno.stdin.read(into), write: (bytes) => Deno.stdout.write(bytes) })
    : socketLink(await Deno.connect({ transport: "unix", path }));
  await MODES[mode](link);
  Deno.exit(0);
}
