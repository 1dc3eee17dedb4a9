/** Measures plain ssh: how a command starts over there, and what passes through it. Run as a part of raw.ts. */

import { sshAlias, sshConfig } from "./far_host.ts";
import type { SshWay } from "./far_host.ts";
import type { Figures, Task } from "./player.ts";
import { streamLink, timeEcho } from "./raw_link.ts";
import type { Link } from "./raw_link.ts";
import { BLOCK_BYTES, expect, expectBlock, markBlock } from "./util.ts";

/** Blocks in the file that is sent over and over. */
const FILE_BLOCKS = 16;

/** A link whose input ends. */
interface SshLink extends Link {
  close(): Promise<void>;
}

function spawn(way: SshWay, command: string): Deno.ChildProcess {
  return new Deno.Command("ssh", {
    args: ["-T", "-o", "BatchMode=yes", "-F", sshConfig(way), sshAlias(), command],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}

/** A command over there, whose stdin and stdout are a link. */
function linkTo(command: string): SshLink {
  const child = spawn("fresh", command);
  const writer = child.stdin.getWriter();
  return { ...streamLink(writer, child.stdout), close: () => writer.close() };
}

/** Milliseconds that a command takes over there; `kind` is the way and then the command: `true`, or Deno. */
export async function startOverSsh(script: string, { kind, size }: Task): Promise<Figures> {
  const [way = "", program] = kind.split("+");
  const command = program === "true" ? "true" : `exec deno run --quiet --no-config --no-lock ${script}`;
  let total = 0;
  for (let i = 0; i < size; i++) {
    const began = performance.now();
    const child = spawn(way as SshWay, command);
    await child.stdin.close();
    if (program === "true") {
      const { success } = await child.output();
      total += performance.now() - began;
      expect(success, true, "the command");
      continue;
    }
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    total += performance.now() - began;
    expect(value?.[0], 1, "the first byte");
    await reader.cancel();
    await child.status;
  }
  return { ready: total / size, first: total / size };
}

let echo: Link | undefined;

/** Microseconds for a byte through `cat` over there and back. */
export async function pingSsh({ size }: Task): Promise<number> {
  return await timeEcho(echo ??= linkTo("exec cat"), size);
}

/** Blocks a second that `cat` reads from a file over there. */
export async function bulkSshIn(folder: string, { size }: Task): Promise<number> {
  const file = `${folder}/blocks`;
  const bytes = new Uint8Array(FILE_BLOCKS * BLOCK_BYTES);
  for (let i = 0; i < FILE_BLOCKS; i++) {
    markBlock(bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES), i);
  }
  await Deno.writeFile(file, bytes);
  const files = Array(Math.ceil(size / FILE_BLOCKS)).fill(file).join(" ");
  const link = linkTo(`echo;read -r x;exec cat ${files}`);
  expect((await link.readExactly(1))?.length, 1, "the beginning");
  const began = performance.now();
  await link.write(new TextEncoder().encode("\n"));
  for (let i = 0; i < size; i++) expectBlock(await link.readExactly(BLOCK_BYTES), i);
  const rate = size * 1000 / (performance.now() - began);
  for (let i = size; i % FILE_BLOCKS !== 0; i++) await link.readExactly(BLOCK_BYTES);
  return rate;
}

/** Blocks a second that a program over there takes through `cat`, and counts. */
export async function bulkSshOut({ size }: Task): Promise<number> {
  const link = linkTo("echo;cat|wc -c");
  expect((await link.readExactly(1))?.length, 1, "the beginning");
  const block = new Uint8Array(BLOCK_BYTES);
  const count = `${size * BLOCK_BYTES}\n`;
  const began = performance.now();
  for (let i = 0; i < size; i++) {
    markBlock(block, i);
    await link.write(block);
  }
  await link.close();
  expect(new TextDecoder().decode(await link.readExactly(count.length)), count, "the bytes that arrived");
  return size * 1000 / (performance.now() - began);
}
