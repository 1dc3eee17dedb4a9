/** Follows the list: makes folders and links, removes what is to go, and asks for the files that are needed. */

import { ProtocolError } from "../../channel/errors.ts";
import type { Channel } from "../../channel/channel.ts";
import {
  entryKind,
  isName,
  isTemporary,
  ListKind,
  metaOf,
  modified,
  readMeta,
  unknownRecord,
  WantKind,
} from "../common/messages.ts";
import type { EntryKind, Meta, Setup } from "../common/messages.ts";
import { ByteReader, ByteWriter } from "../common/wire.ts";
import { askFor } from "./ask.ts";
import { makeUsable } from "./folders.ts";
import { Links, linkTarget } from "./links.ts";
import { giveLinkTime, giveMeta } from "./meta.ts";
import type { Parts } from "./parts.ts";
import { removeAllLitter, removeLitter } from "./temporary.ts";
import type { InPlace, Wanted } from "./wanted.ts";

/** A folder of the copy. */
interface Folder {
  /** Where it is. */
  readonly path: string;
  /** The same below the target, empty for the target itself. */
  readonly name: string;
  /** What it is to have at last. */
  readonly meta: Meta;
  /** What it has; undefined when it was made just now, or would have been. */
  readonly had: Meta | undefined;
  /** It could not be made, so that nothing in it can. */
  readonly lost: boolean;
}

/** The folder whose entries come. */
interface Listing {
  readonly folder: Folder;
  /** What is in it and was not named yet. */
  readonly there: Map<string, EntryKind>;
  /** The name that came last: names rise, so that none comes twice. */
  last: string;
  /** Whether it has been or will be changed. */
  touched: boolean;
}

/** What the owner of a folder needs to see what is in it. */
const LOOK_BITS = 0o500;
/** From here on wants are sent though more of the same message may follow. */
const FULL_BYTES = 8 * 1024;

/** Follows one list. */
export class Tree {
  readonly #setup: Setup;
  readonly #parts: Parts;
  readonly #links: Links;
  readonly #writer = new ByteWriter();
  /** Folders that were named and whose entries have not come. */
  readonly #folders = new Map<number, Folder>();
  #nextFolder = 0;
  #nextFile = 0;
  #listing: Listing | undefined;
  #listed = false;
  /** Folders that are given their mode and time at last, those inside of others later. */
  readonly #unfinished: Folder[] = [];
  #same = { files: 0, bytes: 0 };
  /** The name that a single file gets. */
  #singleName: string | undefined;

  /** Follows a list into the target's folder. */
  constructor(parts: Parts) {
    this.#setup = parts.setup;
    this.#parts = parts;
    this.#links = new Links(parts);
  }

  /** Whether the list has ended. */
  get listed(): boolean {
    return this.#listed;
  }

  /** Takes a message of the list. */
  async take(message: unknown): Promise<void> {
    const reader = new ByteReader(message);
    while (!reader.done) {
      if (this.#listed) throw new ProtocolError("Cannot take an entry: the list has ended");
      // Most records need nobody: awaiting each would take longer than they do.
      const waits = this.#record(reader.byte(), reader);
      if (waits !== undefined) await waits;
      if (this.#writer.length >= FULL_BYTES) await this.flush();
    }
    this.#tellSame();
    void this.#parts.report.flush();
    await this.flush();
  }

  /** Sends the wants that were collected. */
  async flush(): Promise<void> {
    if (this.#writer.length === 0) return;
    await this.#wants.send(this.#writer.take());
    await this.#parts.wanted.room();
  }

  /** The list has ended, and all files that can be there are. Gives folders their modes and times. */
  finish(): void {
    if ((this.#listing !== undefined && !this.#setup.single) || this.#folders.size > 0) {
      throw new ProtocolError("Cannot take the end of the list: entries are missing");
    }
    for (const { path, name, meta } of this.#unfinished.reverse()) {
      this.#attempt(name, () => giveMeta(path, meta));
    }
  }

  get #wants(): Channel {
    return this.#setup.data;
  }

  #record(kind: number, reader: ByteReader): Promise<void> | undefined {
    if (kind === ListKind.LAST) {
      this.#listed = true;
      return undefined;
    }
    if (this.#singleName !== undefined && kind !== ListKind.FILE) {
      throw new ProtocolError(`Cannot take a record of kind ${kind}: the source is one file`);
    }
    switch (kind) {
      case ListKind.ROOT_FOLDER:
        this.#root(readMeta(reader));
        return undefined;
      case ListKind.ROOT_FILE:
        this.#rootFile();
        return undefined;
      case ListKind.FOLDER:
        this.#open(reader.number());
        return undefined;
      case ListKind.END:
        return this.#close(reader.byte() === 1);
      case ListKind.FILE:
        return this.#file(this.#name(reader), readMeta(reader), reader.number());
      case ListKind.SUBFOLDER:
        this.#subfolder(this.#name(reader), readMeta(reader));
        return undefined;
      case ListKind.LINK:
        this.#link(this.#name(reader), reader.signed(), reader.byte() === 1, reader.text());
        return undefined;
      case ListKind.KEEP:
        this.#current.there.delete(this.#name(reader));
        return undefined;
      default:
        throw unknownRecord(kind);
    }
  }

  get #current(): Listing {
    if (this.#listing === undefined) throw new ProtocolError("Cannot take an entry: of no folder");
    return this.#listing;
  }

  /** The next name: one that can only mean an entry of this folder, and comes after all that came before. */
  #name(reader: ByteReader): string {
    const name = reader.text();
    const listing = this.#current;
    if (!isName(name)) throw new ProtocolError(`Cannot take an entry named ${JSON.stringify(name)}`);
    if (isTemporary(name)) {
      throw new ProtocolError(`Cannot take an entry named ${name}: that is a name of ours`);
    }
    if (name <= listing.last) {
      throw new ProtocolError(`Cannot take an entry named ${JSON.stringify(name)}: out of order`);
    }
    if (this.#singleName !== undefined && listing.last !== "") {
      throw new ProtocolError(`Cannot take an entry named ${JSON.stringify(name)}: the source is one file`);
    }
    listing.last = name;
    return this.#singleName ?? name;
  }

  // ---- folders ----

  #root(meta: Meta): void {
    this.#first(false);
    const { dest, dryRun } = this.#setup;
    let had: Meta | undefined;
    try {
      const info = Deno.statSync(dest);
      if (!info.isDirectory) throw new Deno.errors.AlreadyExists(`${dest} is there and is no folder`);
      had = metaOf(info);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      if (!dryRun) Deno.mkdirSync(dest, { recursive: true });
    }
    this.#folders.set(this.#nextFolder++, { path: dest, name: "", meta, had, lost: false });
  }

