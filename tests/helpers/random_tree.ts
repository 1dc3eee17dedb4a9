/** Random folders of files, and random changes to them. */

import { lutimesSync } from "node:fs";
import { exists } from "./folder.ts";
import type { Random } from "./seeded.ts";
import { setTime } from "./tree.ts";

const NAMES = [
  "a",
  "b",
  "c.txt",
  "long-name-of-a-file.data",
  "with blank",
  "quote'\"",
  "new\nline",
  "uml\u00e4ut",
  "\u{1f600}",
  ".hidden",
  "-dash",
  "per%2Fcent",
  "back\\slash",
];
const FILE_MODES = [0o644, 0o600, 0o755, 0o400, 0o444, 0o666, 0o4755, 0o640];
const FOLDER_MODES = [0o755, 0o700, 0o555, 0o2775, 0o1777, 0o500];
const MOST_DEPTH = 4;

/** A folder of files that changes at random. Nothing in it ever keeps its time when it changes. */
export class RandomTree {
  readonly root: string;
  readonly #random: Random;
  #now = Date.UTC(2020, 0, 1);

  /** Makes a folder at `root` with something in it. */
  constructor(root: string, random: Random) {
    this.root = root;
    this.#random = random;
    Deno.mkdirSync(root);
    this.#fill(root, 0);
    this.#settle(root);
  }

  /** Changes something. */
  change(): void {
    const changes = this.#random.between(1, 5);
    for (let i = 0; i < changes; i++) this.#changeOne();
  }

  /** Milliseconds that were not yet used; often before 1970 or with a fraction of a second. */
  #time(): number {
    this.#now += 1000 + this.#random.below(100_000_000);
    return this.#random.chance(0.05) ? -this.#now : this.#now;
  }

  /** Gives a folder a mode and a time, after all that changes these. */
  #settle(path: string): void {
    Deno.chmodSync(path, this.#random.pick(FOLDER_MODES));
    setTime(path, this.#time());
  }

  #fill(folder: string, depth: number): void {
    const count = this.#random.below(depth === 0 ? 9 : 5);
    for (let i = 0; i < count; i++) this.#make(`${folder}/${this.#random.pick(NAMES)}`, depth);
  }

  #make(path: string, depth: number): void {
    const random = this.#random;
    if (exists(path)) return;
    const kind = random.next();
    if (kind < 0.6) {
      Deno.writeFileSync(path, this.#content());
      Deno.chmodSync(path, random.pick(FILE_MODES));
      setTime(path, this.#time());
    } else if (kind < 0.85 && depth < MOST_DEPTH) {
      Deno.mkdirSync(path);
      this.#fill(path, depth + 1);
      this.#settle(path);
    } else {
      const to = random.pick(["a", "../a", "nowhere", "/etc/hostname", ".", `${this.root}/a`, "b/c/../d"]);
      Deno.symlinkSync(to, path);
      // Before 1970 Deno gives links whole seconds only.
      const time = new Date(Math.floor(this.#time() / 1000) * 1000);
      lutimesSync(path, time, time);
    }
  }

  /** Often short, sometimes of many blocks; now and then the same over and over. */
  #content(): Uint8Array {
    const random = this.#random;
    const size = random.chance(0.1) ? 0 : Math.floor(200_000 * random.next() ** 6) + random.below(700);
    return random.chance(0.2) ? new Uint8Array(size).fill(random.below(3)) : random.bytes(size);
  }

  #changeOne(): void {
    const random = this.#random;
    const entries = [...this.#entries(this.root)];
    if (entries.length === 0 || random.chance(0.2)) {
      const folders = [
        this.root,
        ...entries.filter(({ isDirectory }) => isDirectory).map(({ path }) => path),
      ];
      const folder = random.pick(folders);
      this.#make(`${folder}/${random.pick(NAMES)}`, folder.split("/").length - this.root.split("/").length);
      this.#settle(folder);
      return;
    }
    const { path, isFile, isDirectory } = random.pick(entries);
    const folder = path.slice(0, path.lastIndexOf("/"));
    const kind = random.next();
    if (kind < 0.2) {
      Deno.removeSync(path, { recursive: true });
      this.#settle(folder);
    } else if (kind < 0.35) {
      // Something else takes its place.
      Deno.removeSync(path, { recursive: true });
      this.#make(path, MOST_DEPTH - 1);
      this.#settle(folder);
    } else if (isFile && kind < 0.8) {
      Deno.writeFileSync(path, this.#edited(Deno.readFileSync(path)));
      setTime(path, this.#time());
    } else if (isFile && kind < 0.9) {
      Deno.chmodSync(path, random.pick(FILE_MODES));
      if (random.chance(0.5)) setTime(path, this.#time());
    } else if (isDirectory) {
      this.#settle(path);
    }
  }

  /** A part of it changed, put in, taken out or put elsewhere. */
  #edited(old: Uint8Array): Uint8Array {
    const random = this.#random;
    const at = random.below(old.length + 1);
    const length = random.below(Math.min(5000, old.length - at + 1));
    const [before, part, after] = [
      old.subarray(0, at),
      old.subarray(at, at + length),
      old.subarray(at + length),
    ];
    return concat(
      random.pick([
        [before, random.bytes(length), after],
        [before, random.bytes(random.below(3000)), part, after],
        [before, after],
        [after, before, part],
        [part, old],
        [random.bytes(random.below(2000))],
      ]),
    );
  }

  *#entries(folder: string): Generator<{ path: string; isFile: boolean; isDirectory: boolean }> {
    for (const { name, isFile, isDirectory } of [...Deno.readDirSync(folder)].sort(byName)) {
      const path = `${folder}/${name}`;
      yield { path, isFile, isDirectory };
      if (isDirectory) yield* this.#entries(path);
    }
  }
}

function byName(a: Deno.DirEntry, b: Deno.DirEntry): number {
  return a.name < b.name ? -1 : 1;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
