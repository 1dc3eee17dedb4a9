/** What a file has received and not given out: pieces of text or of bytes, taken by count, by line or as they are. */

/** What text and bytes do differently. */
interface PieceKind<T> {
  /** Units between two places. */
  count(piece: T, from: number, to: number): number;
  /** The place that is so many units behind another. */
  place(piece: T, from: number, units: number): number;
  /** Where the next line break is, or -1. */
  newline(piece: T, from: number): number;
  slice(piece: T, from: number, to: number): T;
  join(pieces: readonly T[]): T;
}

const NEWLINE = 10;
const SURROGATE = /[\ud800-\udfff]/;

/** Text is counted in characters, a surrogate pair being one. */
const TEXT: PieceKind<string> = {
  count: (text, from, to) => {
    let count = to - from;
    for (let i = from + 1; i < to; i++) if (isPair(text, i - 1)) count--;
    return count;
  },
  place: (text, from, units) => {
    let at = from;
    for (let i = 0; i < units; i++) at += isPair(text, at) ? 2 : 1;
    return at;
  },
  newline: (text, from) => text.indexOf("\n", from),
  slice: (text, from, to) => text.slice(from, to),
  join: (pieces) => pieces.join(""),
};

const BYTES: PieceKind<Uint8Array> = {
  count: (_, from, to) => to - from,
  place: (_, from, units) => from + units,
  newline: (bytes, from) => bytes.indexOf(NEWLINE, from),
  // A copy, so that nothing small keeps a large item alive.
  slice: (bytes, from, to) => bytes.slice(from, to),
  join: (pieces) => {
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  },
};

/** Used pieces are forgotten when they are at least so many and half of all, so that taking one stays cheap. */
const FORGOTTEN_PIECES = 1024;

/** Pieces in the order they came. Each is looked at a fixed number of times, however it is taken. */
class Pieces<T extends string | Uint8Array> {
  readonly #kind: PieceKind<T>;
  #pieces: T[] = [];
  /** Units of each piece that have not been taken. */
  #counts: number[] = [];
  #first = 0;
  /** Where in the first piece the rest begins. */
  #offset = 0;
  /** The pieces before this one are known to have no line break in their rest. */
  #searched = 0;
  #available = 0;

  constructor(kind: PieceKind<T>) {
    this.#kind = kind;
  }

  /** Units that can be taken. */
  get available(): number {
    return this.#available;
  }

  push(piece: T, count: number): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#counts.push(count);
    this.#available += count;
  }

  /** Takes so many units; there must be as many. */
  take(units: number): T {
    const parts: T[] = [];
    let left = units;
    while (left > 0) {
      const here = this.#counts[this.#first]!;
      const piece = this.#pieces[this.#first]!;
      if (here <= left) {
        parts.push(this.#cut(piece.length, here));
        left -= here;
      } else {
        const plain = here === piece.length - this.#offset;
        const to = plain ? this.#offset + left : this.#kind.place(piece, this.#offset, left);
        parts.push(this.#cut(to, left));
        left = 0;
      }
    }
    return this.#joined(parts);
  }

  /** Takes up to the next line break, which is included; undefined when there is none. */
  takeLine(): T | undefined {
    for (; this.#searched < this.#pieces.length; this.#searched++) {
      const last = this.#searched;
      const from = last === this.#first ? this.#offset : 0;
      const at = this.#kind.newline(this.#pieces[last]!, from);
      if (at < 0) continue;
      const parts: T[] = [];
      for (let left = last - this.#first; left > 0; left--) {
        parts.push(this.#cut(this.#pieces[this.#first]!.length, this.#counts[this.#first]!));
      }
      const piece = this.#pieces[this.#first]!;
      const plain = this.#counts[this.#first] === piece.length - this.#offset;
      const count = plain ? at + 1 - this.#offset : this.#kind.count(piece, this.#offset, at + 1);
      parts.push(this.#cut(at + 1, count));
      return this.#joined(parts);
    }
    return undefined;
  }

  /** Takes the rest of the first piece; there must be one. */
  takePiece(): T {
    return this.#cut(this.#pieces[this.#first]!.length, this.#counts[this.#first]!);
  }

  /** Takes from the first piece up to a place. */
  #cut(to: number, count: number): T {
    const piece = this.#pieces[this.#first]!;
    const part = this.#offset === 0 && to === piece.length
      ? piece
      : this.#kind.slice(piece, this.#offset, to);
    this.#available -= count;
    if (to < piece.length) {
      this.#offset = to;
      this.#counts[this.#first]! -= count;
    } else {
      this.#drop();
    }
    return part;
  }

  #drop(): void {
    this.#offset = 0;
    this.#first++;
    this.#searched = Math.max(this.#searched, this.#first);
    const used = this.#first;
    const { length } = this.#pieces;
    if (used < length && (used < FORGOTTEN_PIECES || used * 2 < length)) return;
    this.#pieces.splice(0, this.#first);
    this.#counts.splice(0, this.#first);
    this.#searched -= this.#first;
    this.#first = 0;
  }

  #joined(parts: readonly T[]): T {
    return parts.length === 1 ? parts[0]! : this.#kind.join(parts);
  }
}

