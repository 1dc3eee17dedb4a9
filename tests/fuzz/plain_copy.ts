/** Plain twins of what the target of a copy takes: whether a list, or the data of files, is one, and nothing else. */

import { blockBytes } from "../../rsync/common/blocks.ts";
import { DataKind, ListKind, Packing } from "../../rsync/common/messages.ts";
import { plainByte, plainBytes, plainNumber, plainSigned, plainText } from "./plain_wire.ts";
import type { Read } from "./plain_wire.ts";

/** What comes is none. */
class Refused extends Error {}

/** Records in one message, one after the other. */
class Records {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#read(plainByte) as number;
  }

  number(): number {
    return this.#read(plainNumber) as number;
  }

  signed(): number {
    return this.#read(plainSigned) as number;
  }

  bytes(): Uint8Array {
    return this.#read(plainBytes) as Uint8Array;
  }

  text(): string {
    return this.#read(plainText) as string;
  }

  /** A mode and a time. */
  meta(): void {
    refuse(this.number() > 0o7777);
    this.signed();
  }

  #read(plain: (bytes: Uint8Array, at: number) => Read): unknown {
    const read = plain(this.#bytes, this.#at);
    if (read === undefined) throw new Refused();
    this.#at = read.next;
    return read.value;
  }
}

function refuse(wrong: boolean): void {
  if (wrong) throw new Refused();
}

/** The outcome of what may be refused. */
function outcome<T>(read: () => T): T | "refused" {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused) return "refused";
    throw error;
  }
}

/** What a list is: refused, or how many files it names and whether it has ended. */
export type PlainList = { readonly files: number; readonly ended: boolean } | "refused";

/** Follows a list of a folder, or of a single file, where nothing is in place. */
export function plainList(messages: readonly Uint8Array[], single: boolean): PlainList {
  return outcome(() => {
    const folders = new Set<number>();
    let named = 0;
    let files = 0;
    let root = false;
    /** The name that came last in the folder whose entries come. */
    let last: string | undefined;
    let ended = false;
    const name = (records: Records): void => {
      const text = records.text();
      refuse(last === undefined || text <= last || [".", ".."].includes(text));
      refuse(text.includes("/") || text.includes("\0") || text.startsWith(".execnet-rsync-"));
      refuse(single && root && last !== "");
      last = text;
    };
    for (const message of messages) {
      if (ended) break;
      for (const records = new Records(message); !records.done;) {
        refuse(ended);
        const kind = records.byte();
        refuse(single && root && kind !== ListKind.FILE && kind !== ListKind.LAST);
        if (kind === ListKind.LAST) ended = true;
        else if (kind === ListKind.ROOT_FOLDER) {
          records.meta();
          refuse(root || single);
          root = true;
          folders.add(named++);
        } else if (kind === ListKind.ROOT_FILE) {
          refuse(root || !single);
          root = true;
          last = "";
        } else if (kind === ListKind.FOLDER) {
          refuse(last !== undefined || !folders.delete(records.number()));
          last = "";
        } else if (kind === ListKind.END) {
          records.byte();
          refuse(last === undefined);
          last = undefined;
        } else if (kind === ListKind.FILE) {
          name(records);
          records.meta();
          records.number();
          files++;
        } else if (kind === ListKind.SUBFOLDER) {
          name(records);
          records.meta();
          folders.add(named++);
        } else if (kind === ListKind.LINK) {
          name(records);
          records.signed();
          records.byte();
          const to = records.text();
          refuse(to === "" || to.includes("\0"));
        } else {
          refuse(kind !== ListKind.KEEP);
          name(records);
        }
      }
    }
    refuse(ended && (last !== undefined && !single || folders.size > 0));
    return { files, ended };
  });
}

/** A file that was asked for. */
export interface PlainWanted {
  /** Bytes of its old copy. */
  readonly basis: number;
  /** Whether it can be written. */
  readonly writable: boolean;
}

/** Whether data are those of files that were asked for; undefined where only a digest or the time can tell. */
export function plainData(
  messages: readonly Uint8Array[],
  files: ReadonlyMap<number, PlainWanted>,
): "taken" | "refused" | undefined {
  const wanted = new Map(files);
  return outcome(() => {
    let open: { index: number; file: PlainWanted; size: number; got: number } | undefined;
    const find = (index: number): PlainWanted => {
      const file = wanted.get(index);
      if (file === undefined) throw new Refused();
      return file;
    };
    const current = (): NonNullable<typeof open> => {
      if (open === undefined) throw new Refused();
      return open;
    };
    const add = (length: number): void => {
      const one = current();
      one.got += length;
      refuse(one.got > one.size);
    };
    for (const message of messages) {
      const packing = plainByte(message, 0)?.value;
      if (packing === Packing.DEFLATED) return undefined;
      refuse(packing !== Packing.PLAIN);
      for (const records = new Records(message, 1); !records.done;) {
        const kind = records.byte();
        if (kind === DataKind.FILE) {
          refuse(open !== undefined);
          const index = records.number();
          const { basis } = find(index);
          records.meta();
          records.bytes();
          if (basis > 0) return undefined;
          wanted.delete(index);
        } else if (kind === DataKind.OPEN) {
          refuse(open !== undefined);
          const index = records.number();
          const file = find(index);
          records.meta();
          open = { index, file, size: records.number(), got: 0 };
        } else if (kind === DataKind.LITERAL) {
          current();
          add(records.bytes().length);
        } else if (kind === DataKind.COPY) {
          const { basis } = current().file;
          const first = records.number();
          const count = records.number();
          const block = blockBytes(basis);
          refuse(basis === 0 || count === 0 || first + count > Math.ceil(basis / block));
          add(Math.min(basis - first * block, count * block));
        } else if (kind === DataKind.CLOSE) {
          const { index, file, got, size } = current();
          const digest = records.bytes();
          refuse(file.writable && got !== size || digest.length !== (file.basis > 0 ? 32 : 0));
          if (file.basis > 0) return undefined;
          wanted.delete(index);
          open = undefined;
        } else if (kind === DataKind.AGAIN) {
          current();
          open = undefined;
        } else {
          refuse(kind !== DataKind.GONE);
          const index = records.number();
          find(index);
          wanted.delete(index);
        }
      }
    }
    refuse(open !== undefined);
    return "taken";
  });
}
