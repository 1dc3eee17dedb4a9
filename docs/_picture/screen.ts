/** The screen of a terminal, as far as the programs of the picture use one. */

/** Characters of one look. */
export interface Run {
  readonly text: string;
  /** The column of the first one, from 0. */
  readonly column: number;
  /** Names of colours and weights, as in the style sheet. */
  readonly look: string;
}

interface Cell {
  character: string;
  look: string;
}

/** Colours and weights by their codes. */
const LOOKS: Readonly<Record<string, string>> = {
  1: "bold",
  2: "dim",
  31: "red",
  32: "green",
  33: "yellow",
  36: "cyan",
  90: "grey",
};

// deno-lint-ignore no-control-regex -- this is what terminals obey
const PIECE = /\x1b\[([\d;]*)([A-Za-z])|\x1b\][^\x07]*\x07|[^]/gu;

/** Cells that are written one after the other, by the sequences that move the cursor and select colours. */
export class Screen {
  readonly #columns: number;
  readonly #rows: Cell[][] = [[]];
  #row = 0;
  #column = 0;
  #bold = "";
  #colour = "";

  /** An empty one. */
  constructor(columns: number) {
    this.#columns = columns;
  }

  /** Where the next character would be. */
  get cursor(): { readonly row: number; readonly column: number } {
    return { row: this.#row, column: this.#column };
  }

  /** Takes what a program writes. */
  write(text: string): void {
    for (const [piece, codes, letter] of text.matchAll(PIECE)) {
      if (letter !== undefined) this.#obey(letter, codes!);
      else if (piece === "\r") this.#column = 0;
      else if (piece === "\n") this.#down();
      else if (!piece.startsWith("\x1b") && piece >= " ") this.#put(piece);
    }
  }

  /** The rows as they are now; trailing blanks are left out. */
  rows(): Run[][] {
    return this.#rows.map((cells) => {
      const runs: { text: string; column: number; look: string }[] = [];
      for (const [column, { character, look }] of cells.entries()) {
        const last = runs.at(-1);
        if (last?.look === look) last.text += character;
        else runs.push({ text: character, column, look });
      }
      return runs.map((run) => run === runs.at(-1) ? { ...run, text: run.text.trimEnd() } : run)
        .filter(({ text }) => text !== "");
    });
  }

  #down(): void {
    this.#row++;
    while (this.#rows.length <= this.#row) this.#rows.push([]);
  }

  #put(character: string): void {
    if (this.#column === this.#columns) {
      this.#column = 0;
      this.#down();
    }
    const row = this.#rows[this.#row]!;
    while (row.length < this.#column) row.push({ character: " ", look: "" });
    row[this.#column++] = { character, look: [this.#colour, this.#bold].filter(Boolean).join(" ") };
  }

  #obey(letter: string, codes: string): void {
    const number = Number(codes) || (letter === "J" || letter === "K" ? 0 : 1);
    switch (letter) {
      case "m":
        for (const code of codes.split(";")) this.#select(code);
        return;
      case "G":
        this.#column = number - 1;
        return;
      case "A":
        this.#row = Math.max(0, this.#row - number);
        return;
      case "C":
        this.#column += number;
        return;
      case "D":
        this.#column = Math.max(0, this.#column - number);
        return;
      case "J":
        this.#rows.length = this.#row + 1;
        this.#rows[this.#row]!.length = Math.min(this.#rows[this.#row]!.length, this.#column);
        return;
      case "K":
        this.#rows[this.#row]!.length = Math.min(this.#rows[this.#row]!.length, this.#column);
        return;
    }
    throw new TypeError(`The screen of the picture does not know the sequence ${codes}${letter}`);
  }

  #select(code: string): void {
    if (code === "" || code === "0") this.#colour = this.#bold = "";
    else if (code === "22") this.#bold = "";
    else if (code === "39") this.#colour = "";
    else if (LOOKS[code] === undefined) throw new TypeError(`The picture has no colour ${code}`);
    else if (code === "1" || code === "2") this.#bold = LOOKS[code];
    else this.#colour = LOOKS[code];
  }
}

/** A row as plain text. */
export function plain(row: readonly Run[]): string {
  let text = "";
  for (const run of row) text = text.padEnd(run.column) + run.text;
  return text;
}