  /** The source is one file, which has the name of the target in the folder of that. */
  #rootFile(): void {
    this.#first(true);
    const { dest, dryRun } = this.#setup;
    const cut = dest.lastIndexOf("/");
    const path = dest.slice(0, cut) || "/";
    const there = new Map<string, EntryKind>();
    this.#singleName = dest.slice(cut + 1);
    try {
      const info = Deno.lstatSync(dest);
      if (info.isDirectory) throw new Deno.errors.AlreadyExists(`${dest} is there and is a folder`);
      there.set(this.#singleName, entryKind(info));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      if (!dryRun) Deno.mkdirSync(path, { recursive: true });
    }
    if (!dryRun) removeAllLitter(path);
    // It has no end: what else is in the folder, and the folder itself, are not touched.
    const meta: Meta = { mode: 0, mtime: 0 };
    const folder: Folder = { path: path === "/" ? "" : path, name: "", meta, had: meta, lost: false };
    this.#listing = { folder, there, last: "", touched: true };
  }

  #first(single: boolean): void {
    if (this.#nextFolder > 0 || this.#listing !== undefined) {
      throw new ProtocolError("Cannot take a second root");
    }
    if (single !== this.#setup.single) throw new ProtocolError("Cannot take a root of the other kind");
  }

  #open(id: number): void {
    const folder = this.#folders.get(id);
    if (this.#listing !== undefined || folder === undefined) {
      throw new ProtocolError(`Cannot take the entries of folder ${id}`);
    }
    this.#folders.delete(id);
    const made = folder.had === undefined;
    const lost = folder.lost || this.#replaced(folder);
    const there = made || lost ? new Map<string, EntryKind>() : this.#read(folder);
    this.#listing = { folder: { ...folder, lost }, there, last: "", touched: made };
  }

  /** Whether another program has put something else, a link maybe, in the place of a folder since it was found or made. */
  #replaced({ path, name, had }: Folder): boolean {
    // The target itself may be a link. In a dry run, what was not found is not there.
    if (name === "" || (had === undefined && this.#setup.dryRun) || lstat(path)?.isDirectory) return false;
    this.#parts.report.problem(name, new Error("it is no folder any more"));
    return true;
  }

  /** What is in a folder. Litter is removed. */
  #read(folder: Folder): Map<string, EntryKind> {
    const there = new Map<string, EntryKind>();
    const { path, name, had } = folder;
    this.#attempt(name, () => {
      // Its owner may not look into it otherwise.
      if (had !== undefined && (had.mode & LOOK_BITS) !== LOOK_BITS && !this.#setup.dryRun) {
        makeUsable(path, had.mode);
        this.#finishLater(folder);
      }
      for (const entry of Deno.readDirSync(path)) {
        if (!isTemporary(entry.name)) there.set(entry.name, entryKind(entry));
        else if (!this.#setup.dryRun && removeLitter(`${path}/${entry.name}`)) this.#finishLater(folder);
      }
    });
    return there;
  }

  async #close(whole: boolean): Promise<void> {
    const listing = this.#current;
    const { folder, there } = listing;
    this.#listing = undefined;
    if (folder.lost) return;
    if (this.#setup.delete && whole && there.size > 0) {
      this.#touch(listing);
      await this.flush();
      await this.#parts.removal.remove(folder, there);
    }
    const { meta, had } = folder;
    if (listing.touched || had?.mode !== meta.mode || had.mtime !== meta.mtime) this.#finishLater(folder);
  }

  #finishLater(folder: Folder): void {
    if (!this.#setup.dryRun) this.#unfinished.push(folder);
  }

  /** Tells that something in this folder will change, and sees to it that it can. */
  #touch(listing: Listing): void {
    if (listing.touched) return;
    listing.touched = true;
    const { path, name, had } = listing.folder;
    // Its own mode comes at last.
    if (had !== undefined && !this.#setup.dryRun) this.#attempt(name, () => makeUsable(path, had.mode));
  }

  #subfolder(name: string, meta: Meta): void {
    const listing = this.#current;
    const path = `${listing.folder.path}/${name}`;
    const below = this.#below(name);
    let had: Meta | undefined;
    let { lost } = listing.folder;
    if (!lost && !this.#attempt(below, () => had = this.#makeFolder(listing, name, path))) lost = true;
    this.#folders.set(this.#nextFolder++, { path, name: below, meta, had, lost });
  }

  #makeFolder(listing: Listing, name: string, path: string): Meta | undefined {
    const inPlace = this.#takeThere(listing, name);
    if (inPlace === "folder") {
      const info = Deno.lstatSync(path);
      if (info.isDirectory) return metaOf(info);
    }
    this.#touch(listing);
    if (this.#setup.dryRun) return undefined;
    if (inPlace !== "nothing") Deno.removeSync(path);
    try {
      Deno.mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      // Another copy may have made it meanwhile.
      const info = lstat(path);
      if (!info?.isDirectory) throw error;
      return metaOf(info);
    }
    return undefined;
  }

  #takeThere({ there }: Listing, name: string): InPlace {
    const inPlace = there.get(name) ?? "nothing";
    there.delete(name);
    return inPlace;
  }

  #below(name: string): string {
    const folder = this.#current.folder.name;
    return folder === "" ? name : `${folder}/${name}`;
  }

  // ---- files ----

  #file(name: string, meta: Meta, size: number): Promise<void> | undefined {
    const listing = this.#current;
    const { folder } = listing;
    const index = this.#nextFile++;
    if (folder.lost) {
      this.#count(size);
      return undefined;
    }
    const path = `${folder.path}/${name}`;
    const inPlace = this.#takeThere(listing, name);
    const info = inPlace === "file" ? lstat(path) : undefined;
    const basis = info?.isFile ? info.size : 0;
    if (info?.isFile && !this.#setup.checksum && basis === size && modified(info) === meta.mtime) {
      if (metaOf(info).mode !== meta.mode && !this.#setup.dryRun) {
        this.#attempt(this.#below(name), () => Deno.chmodSync(path, meta.mode));
      }
      this.#count(size);
      return undefined;
    }
    this.#touch(listing);
    return this.#ask({ index, path, folder: folder.path, inPlace, basis }, size);
  }

  async #ask(wanted: Wanted, size: number): Promise<void> {
    // Wants keep the order of the list.
    this.#tellSame();
    const { dryRun, key } = this.#setup;
    if (!dryRun) this.#parts.wanted.add(wanted);
    if (!await askFor({ ...wanted, size, key }, this.#writer, () => this.flush())) wanted.basis = 0;
  }

  /** Counts a file that needs nothing. */
  #count(size: number): void {
    this.#same.files++;
    this.#same.bytes += size;
  }

  #tellSame(): void {
    const { files, bytes } = this.#same;
    if (files === 0) return;
    this.#writer.byte(WantKind.SAME).number(files).number(bytes);
    this.#same = { files: 0, bytes: 0 };
  }

  // ---- links ----

  #link(entry: string, mtime: number, inside: boolean, target: string): void {
    const listing = this.#current;
    const { path: folder, lost } = listing.folder;
    const inPlace = this.#takeThere(listing, entry);
    if (lost) return;
    if (target === "" || target.includes("\0")) throw new ProtocolError("Cannot take a link to nowhere");
    const { dest, dryRun } = this.#setup;
    // What leads into the source leads into the copy.
    const to = !inside ? target : target === "." ? dest : `${dest}/${target}`;
    const path = `${folder}/${entry}`;
    const name = this.#below(entry);
    if (inPlace !== "link" || linkTarget(path) !== to) {
      this.#touch(listing);
      if (!dryRun) this.#links.make({ path, name, folder, to, mtime, inPlace });
    } else if (!dryRun) {
      this.#attempt(name, () => {
        if (modified(Deno.lstatSync(path)) !== mtime) giveLinkTime(path, mtime);
      });
    }
  }

  /** Does something to an entry. What goes wrong is reported. */
  #attempt(below: string, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      this.#parts.report.problem(below, error);
      return false;
    }
  }
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}