/** What {@linkcode ChannelReadFile} reads from, alike for text and bytes. */
export interface FileBuffer {
  /** Characters or bytes that can be taken. */
  readonly available: number;
  /** Adds an item; false when it is of another kind. */
  push(item: unknown): boolean;
  /** Nothing more comes: half a character that waited for its other half is one. */
  finish(): void;
  /** Takes so many characters or bytes; there must be as many. */
  take(units: number): string | Uint8Array;
  /** Takes up to the next line break, which is included; undefined when there is none. */
  takeLine(): string | undefined;
  /** Takes all that is there as text. */
  takeRest(): string;
  /** Takes the rest of what came first; there must be something. */
  takePiece(): string | Uint8Array;
}

/** Text. A surrogate pair that was cut in two is put together again. */
export class TextBuffer implements FileBuffer {
  readonly #pieces = new Pieces(TEXT);
  /** A first half at the end of an item. */
  #half = "";

  get available(): number {
    return this.#pieces.available;
  }

  push(item: unknown): boolean {
    if (typeof item !== "string") return false;
    if (item === "") return true;
    let text = this.#half + item;
    this.#half = isFirstHalf(text.charCodeAt(text.length - 1)) ? text.slice(-1) : "";
    if (this.#half !== "") text = text.slice(0, -1);
    this.#add(text);
    return true;
  }

  finish(): void {
    this.#add(this.#half);
    this.#half = "";
  }

  take(units: number): string {
    return this.#pieces.take(units);
  }

  takeLine(): string | undefined {
    return this.#pieces.takeLine();
  }

  takeRest(): string {
    return this.take(this.available);
  }

  takePiece(): string {
    return this.#pieces.takePiece();
  }

  #add(text: string): void {
    this.#pieces.push(text, SURROGATE.test(text) ? TEXT.count(text, 0, text.length) : text.length);
  }
}

/** Bytes, whose lines are read as UTF-8. No character has a line break inside, so each line can be read by itself. */
export class BytesBuffer implements FileBuffer {
  readonly #pieces = new Pieces(BYTES);
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

  get available(): number {
    return this.#pieces.available;
  }

  push(item: unknown): boolean {
    if (!(item instanceof Uint8Array)) return false;
    this.#pieces.push(item, item.length);
    return true;
  }

  finish(): void {}

  take(units: number): Uint8Array {
    return this.#pieces.take(units);
  }

  takeLine(): string | undefined {
    const line = this.#pieces.takeLine();
    return line === undefined ? undefined : this.#utf8.decode(line);
  }

  takeRest(): string {
    return this.#utf8.decode(this.take(this.available));
  }

  takePiece(): Uint8Array {
    return this.#pieces.takePiece();
  }
}

function isFirstHalf(unit: number): boolean {
  return unit >> 10 === 0x36;
}

function isPair(text: string, at: number): boolean {
  return isFirstHalf(text.charCodeAt(at)) && text.charCodeAt(at + 1) >> 10 === 0x37;
}
