/** Colours of a terminal, or none. */

/** Puts text into a style. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** Styles by the codes that every terminal knows (ECMA-48, SGR), or by none. */
export function styleFor(colours: boolean): Style {
  const by = (on: number, off: number): (text: string) => string =>
    colours ? (text) => `\x1b[${on}m${text}\x1b[${off}m` : (text) => text;
  return {
    bold: by(1, 22),
    dim: by(2, 22),
    red: by(31, 39),
    green: by(32, 39),
    yellow: by(33, 39),
    cyan: by(36, 39),
  };
}
