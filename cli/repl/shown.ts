/** Text of the far side on this terminal: colours may pass, whatever else a terminal would obey may not. */

/** Colours and weights: nothing that hides, blinks or takes the place of other text. */
const HARMLESS = /^(?:0|[1-4]|2[234]|3[0-7]|39|9[0-7])?$/;

/** A sequence that selects colours, or any character that a terminal may obey, or that changes the order of text. */
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROL = /\x1b\[([\d;]*)m|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** What may become a sequence when more comes. */
// deno-lint-ignore no-control-regex -- as above
const BEGUN = /\x1b(?:\[[\d;]{0,32})?$/;

/** Makes text harmless: control characters are spelled. `colours` is whether sequences for colours may stay. */
export function harmless(text: string, colours: boolean, keep = ""): string {
  let styled = false;
  const clean = text.replace(CONTROL, (found: string, codes: string | undefined) => {
    if (codes === undefined) return keep.includes(found) ? found : spelled(found);
    const kept = colours ? codes.split(";").filter((code) => HARMLESS.test(code)) : [];
    if (kept.length === 0) return "";
    styled = true;
    return `\x1b[${kept.join(";")}m`;
  });
  return styled ? `${clean}\x1b[0m` : clean;
}

function spelled(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** A mark that is like no other text, and stands on both sides of a number. */
export function newMark(): string {
  return `\x1b[execnet ${crypto.randomUUID()}]`;
}

/** Text that was printed, without its marks. */
export function withoutMarks(text: string): string {
  return text.replace(MARKS, "");
}

// deno-lint-ignore no-control-regex -- what marks are made of
const MARKS = /(\x1b\[execnet [\da-f-]{36}\])(?:\d+\1)?/g;

/** What far programs print, as it comes: in pieces, with marks between that say what was printed before what. */
export class Printed {
  readonly #mark: string;
  readonly #colours: boolean;
  readonly #write: (text: string) => void | Promise<void>;
  readonly #decoder: TextDecoder = new TextDecoder();
  readonly #waiting = new Map<number, () => void>();
  #rest = "";
  #seen = 0;
  #ended = false;

  /** `mark` stands on both sides of a number; `write` takes what is to be shown. */
  constructor(mark: string, colours: boolean, write: (text: string) => void | Promise<void>) {
    this.#mark = mark;
    this.#colours = colours;
    this.#write = write;
  }

  /** Shows all of a stream. Never rejects. */
  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of stream) await this.#take(this.#decoder.decode(chunk, { stream: true }));
      await this.#show(this.#rest);
    } catch {
      // It ended with its process, or nobody reads what we show.
    } finally {
      this.#ended = true;
      for (const resolve of this.#waiting.values()) resolve();
    }
  }

  /** Resolves when all is shown that was printed before a mark, and when nothing can come any more. */
  async until(number: number): Promise<void> {
    if (this.#ended || this.#seen >= number) return;
    await new Promise<void>((resolve) => this.#waiting.set(number, resolve));
  }

  /** Waits for no mark up to this one. */
  skip(number: number): void {
    this.#seen = Math.max(this.#seen, number);
    for (const [waited, resolve] of this.#waiting) {
      if (waited > this.#seen) continue;
      this.#waiting.delete(waited);
      resolve();
    }
  }

  async #take(text: string): Promise<void> {
    this.#rest += text;
    while (true) {
      const start = this.#rest.indexOf(this.#mark);
      if (start < 0) break;
      const from = start + this.#mark.length;
      const end = this.#rest.indexOf(this.#mark, from);
      if (end < 0 && this.#rest.length - from < MAX_DIGITS + this.#mark.length) break;
      const number = end < 0 ? NaN : Number(this.#rest.slice(from, end));
      const known = Number.isSafeInteger(number);
      await this.#show(this.#rest.slice(0, start));
      // Somebody plays with it: then it is text.
      if (!known) await this.#show(this.#mark);
      this.#rest = this.#rest.slice(known ? end + this.#mark.length : from);
      if (known) this.skip(number);
    }
    const start = this.#rest.indexOf(this.#mark);
    const held = start >= 0 ? this.#rest.length - start : this.#heldBack();
    await this.#show(this.#rest.slice(0, this.#rest.length - held));
    this.#rest = this.#rest.slice(this.#rest.length - held);
  }

  /** How many characters at the end may be the beginning of a mark or of a sequence. */
  #heldBack(): number {
    const begun = this.#rest.match(BEGUN)?.[0].length ?? 0;
    for (let length = Math.min(this.#mark.length - 1, this.#rest.length); length > begun; length--) {
      if (this.#rest.endsWith(this.#mark.slice(0, length))) return length;
    }
    return begun;
  }

  async #show(text: string): Promise<void> {
    if (text !== "") await this.#write(harmless(text, this.#colours, "\r"));
  }
}

/** Digits of a mark's number at most. */
const MAX_DIGITS = 16;
