/**
 * What copies are measured with: a source, and targets of each program's own, which begin the same way for all. It is
 * the driver's, so that no program prepares or judges its own work.
 */

import { setTime } from "../helpers/tree.ts";
import { BLOCK_BYTES } from "./util.ts";

/** What is copied: files of 4 KiB in 20 folders, as many as the size says, or one file of so many MiB. */
export type TreeKind = "small" | "big";

/** How the source differs from what a target has: all is new, nothing, one file, one byte, or 1 MiB amid the file. */
export type Change = "all" | "none" | "file" | "byte" | "insert";

/** A scene before it is made. */
export interface ScenePlan {
  tree: TreeKind;
  change: Change;
  targets: number;
}

/** What a program is told: copy this folder to those. */
export interface Copy {
  from: string;
  to: string[];
  /** A folder of the program's own, in which its targets of all rounds are. */
  folder: string;
}

const FOLDERS = 20;
const SMALL_BYTES = 4096;

/** Whole seconds, which every one of the programs keeps exactly. */
const BEFORE_MS: number = Date.UTC(2024, 0, 1);
const NOW_MS: number = Date.UTC(2024, 0, 2);

/** A temporary folder with all of it. */
export class Scene implements AsyncDisposable {
  readonly #folder: string;
  readonly #plan: ScenePlan;
  /** The folder of each program's last targets. */
  readonly #last = new Map<string, string>();

  private constructor(folder: string, plan: ScenePlan) {
    this.#folder = folder;
    this.#plan = plan;
  }

  /** Makes the source, and what targets have of it before. */
  static async make(plan: ScenePlan, size: number): Promise<Scene> {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "bench-" }));
    const scene = new Scene(folder, plan);
    try {
      if (plan.tree === "small") makeSmall(scene.#source, size);
      else makeBig(scene.#source, plan.change === "insert" ? size + 1 : size);
      if (plan.change !== "all") {
        await run("cp", "-a", scene.#source, scene.#before);
        undo(plan.change, scene.#before, size);
      }
      return scene;
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #source(): string {
    return `${this.#folder}/source`;
  }

  get #before(): string {
    return `${this.#folder}/before`;
  }

  /**
   * Makes targets for a program: what they are before each copy. Nothing of that is left for the disk to do later.
   *
   * Those of earlier rounds stay until the end, for where many files were removed, ext4 makes new ones more slowly for
   * minutes: it goes over the inodes of all of them each time. One large file is no such matter, and takes room.
   */
  async prepare(player: string): Promise<Copy> {
    const { tree, change, targets } = this.#plan;
    const folder = `${this.#folder}/${player}`;
    const last = this.#last.get(player);
    if (last === undefined) await makeSpread(folder);
    else if (tree === "big") await run("rm", "-rf", last);
    const round = await Deno.makeTempDir({ dir: folder });
    this.#last.set(player, round);
    const to = Array.from({ length: targets }, (_, i) => `${round}/target${i}`);
    if (change !== "all") {
      for (const target of to) await run("cp", "-a", this.#before, target);
    }
    await run("sync");
    return { from: this.#source, to, folder };
  }

  /** Throws unless every target has what the source has, and nothing else. */
  async check({ from, to }: Copy): Promise<void> {
    for (const target of to) await run("diff", "-rq", from, target);
  }

  /** Removes all of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/**
 * Makes a folder whose subfolders ext4 puts into different parts of the disk by their names, and so hardly where an
 * earlier run's files were removed; see chattr(1), T. Elsewhere there is no such thing.
 */
async function makeSpread(folder: string): Promise<void> {
  await Deno.mkdir(folder);
  await run("chattr", "+T", folder).catch(() => {});
}

function makeSmall(root: string, files: number): void {
  Deno.mkdirSync(root);
  const folders = Array.from({ length: FOLDERS }, (_, i) => `${root}/folder${i}`);
  for (const folder of folders) Deno.mkdirSync(folder);
  const content = new Uint8Array(SMALL_BYTES);
  for (let i = 0; i < files; i++) {
    const path = smallFile(root, i);
    Deno.writeFileSync(path, crypto.getRandomValues(content));
    setTime(path, NOW_MS);
  }
  for (const folder of [...folders, root]) setTime(folder, NOW_MS);
}

function smallFile(root: string, index: number): string {
  return `${root}/folder${index % FOLDERS}/file${index}`;
}

function makeBig(root: string, mib: number): void {
  Deno.mkdirSync(root);
  const path = bigFile(root);
  using file = Deno.openSync(path, { write: true, create: true });
  const block = new Uint8Array(BLOCK_BYTES);
  for (let i = 0; i < mib; i++) {
    for (let at = 0; at < BLOCK_BYTES; at += 65_536) crypto.getRandomValues(block.subarray(at, at + 65_536));
    writeAll(file, block);
  }
  setTime(path, NOW_MS);
  setTime(root, NOW_MS);
}

function bigFile(root: string): string {
  return `${root}/file`;
}

/** Makes a copy of the source what it was before the change; `size` is that of then. */
function undo(change: Change, root: string, size: number): void {
  switch (change) {
    case "all":
    case "none":
      return;
    case "file": {
      const path = smallFile(root, size >> 1);
      Deno.writeFileSync(path, crypto.getRandomValues(new Uint8Array(SMALL_BYTES)));
      return setTime(path, BEFORE_MS);
    }
    case "byte": {
      const path = bigFile(root);
      flipByte(path, size * BLOCK_BYTES >> 1);
      return setTime(path, BEFORE_MS);
    }
    case "insert": {
      const path = bigFile(root);
      takeOut(path, size >> 1);
      return setTime(path, BEFORE_MS);
    }
    default:
      change satisfies never;
  }
}

function flipByte(path: string, at: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(at, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0]! ^= 0xff;
  file.seekSync(at, Deno.SeekMode.Start);
  writeAll(file, byte);
}

/** Takes a block out: all behind it moves forward. */
function takeOut(path: string, block: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const blocks = file.statSync().size / BLOCK_BYTES;
  const bytes = new Uint8Array(BLOCK_BYTES);
  for (let i = block + 1; i < blocks; i++) {
    file.seekSync(i * BLOCK_BYTES, Deno.SeekMode.Start);
    for (let got = 0; got < BLOCK_BYTES;) got += file.readSync(bytes.subarray(got))!;
    file.seekSync((i - 1) * BLOCK_BYTES, Deno.SeekMode.Start);
    writeAll(file, bytes);
  }
  file.truncateSync((blocks - 1) * BLOCK_BYTES);
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

/** Throws with what it prints when it fails. */
async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (success) return;
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  throw new Error(`${command} failed: ${text.trim().slice(0, 500)}`);
}
