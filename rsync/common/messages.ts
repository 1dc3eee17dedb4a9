/**
 * What the two sides of a copy tell each other, over two channels whose four directions have one purpose each, so that
 * none ever waits for another that waits for it. The channel of list and news serves one copy after the other; that of
 * wants and data is made for each:
 *
 * - the list, to the target: what there is in the source. Folder by folder, names in rising order.
 * - the wants, from the target: files that it needs, with the hashes of what it has; in the order of the list.
 * - the data, to the target: what those files are made of, in the order of the wants.
 * - the news, from the target: what has become of them, and what went wrong.
 *
 * Every message is bytes: records one after the other, each beginning with its kind. Files are meant by their number in
 * the list and folders by theirs (the root is 0), so that neither side can name what the other has not offered.
 */

import { ProtocolError } from "../../channel/errors.ts";
import type { Channel } from "../../channel/channel.ts";
import type { HashKey } from "./block_hash.ts";
import type { ByteReader, ByteWriter } from "./wire.ts";

/** The first item of a copy, to the target: what comes between the list of one copy and the next. */
export interface Setup {
  /** The channel of wants and data. */
  readonly data: Channel;
  /** Where the copy is to be: an absolute path. */
  readonly dest: string;
  /** Whether the source is one file. */
  readonly single: boolean;
  /** Whether what the source does not have is removed. */
  readonly delete: boolean;
  /** Whether the source is asked before that. */
  readonly asks: boolean;
  /** Whether everything stays as it is. */
  readonly dryRun: boolean;
  /** Whether files are compared that seem to be the same. */
  readonly checksum: boolean;
  /** The key of the hashes. */
  readonly key: HashKey;
}

/** Records of the list. */
export const ListKind = {
  /** The source is a folder: its meta data. Or a file, which follows as the only entry. First of all. */
  ROOT_FOLDER: 1,
  ROOT_FILE: 2,
  /** The entries of a folder follow: its number. */
  FOLDER: 3,
  /** They were all: whether the source could be read, so that what was not named is not there. */
  END: 4,
  /** A file: name, meta data, size. */
  FILE: 5,
  /** A folder: name, meta data. It has the next number. */
  SUBFOLDER: 6,
  /** A symbolic link: name, time, whether it leads into the copy, and to where. */
  LINK: 7,
  /** Something that is left alone: name. */
  KEEP: 8,
  /** The list has ended. */
  LAST: 9,
} as const;

/** Records of the wants. */
export const WantKind = {
  /** A file that is to come whole: its number. */
  WHOLE: 1,
  /** A file of which there is an old copy: number, size of that. Its hashes follow. */
  DELTA: 2,
  /** Hashes of blocks of that copy. None: it cannot be read any more. */
  SUMS: 3,
  /** How many files, of how many bytes together, need nothing. */
  SAME: 4,
  /** What the source does not have, in a folder: a number for the answer, the folder's path, names and kinds. */
  ASK: 5,
  /** A file that did not come right: its number. It is to come whole. */
  REDO: 6,
} as const;

/** Records of the data. */
export const DataKind = {
  /** A whole file: number, meta data, content. */
  FILE: 1,
  /** A file begins: number, meta data, size. */
  OPEN: 2,
  /** What follows of its content. */
  LITERAL: 3,
  /** Blocks of the old copy: the first one, how many. */
  COPY: 4,
  /** It ends: its digest, where it is made of an old copy. */
  CLOSE: 5,
  /** It begins anew, because it changed meanwhile. */
  AGAIN: 6,
  /** It does not come: its number. */
  GONE: 7,
  /** The answer to a question: its number, and for each name whether it may go. */
  VERDICT: 8,
} as const;

/** Records of the news. */
export const NewsKind = {
  /** A file is there: its number, whether its content came. */
  DONE: 1,
  /** A file is not there: its number, and why. */
  FAILED: 2,
  /** Something else went wrong: its path below the target, and why. */
  PROBLEM: 3,
  /** So many entries were removed. */
  REMOVED: 4,
  /** Everything has been done. */
  END: 5,
  /** Nothing can be done: why. */
  FATAL: 6,
} as const;

/** What kind of trouble a target has. */
export const Trouble = {
  /** What the text says. */
  OTHER: 0,
  /** The gateway may not read there. */
  READ: 1,
  /** The gateway may not write there. */
  WRITE: 2,
  /** The gateway may neither read nor write there. */
  READ_WRITE: 3,
  /** The gateway may not make symbolic links. */
  LINKS: 4,
} as const;

/** One of {@linkcode Trouble}. */
export type TroubleKind = typeof Trouble[keyof typeof Trouble];

/** What entries of a folder are told to be. */
export type EntryKind = "file" | "folder" | "link" | "special";

/** The kinds of entries, each by its number. */
export const ENTRY_KINDS: readonly EntryKind[] = ["file", "folder", "link", "special"];

/** What an entry is. */
export function entryKind({ isFile, isDirectory, isSymlink }: Omit<Deno.DirEntry, "name">): EntryKind {
  return isFile ? "file" : isDirectory ? "folder" : isSymlink ? "link" : "special";
}

/** The first byte of a message of data: whether the rest is compressed, and then its length when it is not. */
export const Packing = { PLAIN: 0, DEFLATED: 1 } as const;

/** No message is longer, compressed or not. */
export const MAX_MESSAGE_BYTES: number = 1024 * 1024;

/** No path of the news is longer, and no text that says what went wrong. */
export const MAX_TEXT_CHARS = 4096;

/** What is kept of an entry besides its content. */
export interface Meta {
  /** The permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  /** When it was modified: milliseconds since 1970. */
  readonly mtime: number;
}

/** When something was modified. Some file systems have times that no Date can be: these become 0, like none. */
export function modified({ mtime }: Deno.FileInfo): number {
  return mtime?.getTime() || 0;
}

/** The bits that are copied. */
export const MODE_BITS = 0o7777;

/** What is kept of an entry that was looked at. */
export function metaOf(info: Deno.FileInfo): Meta {
  return { mode: (info.mode ?? 0o644) & MODE_BITS, mtime: modified(info) };
}

/** Writes meta data. */
export function writeMeta(writer: ByteWriter, { mode, mtime }: Meta): void {
  writer.number(mode).signed(mtime);
}

/** Reads meta data. */
export function readMeta(reader: ByteReader): Meta {
  const mode = reader.number();
  if (mode > MODE_BITS) throw new ProtocolError(`Cannot take a mode of ${mode}`);
  return { mode, mtime: reader.signed() };
}

/** Whether nothing but an entry of a folder can have this name. */
export function isName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
}

/** How the names of files begin that targets are writing. No entry that is copied has such a name. */
export const TEMPORARY_PREFIX = ".execnet-rsync-";

/** Whether a name may be that of a file which a target was writing. */
export function isTemporary(name: string): boolean {
  return name.startsWith(TEMPORARY_PREFIX);
}

/** The error for a record of a kind that is not known. */
export function unknownRecord(kind: number): ProtocolError {
  return new ProtocolError(`Cannot take a record of kind ${kind}`);
}
