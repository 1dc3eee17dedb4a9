/** Walks over the source once, and makes the list that all targets get. */

import { isName, isTemporary, ListKind, metaOf, writeMeta } from "./common/messages.ts";
import type { Meta } from "./common/messages.ts";
import { ByteWriter } from "./common/wire.ts";
import { isInside } from "./overlap.ts";
import { passes } from "./filter.ts";
import type { Filter } from "./filter.ts";
import { normalize } from "./paths.ts";
import { Slices } from "./slices.ts";

/** What is done with symbolic links. */
export type LinkPolicy = "rewrite" | "keep" | "follow";

/** A file that was found. */
export interface SourceFile extends Meta {
  /** Its number in the list. */
  readonly index: number;
  /** Where it is. */
  readonly path: string;
  /** The same below the source. */
  readonly name: string;
  /** Its length in bytes. */
  readonly size: number;
}

/** A part of the list. */
export interface Batch {
  /** Its records. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The files among them. */
  readonly files: readonly SourceFile[];
  /** How many bytes these have together. */
  readonly size: number;
}

/** How a source is walked over. */
export interface WalkOptions {
  /** Says what is copied: false leaves an entry out, with all that is in it. */
  readonly filter: Filter | undefined;
  /** What is done with symbolic links. */
  readonly links: LinkPolicy;
  /** Whether what is left out is named, so that targets leave it alone. */
  readonly keep: boolean;
  /** Real paths of folders that are not gone into. Targets may add themselves before they write. */
  readonly avoided?: ReadonlySet<string>;
  /** Is told of what cannot be copied. */
  readonly problem: (error: Error) => void;
}

/** A part of the list has so many entries at the most; the first ones have less, so that targets have something to do. */
const MOST_ENTRIES = 128;
const FIRST_ENTRIES = 32;

/** A folder that is being walked over, with those that it is in. */
interface Place {
  readonly path: string;
  readonly name: string;
  readonly id: number;
  /** Known where links are followed, which may lead back. */
  readonly identity: string;
  readonly parent: Place | undefined;
}

/**
 * Walks over a source once.
 *
 * @param root its absolute path
 * @throws {Deno.errors.NotFound} when there is nothing
 */
export async function* walk(root: string, options: WalkOptions): AsyncGenerator<Batch, void> {
  const walker = new Walker(root, options);
  const slices = new Slices();
  for (const _ of walker.steps()) {
    const { over } = slices;
    if (!over && !walker.full) continue;
    const batch = walker.take();
    if (batch !== undefined) yield batch;
    if (over) await slices.rest();
  }
  const rest = walker.take();
  if (rest !== undefined) yield rest;
}

class Walker {
  readonly #root: string;
  readonly #options: WalkOptions;
  /** Other names of the root, for links that lead into it. */
  readonly #roots: string[];
  readonly #writer = new ByteWriter();
  #files: SourceFile[] = [];
  #size = 0;
  #entries = 0;
  #most = FIRST_ENTRIES;
  #nextFile = 0;
  #nextFolder = 0;

  constructor(root: string, options: WalkOptions) {
    this.#root = root;
    this.#options = options;
    this.#roots = [...new Set([root, Deno.realPathSync(root)])];
  }

  /** Whether there is enough for a part of the list. */
  get full(): boolean {
    return this.#entries >= this.#most;
  }

