/** Lines on a terminal that are drawn again and again, each time in place of what was drawn. */

/** Where lines are drawn. */
export interface Screen {
  write(text: string): void;
  /** How wide it is now. */
  columns(): number;
}

/** Standard error as a screen. */
export const ERROR_SCREEN: Screen = screenOf(Deno.stderr);

/** Standard output as a screen. */
export const OUTPUT_SCREEN: Screen = screenOf(Deno.stdout);

function screenOf(file: { writeSync(bytes: Uint8Array): number }): Screen {
  return {
    write(text): void {
      const bytes = new TextEncoder().encode(text);
      try {
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      } catch {
        // Nobody sees it.
      }
    },
    columns(): number {
      try {
        return Deno.consoleSize().columns || 80;
      } catch {
        return 80;
      }
    },
  };
}

/** Lines at the bottom of a screen. */
export class Redrawn {
  readonly #screen: Screen;
  #drawn = 0;

  /** Draws nothing yet. */
  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Draws lines in place of those that were drawn. None may be wider than the screen. */
  draw(lines: readonly string[]): void {
    this.#screen.write(this.#erasure() + lines.map((line) => `${line}\n`).join(""));
    this.#drawn = lines.length;
  }

  /** Takes the lines from the screen until they are drawn again, so that something else can be written there. */
  hide(): void {
    if (this.#drawn > 0) this.#screen.write(this.#erasure());
    this.#drawn = 0;
  }

  /** To the beginning of the first line that was drawn, and everything from there is erased. */
  #erasure(): string {
    return this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r\x1b[J`;
  }
}