  take(): Batch | undefined {
    if (this.#writer.length === 0) return undefined;
    const batch = { bytes: this.#writer.take(), files: this.#files, size: this.#size };
    this.#files = [];
    this.#size = 0;
    this.#entries = 0;
    this.#most = Math.min(MOST_ENTRIES, this.#most * 2);
    return batch;
  }

  /** Each step writes an entry. */
  *steps(): Generator<void> {
    const info = Deno.statSync(this.#root);
    if (info.isFile) {
      this.#writer.byte(ListKind.ROOT_FILE);
      this.#file(this.#root.slice(this.#root.lastIndexOf("/") + 1), this.#root, "", info);
      return yield;
    }
    if (!info.isDirectory) {
      throw new TypeError(`Cannot copy ${this.#root}: it is neither a folder nor a file`);
    }
    this.#writer.byte(ListKind.ROOT_FOLDER);
    writeMeta(this.#writer, metaOf(info));
    const root: Place = {
      path: this.#root,
      name: "",
      id: this.#nextFolder++,
      identity: identityOf(info),
      parent: undefined,
    };
    // What comes last is walked over first, so that no more folders wait than are beside the way down.
    const places = [root];
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      const inside: Place[] = [];
      yield* this.#folder(place, inside);
      places.push(...inside.reverse());
    }
  }

  *#folder(place: Place, inside: Place[]): Generator<void> {
    this.#writer.byte(ListKind.FOLDER).number(place.id);
    let entries: Deno.DirEntry[] = [];
    let whole = true;
    try {
      if (this.#avoids(place.path)) whole = false;
      else entries = [...Deno.readDirSync(place.path)];
    } catch (error) {
      this.#trouble(place.name, error);
      whole = false;
    }
    entries.sort((a, b) => a.name < b.name ? -1 : 1);
    let last: string | undefined;
    for (const entry of entries) {
      // Deno reads all names as UTF-8, so that two may look the same.
      if (entry.name !== last) this.#entry(place, entry, inside);
      else this.#trouble(join(place.name, entry.name), new Error(NO_UTF8));
      last = entry.name;
      this.#entries++;
      yield;
    }
    this.#writer.byte(ListKind.END).byte(whole ? 1 : 0);
  }

  /** Whether a folder is one of those that are not gone into, or inside of one. */
  #avoids(path: string): boolean {
    const { avoided } = this.#options;
    if (avoided === undefined || avoided.size === 0) return false;
    const real = Deno.realPathSync(path);
    return [...avoided].some((folder) => real === folder || isInside(real, folder));
  }

  #entry(place: Place, entry: Deno.DirEntry, inside: Place[]): void {
    const path = `${place.path === "/" ? "" : place.path}/${entry.name}`;
    const name = join(place.name, entry.name);
    const { filter, links } = this.#options;
    if (filter !== undefined && !passes(filter, path, entry)) {
      this.#leave(entry.name);
      return;
    }
    try {
      if (isTemporary(entry.name)) throw new Error("its name is one of those that copies use for a while");
      let info = this.#look(path);
      // It has gone since the folder was read.
      if (info === undefined) return;
      if (info.isSymlink && links === "follow") info = this.#follow(path);
      if (info.isSymlink) return this.#link(entry.name, path, info);
      if (info.isFile) return this.#file(entry.name, path, name, info);
      if (info.isDirectory) {
        inside.push(this.#subfolder(place, { path, name, entry: entry.name, info }));
        return;
      }
      throw new Error("it is neither a file, a folder nor a symbolic link");
    } catch (error) {
      this.#trouble(name, error);
      this.#leave(entry.name);
    }
  }

  #look(path: string): Deno.FileInfo | undefined {
    try {
      return Deno.lstatSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // Names are bytes; those that are no text cannot be found again.
      if (path.includes("\ufffd")) throw new Error(NO_UTF8);
      return undefined;
    }
  }

  #follow(path: string): Deno.FileInfo {
    try {
      return Deno.statSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new Deno.errors.NotFound("it is a symbolic link that leads nowhere");
    }
  }

  /** What is not copied stays as it is on targets that remove what there is not. What they write is their own affair. */
  #leave(name: string): void {
    if (this.#options.keep && isName(name) && !isTemporary(name)) this.#writer.byte(ListKind.KEEP).text(name);
  }

  #file(name: string, path: string, below: string, info: Deno.FileInfo): void {
    const { size } = info;
    const meta = metaOf(info);
    this.#writer.byte(ListKind.FILE).text(name);
    writeMeta(this.#writer, meta);
    this.#writer.number(size);
    this.#files.push({ index: this.#nextFile++, path, name: below || name, size, ...meta });
    this.#size += size;
  }

  #subfolder(
    parent: Place,
    { path, name, entry, info }: { path: string; name: string; entry: string; info: Deno.FileInfo },
  ): Place {
    const identity = identityOf(info);
    if (this.#options.links === "follow") {
      for (let place: Place | undefined = parent; place !== undefined; place = place.parent) {
        if (place.identity === identity) {
          throw new Error("it is a symbolic link that leads to a folder around it");
        }
      }
    }
    this.#writer.byte(ListKind.SUBFOLDER).text(entry);
    writeMeta(this.#writer, metaOf(info));
    return { path, name, id: this.#nextFolder++, identity, parent };
  }

  #link(name: string, path: string, info: Deno.FileInfo): void {
    const target = Deno.readLinkSync(path);
    const inside = this.#options.links === "rewrite" ? this.#inside(target) : undefined;
    this.#writer.byte(ListKind.LINK).text(name).signed(metaOf(info).mtime);
    this.#writer.byte(inside === undefined ? 0 : 1).text(inside ?? target);
  }

  /** An absolute path into the source, from there on. Whatever is relative leads to the same place in the copy anyway. */
  #inside(target: string): string | undefined {
    if (!target.startsWith("/")) return undefined;
    const path = normalize(target);
    for (const root of this.#roots) {
      if (path === root) return ".";
      if (path.startsWith(`${root}/`)) return path.slice(root.length + 1);
    }
    return undefined;
  }

  #trouble(name: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const shown = name === "" ? this.#root : join(this.#root, name);
    this.#options.problem(new Error(`Cannot copy ${JSON.stringify(shown)}: ${text}`, { cause: error }));
  }
}

const NO_UTF8 = "its name is not UTF-8, which Deno cannot name";

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function identityOf({ dev, ino }: Deno.FileInfo): string {
  return `${dev}:${ino}`;
}
